package publisher

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bkledger/bk/ledger"
)

// chunk is how many entries are read from the journal, and made into events, at a time.
const chunk = 1024

// run is what one call of Run knows beyond a session.
type run struct {
	*Publisher
	term  uint64       // 0: not the owner yet
	limit atomic.Int64 // entries in a transaction: halved by a failure, doubled by a success
}

// session publishes until something fails, or ctx ends.
func (r *run) session(ctx context.Context) (progress bool, err error) {
	s, err := r.connect()
	if err != nil {
		return false, err
	}
	defer s.close()
	if err := r.open(ctx, s); err != nil {
		return false, err
	}
	r.published.Store(s.at.seq)
	if s.at.seq >= r.cfg.Journal.Head().Seq {
		r.enter(ctx, Publishing, nil)
	}

	prepareCtx, cancel := context.WithCancelCause(ctx)
	ready := make(chan *batch) // one is under way, one is ready, as one goroutine each
	var prepared sync.WaitGroup
	prepared.Go(func() {
		defer close(ready)
		cancel(r.prepare(prepareCtx, s.at.seq, ready))
	})
	defer prepared.Wait()
	defer cancel(nil)
	for b := range ready {
		r.waiting.Store(b.first)
		if err := r.publish(ctx, s, b); err != nil {
			r.limit.Store(max(1, min(r.limit.Load(), int64(b.entries))/2))
			return progress, err
		}
		progress = true
		r.limit.Store(min(2*r.limit.Load(), int64(r.cfg.MaxEntries)))
		r.published.Store(s.at.seq)
		r.enter(ctx, Publishing, nil)
	}
	return progress, context.Cause(prepareCtx)
}

// open makes the session the owner of the stream.
func (r *run) open(ctx context.Context, s *session) error {
	openCtx, cancel := context.WithTimeout(ctx, r.cfg.AttemptTimeout)
	defer cancel()
	if err := s.open(openCtx, r.term); err != nil {
		return err
	}
	if r.term != 0 {
		return nil
	}
	term, err := s.claim(openCtx)
	if err != nil {
		return fmt.Errorf("claiming the stream: %w", err)
	}
	r.term = term
	r.cfg.Log.InfoContext(ctx, "owns the stream", "term", term, "published", s.at.seq)
	return nil
}

// publish runs one transaction. When ctx ends it gets some time to finish, so that consumers needn't wait for it to time out.
func (r *run) publish(ctx context.Context, s *session, b *batch) error {
	txnCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.AttemptTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(r.cfg.DrainTimeout):
			cancel()
		case <-txnCtx.Done():
		}
	})
	defer stop()

	// The Kafka client tries again by itself until txnCtx ends. Who watches should know sooner.
	stalled := make(chan struct{})
	stall := time.AfterFunc(stallAfter, func() {
		defer close(stalled)
		r.enter(ctx, Down, fmt.Errorf("publishing %s takes longer than %v", b, stallAfter))
	})
	err := s.publish(txnCtx, b)
	if !stall.Stop() {
		<-stalled // so that what comes next is the last word
	}
	return err
}

// stallAfter is how long a transaction may take until the state is [Down]. Usual are milliseconds.
const stallAfter = 3 * time.Second

// prepare reads the journal behind a sequence number and hands over batches, until an error. It runs beside the transaction of the
// batch before: reading and encoding take about as long as Kafka does.
func (r *run) prepare(ctx context.Context, after uint64, ready chan<- *batch) error {
	for {
		b, err := r.gather(ctx, after)
		if err != nil {
			return err
		}
		select {
		case ready <- b:
			after = b.last.ID.Seq()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// gather makes one batch: as much as the journal has, up to the limits. It waits for the first entry, then a linger for more.
func (r *run) gather(ctx context.Context, after uint64) (*batch, error) {
	b := &batch{}
	limit := int(r.limit.Load())
	var linger <-chan time.Time
	for b.entries < limit && b.bytes < r.cfg.MaxBytes {
		entries, err := r.cfg.Journal.Read(ctx, after, min(chunk, limit-b.entries))
		if err != nil {
			return nil, fmt.Errorf("reading the journal after %d:%d: %w", r.shard, after, err)
		}
		if err := consecutive(r.shard, after, entries); err != nil {
			return nil, err
		}
		switch {
		case len(entries) > 0:
		case b.entries == 0:
			if err := r.cfg.Journal.Wait(ctx, after); err != nil {
				return nil, fmt.Errorf("waiting for the journal to go beyond %d:%d: %w", r.shard, after, err)
			}
			continue
		case linger == nil && r.cfg.Linger > 0:
			linger = time.After(r.cfg.Linger)
			select {
			case <-linger:
				continue
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		default:
			return b, nil
		}
		if b.entries == 0 {
			r.seen(entries[0])
		}
		events, err := r.cfg.makeAll(entries)
		if err != nil {
			return nil, err
		}
		for i := range events {
			if b.entries > 0 && b.bytes+events[i].bytes > r.cfg.MaxBytes {
				return b, nil
			}
			b.add(&events[i])
		}
		after = b.last.ID.Seq()
	}
	return b, nil
}

// seen notes the oldest entry that isn't published, for the lag in seconds.
func (r *run) seen(e *ledger.Entry) {
	if old := r.waiting.Load(); old == nil || old.ID.Seq() <= r.published.Load() {
		r.waiting.Store(e)
	}
}

// seek does the same while Kafka is away.
func (r *run) seek(ctx context.Context) {
	entries, err := r.cfg.Journal.Read(ctx, r.published.Load(), 1)
	if err == nil && len(entries) == 1 {
		r.seen(entries[0])
	}
}
