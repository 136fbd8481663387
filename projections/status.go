package projections

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Status is how a projection stands.
type Status struct {
	Name        string
	Active      Generation // zero Number while there is none
	Building    Generation // zero Number unless a rebuild is under way, in any process
	CodeVersion int        // of this process; another than Active.Version means that a rebuild is due
	Running     bool       // by this process, though it may be held up; false where a fault stopped it
	Trouble     string     // what holds this process's runner or rebuild up at the moment, "" if nothing; a fault is in Active.Fault
}

// Status gives how each configured projection stands, in the order of the configuration.
func (r *Runner) Status(ctx context.Context) ([]Status, error) {
	rows, err := r.cfg.Pool.Query(ctx, `SELECT `+generationColumns+` FROM bk_read.projection
		WHERE shard = $1 AND state IN ('active', 'building')`, int16(r.cfg.Shard))
	if err != nil {
		return nil, fmt.Errorf("read the status of projections: %w", err)
	}
	generations, err := pgx.CollectRows(rows, scanGeneration)
	if err != nil {
		return nil, fmt.Errorf("read the status of projections: %w", err)
	}
	all := make([]Status, len(r.lanes))
	for i, l := range r.lanes {
		s := &all[i]
		s.Name, s.CodeVersion = l.p.Name(), l.p.Version()
		l.progress.mu.Lock()
		s.Running, s.Trouble = l.progress.driven && l.progress.fault == nil, l.progress.heldUp()
		l.progress.mu.Unlock()
		for _, g := range generations {
			switch {
			case g.Projection != l.p.Name():
			case g.State == Active:
				s.Active = g
			case g.State == Building:
				s.Building = g
			}
		}
	}
	return all, nil
}
