package sample

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/facade/mode"
)

const (
	storeTimeout = 5 * time.Second
	maxListed    = 1000
)

// ErrNotFound says that a divergence isn't kept, or not any more.
var ErrNotFound = errors.New("no such divergence is kept")

// Divergence is one difference between the systems' answers to a read.
type Divergence struct {
	ID          int64     `json:"id"` // ascending
	SeenAt      time.Time `json:"seen_at"`
	Replica     string    `json:"replica"`
	Epoch       int64     `json:"epoch"`
	Mode        mode.Mode `json:"mode"`
	Route       string    `json:"route"`
	Request     string    `json:"request"` // method and target
	Kind        Kind      `json:"kind"`
	Path        string    `json:"path"`
	Primary     string    `json:"primary"` // the value as JSON, cut; "" where there is none
	Secondary   string    `json:"secondary"`
	ExplainedBy string    `json:"explained_by"` // the rule, "" if none does
	ExpiredRule string    `json:"expired_rule"` // the one that would, had it not expired
	Rounds      int       `json:"rounds"`       // how often both were asked
	WaitedMS    int64     `json:"waited_ms"`    // for how long
}

// store keeps divergences. The number of rows, and of writes, is bounded.
type store struct {
	pool                *pgxpool.Pool
	rows, perMinute     int
	mu                  sync.Mutex
	minute              time.Time       // the one that is counted
	written             int             // in it
	explainedThisMinute map[string]bool // rules of which a row was written
}

func newStore(pool *pgxpool.Pool, rows, perMinute int) *store {
	return &store{pool: pool, rows: rows, perMinute: perMinute, explainedThisMinute: map[string]bool{}}
}

// room says whether a row may be written. One a minute is enough of what a rule explains: the others are not to be pushed out by it.
func (s *store) room(row Divergence, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.minute) >= time.Minute {
		s.minute, s.written = now, 0
		clear(s.explainedThisMinute)
	}
	if s.written >= s.perMinute || row.ExplainedBy != "" && s.explainedThisMinute[row.ExplainedBy] {
		return false
	}
	if row.ExplainedBy != "" {
		s.explainedThisMinute[row.ExplainedBy] = true
	}
	s.written++
	return true
}

const insertRow = `INSERT INTO facade.divergence
	(replica, epoch, mode, route, request, kind, path, primary_value, secondary_value, explained_by, expired_rule, rounds, waited_ms)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`

// pruneRows goes by ids: gaps in them make it keep less, never more.
const pruneRows = `DELETE FROM facade.divergence WHERE id <= (SELECT max(id) FROM facade.divergence) - $1::bigint`

func (s *store) insert(ctx context.Context, rows []Divergence) error {
	b := &pgx.Batch{}
	for _, d := range rows {
		b.Queue(insertRow, d.Replica, d.Epoch, string(d.Mode), d.Route, d.Request, string(d.Kind), d.Path, d.Primary, d.Secondary, d.ExplainedBy, d.ExpiredRule,
			d.Rounds, d.WaitedMS)
	}
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("insert into facade.divergence: %w", err)
	}
	return s.prune(ctx)
}

func (s *store) prune(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if _, err := s.pool.Exec(ctx, pruneRows, s.rows); err != nil {
		return fmt.Errorf("prune facade.divergence: %w", err)
	}
	return nil
}

const selectRows = `SELECT id, seen_at, replica, epoch, mode, route, request, kind, path, primary_value, secondary_value, explained_by, expired_rule, rounds, waited_ms
	FROM facade.divergence`

func scan(row pgx.CollectableRow) (d Divergence, err error) {
	err = row.Scan(&d.ID, &d.SeenAt, &d.Replica, &d.Epoch, &d.Mode, &d.Route, &d.Request, &d.Kind, &d.Path, &d.Primary, &d.Secondary, &d.ExplainedBy, &d.ExpiredRule,
		&d.Rounds, &d.WaitedMS)
	return d, err
}

// Filter chooses divergences. The zero value takes the latest 100 of all.
type Filter struct {
	Before          int64 // only those with a smaller id; 0: all
	Limit           int   // at most 1000; 0: 100
	Route           string
	Kind            Kind
	OnlyUnexplained bool
}

// List gives divergences of all replicas, the latest first.
func (s *Sampler) List(ctx context.Context, f Filter) ([]Divergence, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	rows, err := s.store.pool.Query(ctx, selectRows+` WHERE ($1::bigint = 0 OR id < $1) AND ($2::text = '' OR route = $2) AND ($3::text = '' OR kind = $3)
		AND (NOT $4::bool OR explained_by = '') ORDER BY id DESC LIMIT $5`, f.Before, f.Route, string(f.Kind), f.OnlyUnexplained, min(f.Limit, maxListed))
	if err != nil {
		return nil, fmt.Errorf("list divergences: %w", err)
	}
	list, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("list divergences: %w", err)
	}
	return list, nil
}

// Get gives one: [ErrNotFound].
func (s *Sampler) Get(ctx context.Context, id int64) (Divergence, error) {
	rows, err := s.store.pool.Query(ctx, selectRows+` WHERE id = $1`, id)
	if err != nil {
		return Divergence{}, fmt.Errorf("get divergence %d: %w", id, err)
	}
	d, err := pgx.CollectExactlyOneRow(rows, scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return d, fmt.Errorf("get divergence %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return d, fmt.Errorf("get divergence %d: %w", id, err)
	}
	return d, nil
}
