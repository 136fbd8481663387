package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
)

// worker folds the journal into one generation, from its checkpoint on. After an error it is of no more use: its fold may hold what
// was not stored, or not know what was; a new one is opened at the checkpoint as it is then.
type worker struct {
	r     *Runner
	p     Projection
	g     Generation
	fold  Fold
	ahead []*ledger.Entry // read, and not folded yet
	to    Checkpoint      // of the last entry folded
	chunk chunk           // what is folded and not stored
}

// chunk is what is known of the entries that are folded and not stored yet.
type chunk struct {
	entries, postings int
	last              *ledger.Entry
	complete          bool // no more may go into it
	took              time.Duration
}

// snapshot is a transaction in which all reads see the same moment.
var snapshot = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// open makes a worker for a generation where it stands.
func (r *Runner) open(ctx context.Context, p Projection, number int64) (*worker, error) {
	w := &worker{r: r, p: p}
	err := pgx.BeginTxFunc(ctx, r.cfg.Pool, snapshot, func(tx pgx.Tx) (err error) {
		if w.g, err = generationByNumber(ctx, tx, p.Name(), number); err != nil {
			return err
		}
		w.fold, err = p.Open(ctx, tx, w.g)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open generation %d of projection %s: %w", number, p.Name(), err)
	}
	w.to = w.g.Checkpoint
	return w, w.compareJournal(ctx)
}

// compareJournal makes sure that the checkpoint is of this journal. One that is beyond the journal's head may be a tail that was cut
// off, or this process may have fallen behind: it is tried again, and nothing is applied meanwhile.
func (w *worker) compareJournal(ctx context.Context) error {
	at := w.g.Checkpoint
	if at.Seq == 0 {
		return nil
	}
	last, err := w.r.cfg.Source.Read(ctx, at.Seq-1, 1)
	switch {
	case err != nil:
		return fmt.Errorf("read entry %d: %w", at.Seq, err)
	case len(last) == 0 && w.g.State == Building:
		// Nobody reads it, so nothing is lost by giving it up, unless it is only this process that is behind.
		if sound, why, err := at.of(ctx, w.r.cfg.Source); err != nil {
			return err
		} else if !sound {
			return w.fault(at.Seq, fmt.Errorf("the checkpoint is not of this journal: %s", why))
		}
		fallthrough
	case len(last) == 0:
		return fmt.Errorf("the checkpoint of projection %s, %d, is beyond the journal's head %d", w.p.Name(), at.Seq, w.r.cfg.Source.Head().Seq)
	case last[0].ID.Seq() != at.Seq || last[0].Hash != at.Hash:
		return w.fault(at.Seq, errors.New("the checkpoint's chain hash is not that of the entry: it was folded from another journal"))
	}
	return nil
}

func (w *worker) fault(seq uint64, what error) *Fault {
	return &Fault{Projection: w.p.Name(), Shard: w.r.cfg.Shard, Seq: seq, What: what.Error()}
}

// step folds and stores one chunk: what is waiting, up to the limits. It gives the number of entries, 0 where none is waiting.
func (w *worker) step(ctx context.Context) (int, error) {
	if err := w.collect(ctx, w.r.cfg.MaxChunkEntries); err != nil {
		return 0, err
	}
	n := w.chunk.entries
	if n == 0 {
		return 0, nil
	}
	return n, w.flush(ctx)
}

// paced is step for what comes from now on: it gathers first.
func (w *worker) paced(ctx context.Context, wanted <-chan struct{}) (int, error) {
	if err := w.gather(ctx, wanted); err != nil {
		return 0, err
	}
	n := w.chunk.entries
	if n == 0 {
		return 0, nil
	}
	return n, w.flush(ctx)
}

// gather folds entries as they come, until it is time to store them: the chunk is complete, a read waits, or the pace has passed. Under load it
// takes up to [busyTimes] as long, so that chunks are larger just when they are many. Entries are folded while they are still in memory, however
// long it takes to gather a chunk of them.
func (w *worker) gather(ctx context.Context, wanted <-chan struct{}) error {
	pace := w.r.cfg.Pace
	tick := time.NewTicker(max(pace/looks, time.Millisecond))
	defer tick.Stop()
	for begun, asked := time.Now(), false; ; {
		if err := w.collect(ctx, w.r.cfg.MaxChunkEntries); err != nil {
			return err
		}
		switch n, since := w.chunk.entries, time.Since(begun); {
		case w.chunk.complete, n > 0 && asked, since >= busyTimes*pace, since >= pace && n < busy:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wanted:
			asked = true
		case <-tick.C:
		}
	}
}

// flush stores the chunk in hand, which is not empty.
func (w *worker) flush(ctx context.Context) error {
	n, took := w.chunk.entries, w.chunk.took
	patience := w.r.cfg.ChunkTimeout
	if w.full() {
		patience *= heavyTimes
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	begun := time.Now()
	err := pgx.BeginFunc(ctx, w.r.cfg.Pool, func(tx pgx.Tx) error {
		// A crash of the server may undo the last moments. The checkpoint goes back with the rows, and they are folded again.
		if err := tune(ctx, tx, "synchronous_commit"); err != nil {
			return err
		}
		return w.store(ctx, tx)
	})
	if err != nil {
		return fmt.Errorf("store entries %d to %d in projection %s: %w", w.g.Checkpoint.Seq+1, w.to.Seq, w.p.Name(), err)
	}
	w.r.metrics.chunk(w.p.Name(), n, took, time.Since(begun))
	w.g.Checkpoint = w.to
	return nil
}

// byIndex are the planner's other ways to find the rows that a chunk updates. A table that is young, as every generation's is at
// first, has no statistics, and reading all of it to update a few rows then looks cheap, and stays the plan while the table grows.
var byIndex = []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"}

// tune switches settings off for the transaction, and those of byIndex.
func tune(ctx context.Context, tx pgx.Tx, settings ...string) error {
	_, err := tx.Exec(ctx, `SELECT set_config(name, 'off', true) FROM unnest($1::text[]) AS name`, append(settings, byIndex...))
	if err != nil {
		return fmt.Errorf("set the transaction up: %w", err)
	}
	return nil
}

// store writes what was folded. The caller takes over the checkpoint once the transaction has committed.
func (w *worker) store(ctx context.Context, tx pgx.Tx) error {
	if err := advance(ctx, tx, w.g, w.to); err != nil {
		return err
	}
	w.chunk = chunk{}
	return w.fold.Store(ctx, tx)
}

// collect folds entries that are waiting, until the chunk in hand has so many, or fewer where they have many postings.
func (w *worker) collect(ctx context.Context, limit int) (err error) {
	defer func() {
		// A fold that panics has met something that it was sure can't be.
		if v := recover(); v != nil {
			err = w.fault(w.to.Seq+1, fmt.Errorf("panic: %v", v))
		}
	}()
	for c := &w.chunk; c.entries < limit && !c.complete || w.mayContinue(c.last); {
		if len(w.ahead) == 0 {
			w.ahead, err = w.r.cfg.Source.Read(ctx, w.to.Seq, min(max(limit-c.entries, 1), readAtOnce))
			if errors.Is(err, ledger.ErrBroken) {
				return w.fault(w.to.Seq+1, err)
			}
			if err != nil {
				return fmt.Errorf("read the journal after %d: %w", w.to.Seq, err)
			}
			if len(w.ahead) == 0 {
				break
			}
		}
		if (c.entries >= limit || c.complete) && !w.continues(c.last) {
			break
		}
		begun := time.Now()
		for len(w.ahead) > 0 && (c.entries < limit && !c.complete || w.continues(c.last)) {
			if c.postings += len(w.ahead[0].Postings); c.entries > 0 && c.postings > w.r.cfg.MaxChunkPostings && !w.continues(c.last) {
				c.complete = true
				break
			}
			c.last = w.ahead[0]
			if err := w.add(c.last); err != nil {
				return w.fault(w.to.Seq+1, err)
			}
			w.ahead = w.ahead[1:]
			c.entries++
			c.complete = c.complete || w.full()
		}
		c.took += time.Since(begun)
	}
	w.chunk.complete = w.chunk.complete || w.chunk.entries >= limit
	return nil
}

// continues reports whether the next entry was booked together with this one, so that no chunk may end between them: a read would see a
// correction half. The journal has both, or neither.
func (w *worker) continues(e *ledger.Entry) bool {
	switch {
	case e == nil:
		return false
	case e.Kind == ledger.KindReverse, e.Kind == ledger.KindLink, e.Kind == ledger.KindCancel && e.Links.ReplacedBy != 0:
		return true
	}
	return len(w.ahead) > 0 && w.ahead[0].Kind == ledger.KindSettle && w.ahead[0].Links.Trade == e.ID
}

// mayContinue is continues where the next entry is not read yet.
func (w *worker) mayContinue(e *ledger.Entry) bool {
	return w.continues(e) || e != nil && len(w.ahead) == 0 && e.Kind.IsTrade()
}

// full reports whether the chunk ends with an entry that is heavy.
func (w *worker) full() bool {
	heavy, ok := w.fold.(Heavy)
	return ok && heavy.Full()
}

func (w *worker) add(e *ledger.Entry) error {
	if e.ID != ledger.MakeID(w.r.cfg.Shard, w.to.Seq+1) {
		return fmt.Errorf("the journal gives shard %d, sequence %d there", e.ID.Shard(), e.ID.Seq())
	}
	if err := w.fold.Add(e); err != nil {
		return err
	}
	w.to = Checkpoint{Seq: e.ID.Seq(), Hash: e.Hash, BookedAt: e.BookedAt}
	return nil
}
