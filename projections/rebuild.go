package projections

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// Progress is told how far a rebuild is: entries folded, and entries in the journal at that moment. It must not block.
type Progress func(done, total uint64)

// Rebuild folds a projection anew, beside the generation that is read, and puts the new one in its place once it has caught up.
// Once begun, errors of Postgres and of the journal are retried for as long as ctx allows. If ctx ends first, or the fold meets a fault, what
// was built is given up and the old generation stays. progress may be nil. [ErrUnknown], [ErrRebuilding], [ErrSuperseded].
func (r *Runner) Rebuild(ctx context.Context, name string, progress Progress) error {
	l, err := r.lane(name)
	if err != nil {
		return err
	}
	if !l.claim() {
		return fmt.Errorf("projection %s: %w", name, ErrRebuilding)
	}
	defer l.release()
	if _, found, err := inState(ctx, r.cfg.Pool, name, r.cfg.Shard, Active, ""); err != nil {
		return err
	} else if !found {
		return fmt.Errorf("projection %s: %w", name, ErrNotBuilt)
	}
	g, err := r.begin(ctx, l.p, Building)
	if err != nil {
		return err
	}
	t := r.rebuildTrouble(l)
	defer t.forget()
	if err = r.build(ctx, l, g, t, progress); err != nil && !errors.Is(err, ErrSuperseded) {
		r.giveUp(context.WithoutCancel(ctx), g, err)
	}
	return err
}

// upgrade replaces an active generation of another version than the code's. The caller's retries are its retries.
func (r *Runner) upgrade(ctx context.Context, l *lane, active Generation, t *trouble) error {
	if !l.claim() {
		select { // somebody called Rebuild, which does just that
		case <-ctx.Done():
		case <-l.kick:
		case <-time.After(time.Second):
		}
		return nil
	}
	defer l.release()
	g, found, err := inState(ctx, r.cfg.Pool, l.p.Name(), r.cfg.Shard, Building, "")
	if err != nil {
		return err
	}
	if !found || g.Version != l.p.Version() {
		if g, err = r.begin(ctx, l.p, Building); err != nil {
			return err
		}
	}
	r.cfg.Log.Info("projection is rebuilt for another version", "projection", l.p.Name(), "generation", g.Number,
		"from_version", active.Version, "to_version", g.Version)
	err = r.build(ctx, l, g, t, nil)
	if f := (*Fault)(nil); errors.As(err, &f) {
		r.giveUp(ctx, g, err)
	}
	return err
}

// resume takes up what a killed process was building, beside the following of the active generation.
func (r *Runner) resume(ctx context.Context, l *lane, wg *sync.WaitGroup) error {
	g, found, err := inState(ctx, r.cfg.Pool, l.p.Name(), r.cfg.Shard, Building, "")
	if err != nil || !found || !l.claim() {
		return err
	}
	if g.Version != l.p.Version() {
		defer l.release()
		return pgx.BeginFunc(ctx, r.cfg.Pool, func(tx pgx.Tx) error { return setState(ctx, tx, g, Retired, true) })
	}
	r.cfg.Log.Info("projection rebuild resumed", "projection", l.p.Name(), "generation", g.Number, "seq", g.Checkpoint.Seq)
	wg.Go(func() {
		defer l.release()
		t := r.rebuildTrouble(l)
		defer t.forget()
		if err := r.build(ctx, l, g, t, nil); err != nil && ctx.Err() == nil && !errors.Is(err, ErrSuperseded) {
			r.giveUp(ctx, g, err)
		}
	})
	return nil
}

func (l *lane) claim() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.building {
		return false
	}
	l.building = true
	return true
}

func (l *lane) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.building = false
}

// giveUp retires a generation that will not be finished. If that fails, the next start resumes it.
func (r *Runner) giveUp(ctx context.Context, g Generation, why error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := pgx.BeginFunc(ctx, r.cfg.Pool, func(tx pgx.Tx) error { return setState(ctx, tx, g, Retired, true) })
	r.cfg.Log.Warn("projection rebuild given up", "projection", g.Projection, "generation", g.Number, "why", why, "error", err)
}

// build folds the journal into a building generation and swaps it in. It retries until ctx ends.
func (r *Runner) build(ctx context.Context, l *lane, g Generation, t *trouble, progress Progress) error {
	for {
		err := r.fill(ctx, l, g, t, progress)
		if err == nil {
			return nil
		}
		f := (*Fault)(nil)
		if errors.As(err, &f) || errors.Is(err, ErrSuperseded) {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("rebuild of projection %s: %w", l.p.Name(), errors.Join(ctx.Err(), err))
		}
		t.pause(ctx, err, nil)
	}
}

func (r *Runner) fill(ctx context.Context, l *lane, g Generation, t *trouble, progress Progress) error {
	now, err := generationByNumber(ctx, r.cfg.Pool, g.Projection, g.Number)
	if err != nil {
		return err
	}
	switch now.State {
	case Building:
	case Active: // the swap's COMMIT went through, its answer was lost
		r.swapped(l, now)
		return nil
	default:
		return fmt.Errorf("generation %d of projection %s is %s: %w", g.Number, g.Projection, now.State, ErrSuperseded)
	}
	w, err := r.open(ctx, l.p, g.Number)
	if err != nil {
		return err
	}
	for {
		n, err := w.step(ctx)
		if err != nil {
			return err
		}
		if n > 0 {
			t.over()
		}
		if progress != nil {
			progress(w.g.Checkpoint.Seq, max(r.cfg.Source.Head().Seq, w.g.Checkpoint.Seq))
		}
		if n == r.cfg.MaxChunkEntries || len(w.ahead) > 0 {
			continue // there is more to come before it is worth a try
		}
		if done, err := w.swap(ctx); err != nil {
			return err
		} else if done {
			t.over()
			r.swapped(l, w.g)
			return nil
		}
	}
}

func (r *Runner) swapped(l *lane, g Generation) {
	r.cfg.Log.Info("projection generation active", "projection", l.p.Name(), "generation", g.Number, "version", g.Version, "seq", g.Checkpoint.Seq)
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

// swap puts the generation in the active one's place, in one transaction. The active one's checkpoint is locked meanwhile, so it
// stands still, and what it is ahead is folded inside the transaction: a read never goes back. It gives false, with nothing
// changed, where that is more than a chunk.
//
// An active generation that is not of this journal (the tail that it has is gone, or its history is another one) can't be caught
// up with: there it is enough to have all of the journal, and reads do go back, to what is true.
func (w *worker) swap(ctx context.Context) (done bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, heavyTimes*w.r.cfg.ChunkTimeout) // several heavy entries may be ahead
	defer cancel()
	err = pgx.BeginFunc(ctx, w.r.cfg.Pool, func(tx pgx.Tx) error {
		active, found, err := inState(ctx, tx, w.g.Projection, w.g.Shard, Active, "FOR UPDATE")
		if err != nil {
			return err
		}
		target, foreign, err := w.target(ctx, active.Checkpoint)
		if err != nil {
			return err
		}
		if target > w.to.Seq+uint64(w.r.cfg.MaxChunkEntries) {
			return nil
		}
		if err := tune(ctx, tx); err != nil {
			return err
		}
		for w.to.Seq < target {
			if err := w.collect(ctx, int(target-w.to.Seq)); err != nil {
				return err
			} else if w.chunk.entries == 0 {
				return fmt.Errorf("the journal gives no entry after %d, %d is needed", w.to.Seq, target)
			}
			if err := w.store(ctx, tx); err != nil {
				return err
			}
			w.g.Checkpoint = w.to
		}
		if found {
			if foreign != "" {
				w.r.cfg.Log.Warn("projection generation is not of this journal, what was rebuilt from the journal takes its place",
					"projection", w.p.Name(), "why", foreign,
					"generation", active.Number, "seq", active.Checkpoint.Seq, "hash", hex.EncodeToString(active.Checkpoint.Hash[:]),
					"new_generation", w.g.Number, "new_seq", w.to.Seq, "new_hash", hex.EncodeToString(w.to.Hash[:]))
			}
			if err := setState(ctx, tx, active, Retired, false); err != nil {
				return err
			}
		}
		done = true
		return setState(ctx, tx, w.g, Active, false)
	})
	if err != nil {
		return false, fmt.Errorf("swap generation %d of projection %s in: %w", w.g.Number, w.g.Projection, err)
	}
	return done, nil
}

// target is how far the generation must be to take the place of the active one, whose checkpoint is at; foreign says why that is
// not of this journal, where it isn't.
func (w *worker) target(ctx context.Context, at Checkpoint) (seq uint64, foreign string, err error) {
	head := max(w.r.cfg.Source.Head().Seq, w.to.Seq)
	sound, why, err := at.of(ctx, w.r.cfg.Source)
	switch {
	case err != nil:
		return 0, "", err
	case !sound:
		return head, why, nil
	case at.Seq > head:
		// A standby hears of entries later than the leader folds them.
		return 0, "", fmt.Errorf("the active generation is at %d, this process knows the journal up to %d so far", at.Seq, head)
	}
	return at.Seq, "", nil
}
