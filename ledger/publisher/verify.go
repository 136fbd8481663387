package publisher

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
)

// MaxBreaches is how many breaches a report tells; the others are counted.
const MaxBreaches = 1000

// Breach is one place where the stream isn't the journal.
type Breach struct {
	Shard uint16
	Seq   uint64 // 0 where no entry can be named
	What  string
}

// Report is what [Publisher.Verify] found.
type Report struct {
	Shard       uint16
	Checkpoint  uint64   // the stream must hold the entries from 1 to here
	Entries     uint64   // compared so far
	Events      uint64   // found in the stream and equal to what the journal gives
	Foreign     uint64   // events of other shards, skipped
	Breaches    []Breach // the first MaxBreaches
	BreachCount uint64
}

// OK says that there is no breach.
func (r Report) OK() bool { return r.BreachCount == 0 }

// Verify compares the stream with the journal, byte by byte and both ways: every event of every entry up to the checkpoint is there,
// once, under the right key, on the key's partition, in journal order, with the headers, the time and the value that the entry gives;
// and nothing else is there. It reads what is committed below the ends that the topic has at the start, so a publisher may go on
// meanwhile. progress, if not nil, is called from time to time, never twice at once, with counts so far (without breaches).
//
// Each partition is merged with what the journal says it must hold, in lockstep. So memory is bounded by 4 chunks of 1024 entries and
// two fetches a partition, however long the stream is.
//
// Breaches are no error; an error says that the comparison couldn't be made.
func (p *Publisher) Verify(ctx context.Context, progress func(Report)) (Report, error) {
	client, err := p.cfg.client()
	if err != nil {
		return Report{}, err
	}
	defer client.Close()
	v := &verifier{cfg: &p.cfg, shard: p.shard, adm: kadm.NewClient(client), progress: progress}
	if err := v.run(ctx); err != nil {
		return v.report(), fmt.Errorf("verifying the stream of shard %d: %w", p.shard, err)
	}
	return v.report(), nil
}

type verifier struct {
	cfg      *Config
	shard    uint16
	adm      *kadm.Client
	progress func(Report)

	must    uint64 // the checkpoint at the start
	entries atomic.Uint64
	events  atomic.Uint64
	foreign atomic.Uint64
	last    atomic.Uint64 // the highest sequence number seen in the stream

	mu          sync.Mutex
	breaches    []Breach
	breachCount uint64
}

func (v *verifier) breach(seq uint64, format string, args ...any) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.breachCount++; len(v.breaches) < MaxBreaches {
		v.breaches = append(v.breaches, Breach{v.shard, seq, fmt.Sprintf(format, args...)})
	}
}

func (v *verifier) report() Report {
	v.mu.Lock()
	defer v.mu.Unlock()
	return Report{Shard: v.shard, Checkpoint: v.must, Entries: v.entries.Load(), Events: v.events.Load(), Foreign: v.foreign.Load(),
		Breaches: v.breaches, BreachCount: v.breachCount}
}

func (v *verifier) run(ctx context.Context) error {
	for _, topic := range []string{v.cfg.Events, v.cfg.Checkpoints} {
		switch n, err := partitionsOf(ctx, v.adm, topic); {
		case err != nil:
			return err
		case n == 0: // Run makes both before anything else
			v.breach(0, "there is no topic %s", topic)
			return nil
		}
	}
	at, err := v.checkpoint(ctx)
	if err != nil {
		return err
	}
	v.must = at.seq
	// High watermarks, taken after the checkpoint was read: all that it counts is below them.
	ends, err := listOffsets(ctx, v.adm.ListEndOffsets, v.cfg.Events)
	if err != nil {
		return err
	}
	starts, err := listOffsets(ctx, v.adm.ListStartOffsets, v.cfg.Events)
	if err != nil {
		return err
	}
	if at.term > 0 && len(at.ends) != len(ends) {
		v.breach(at.seq, "%s has %d partitions, the checkpoint says %d", v.cfg.Events, len(ends), len(at.ends))
	}
	for i := range min(len(at.ends), len(ends)) {
		if ends[i] < at.ends[i] {
			v.breach(at.seq, "partition %d ends at offset %d, the checkpoint says %d", i, ends[i], at.ends[i])
		}
	}
	if err := v.merge(ctx, starts, ends); err != nil {
		return err
	}
	// All that was seen is committed, so its checkpoint is too.
	if at, err = v.checkpoint(ctx); err != nil {
		return err
	}
	if last := v.last.Load(); last > at.seq {
		v.breach(last, "the stream goes up to %d, the checkpoint says %d", last, at.seq)
	}
	return nil
}

// checkpoint reads the checkpoint; one that doesn't fit the journal is a breach.
func (v *verifier) checkpoint(ctx context.Context) (checkpoint, error) {
	at, err := v.cfg.readCheckpoint(ctx, v.adm, v.shard, v.adm.ListEndOffsets)
	if err == nil {
		err = at.fits(ctx, v.cfg.Journal)
	}
	if permanent(err) {
		v.breach(at.seq, "checkpoint: %v", err)
		err = nil
	}
	return at, err
}

// expected is what one partition must hold for a run of entries.
type expected struct {
	upTo   uint64 // sequence number of the run's last entry
	events []expectedEvent
}

type expectedEvent struct {
	seq    uint64
	leg    int
	record *kgo.Record
}

func (v *verifier) merge(ctx context.Context, starts, ends []int64) error {
	g, ctx := errgroup.WithContext(ctx)
	partitions := make([]*partitionCheck, len(ends))
	for i := range ends {
		pc := &partitionCheck{verifier: v, partition: int32(i), feed: make(chan expected, 1), done: make(chan struct{})}
		partitions[i] = pc
		g.Go(func() error {
			defer close(pc.done)
			return pc.run(ctx, span{starts[i], ends[i]})
		})
	}
	g.Go(func() error {
		defer func() {
			for _, pc := range partitions {
				close(pc.feed)
			}
		}()
		return v.expect(ctx, partitions)
	})
	return g.Wait()
}

// expect reads the journal and tells each partition what it must hold, until all have seen enough.
func (v *verifier) expect(ctx context.Context, partitions []*partitionCheck) error {
	place := kgo.StickyKeyPartitioner(nil).ForTopic(v.cfg.Events)
	told := time.Now()
	for after := uint64(0); ; {
		entries, err := v.cfg.Journal.Read(ctx, after, chunk)
		if err != nil {
			return fmt.Errorf("reading the journal after %d:%d: %w", v.shard, after, err)
		}
		if len(entries) == 0 {
			return nil
		}
		if err := consecutive(v.shard, after, entries); err != nil {
			return err
		}
		events, err := v.cfg.makeAll(entries)
		if err != nil {
			return err
		}
		after += uint64(len(entries))
		parts := make([]expected, len(partitions))
		for i := range events {
			ev := &events[i]
			for leg := range ev.records {
				at := &parts[place.Partition(&ev.records[leg], len(parts))]
				at.events = append(at.events, expectedEvent{ev.entry.ID.Seq(), leg, &ev.records[leg]})
			}
		}
		listening := false
		for i, pc := range partitions {
			parts[i].upTo = after
			select {
			case pc.feed <- parts[i]:
				listening = true
			case <-pc.done:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if !listening {
			return nil
		}
		v.entries.Store(min(after, v.must))
		if v.progress != nil && time.Since(told) > 200*time.Millisecond {
			told = time.Now()
			r := v.report()
			r.Breaches = nil
			v.progress(r)
		}
	}
}
