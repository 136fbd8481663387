package bankstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bankstream/state"
)

const (
	restoreFetch = 16 << 20
	stalledAfter = time.Second // nothing came: a transaction is open
)

// restore makes a partition's state of the changelog, and holds it against the group's offset and BK's topic. What may pass is tried again.
func (n *session) restore(ctx context.Context, p *partition) {
	var at committed
	select {
	case at = <-p.group:
	case <-ctx.Done():
		return
	}
	for pause := n.cfg.BackoffMin; ; pause = min(2*pause, n.cfg.BackoffMax) {
		began := time.Now()
		restored, err := n.restored(ctx, p, at)
		if ctx.Err() != nil {
			return
		}
		for _, forGood := range []error{ErrLost, state.ErrCorrupt, state.ErrIncomplete, state.ErrVersion} {
			if errors.Is(err, forGood) {
				n.halt(p.id, err)
				return
			}
		}
		if err == nil {
			took := time.Since(began)
			n.metrics.restored(took)
			n.mu.Lock()
			p.state, p.restored = restored, true
			n.mu.Unlock()
			holdings, trades := restored.Sizes()
			n.cfg.Log.InfoContext(ctx, "state restored", "partition", p.id, "offset", restored.Position().Next, "holdings", holdings, "trades", trades, "took", took)
			return
		}
		n.cfg.Log.WarnContext(ctx, "restoring a state failed, it is tried again", "partition", p.id, "in", pause, "error", err)
		n.restoring(p, err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(jitter(pause)):
		}
	}
}

// restoring says what a restore waits for.
func (n *session) restoring(p *partition, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if p.phase == Restoring {
		p.err = err
	}
}

func (n *session) restored(ctx context.Context, p *partition, at committed) (*state.Partition, error) {
	// What is there now is all there will be: a transaction of who had the partition before is over, or can't be committed any more.
	from, to, err := n.bounds(ctx, n.cfg.State, p.id)
	if err != nil {
		return nil, err
	}
	found, err := n.replay(ctx, p, max(from, at.start), to)
	if errors.Is(err, state.ErrIncomplete) && at.start > from {
		n.cfg.Log.WarnContext(ctx, "the changelog does not begin where the group says: it is read as a whole", "partition", p.id, "from", at.start, "error", err)
		found, err = n.replay(ctx, p, from, to)
	}
	if err != nil {
		return nil, err
	}
	if from > 0 && found.Position() == (state.Position{}) { // compaction doesn't do that
		return nil, fmt.Errorf("%w: %s, partition %d, has nothing and begins at offset %d: something was there", ErrLost, n.cfg.State, p.id, from)
	}
	return found, n.fits(ctx, p.id, found.Position(), at)
}

// replay reads the changelog.
func (n *session) replay(ctx context.Context, p *partition, from, to int64) (*state.Partition, error) {
	r := state.NewRestorer(p.id)
	err := n.scan(ctx, n.cfg.State, p.id, from, to, func(r2 *kgo.Record) error { return r.Add(r2.Key, r2.Value, r2.Offset) }, func(at int64) {
		n.restoring(p, fmt.Errorf("a transaction is open at offset %d of %s: it is waited for, up to %s", at, n.cfg.State, n.cfg.TransactionTimeout))
	})
	if err != nil {
		return nil, err
	}
	return r.Finish()
}

// fits holds a state against the group's offset, and against the topic that it should be of.
func (n *session) fits(ctx context.Context, id int32, at state.Position, group committed) error {
	if group.offset >= 0 && group.offset != at.Next {
		return fmt.Errorf("%w: group %s is at offset %d of %s, partition %d, and the state in %s at %d", ErrLost, n.cfg.Group, group.offset, n.cfg.Events, id, n.cfg.State, at.Next)
	}
	first, end, err := n.bounds(ctx, n.cfg.Events, id)
	switch {
	case err != nil:
		return err
	case at.Next < first:
		return fmt.Errorf("%w: %s, partition %d, begins at offset %d, and what comes next is %d: retention has deleted it", ErrLost, n.cfg.Events, id, first, at.Next)
	case at.Next > end:
		return fmt.Errorf("%w: %s, partition %d, ends at offset %d, and the state is at %d: it is another topic, or has lost its end", ErrLost, n.cfg.Events, id, end, at.Next)
	case at.Next == 0 || at.Entry == 0 || at.Offset < first:
		return nil // there is nothing to compare
	}
	// The same topic: the last event that the state has is still that one.
	looked := false
	err = n.scan(ctx, n.cfg.Events, id, at.Offset, at.Offset+1, func(r *kgo.Record) error {
		looked = true
		if xxhash.Sum64(r.Value) != at.Sum {
			return fmt.Errorf("%w: the event at offset %d of %s, partition %d, is not entry %d, leg %d, which the state had there: it is another topic", ErrLost, at.Offset, n.cfg.Events, id, at.Entry, at.Leg)
		}
		return nil
	}, func(int64) {})
	if err == nil && !looked {
		err = fmt.Errorf("%w: there is no event at offset %d of %s, partition %d, where the state had entry %d, leg %d: it is another topic", ErrLost, at.Offset, n.cfg.Events, id, at.Entry, at.Leg)
	}
	return err
}

// bounds gives the first offset of a partition and the one behind its last.
func (n *session) bounds(ctx context.Context, topic string, id int32) (from, to int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.TransactionTimeout)
	defer cancel()
	one := func(list func(context.Context, ...string) (kadm.ListedOffsets, error)) (int64, error) {
		found, err := list(ctx, topic)
		if err != nil {
			return 0, fmt.Errorf("ask for the offsets of %s: %w", topic, err)
		}
		of, ok := found.Lookup(topic, id)
		if !ok {
			return 0, fmt.Errorf("ask for the offsets of %s: there is no partition %d", topic, id)
		}
		if of.Err != nil {
			return 0, fmt.Errorf("ask for the offsets of %s, partition %d: %w", topic, id, of.Err)
		}
		return of.Offset, nil
	}
	if from, err = one(n.admin.ListStartOffsets); err != nil {
		return 0, 0, err
	}
	to, err = one(n.admin.ListEndOffsets)
	return from, to, err
}

// scan reads the committed records of a partition from an offset up to another, and waits for transactions that are open in between. What compaction has left out isn't missed, but the
// last offset must exist.
func (n *session) scan(ctx context.Context, topic string, id int32, from, to int64, each func(*kgo.Record) error, stalled func(at int64)) error {
	if from >= to {
		return nil
	}
	client, err := n.cfg.client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {id: kgo.NewOffset().At(from)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxBytes(restoreFetch), kgo.FetchMaxPartitionBytes(restoreFetch), kgo.MaxConcurrentFetches(1),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for next := from; next < to; {
		polling, cancel := context.WithTimeout(ctx, stalledAfter)
		fetches := client.PollFetches(polling)
		cancel()
		if ctx.Err() != nil {
			return fmt.Errorf("read %s, partition %d: %w", topic, id, context.Cause(ctx))
		}
		for _, fault := range fetches.Errors() {
			if errors.Is(fault.Err, context.DeadlineExceeded) {
				stalled(next)
				continue
			}
			return fmt.Errorf("read %s, partition %d from offset %d: %w", topic, id, next, fault.Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			next = r.Offset + 1
			if r.Offset >= to || r.Attrs.IsControl() {
				continue
			}
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}
