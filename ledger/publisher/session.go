package publisher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/ledger"
)

// session is one life of a producer: from InitProducerID to its first error. Only one goroutine uses it.
type session struct {
	p      *Publisher
	client *kgo.Client
	adm    *kadm.Client
	at     checkpoint // committed
}

// connect makes the producer; nothing is sent yet.
func (p *Publisher) connect() (*session, error) {
	client, err := p.cfg.client(
		kgo.TransactionalID(p.cfg.TransactionalID),
		kgo.TransactionTimeout(p.cfg.AttemptTimeout),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), // as Java's: consumers can compute an account's partition
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(maxBufferedRecords),
	)
	if err != nil {
		return nil, err
	}
	return &session{p: p, client: client, adm: kadm.NewClient(client)}, nil
}

// maxBufferedRecords is how many records the Kafka client holds; what is produced beyond waits.
const maxBufferedRecords = 1 << 16

func (s *session) close() { s.client.Close() }

// fence takes a new producer epoch: whatever an older producer has open is aborted, or, if its commit was decided, completed before
// this returns, and it can write no more.
func (s *session) fence(ctx context.Context) error {
	if _, _, err := s.client.ProducerID(ctx); err != nil {
		return fmt.Errorf("taking the producer id: %w", err)
	}
	return nil
}

// open fences, finds the checkpoint and compares it with the stream and with the journal. term is the caller's, 0 if it has none yet.
func (s *session) open(ctx context.Context, term uint64) error {
	cfg := &s.p.cfg
	if err := cfg.ensureTopics(ctx, s.adm); err != nil {
		return err
	}
	if term != 0 {
		// We lost the broker, or another publisher fenced us: in that case don't fence it in return. Up to the last stable offset only:
		// our own transaction may still be open, and what is missed here is seen below.
		at, err := cfg.readCheckpoint(ctx, s.adm, s.p.shard, s.adm.ListCommittedOffsets)
		if err != nil {
			return err
		}
		if err := s.fencedBy(at, term); err != nil {
			return err
		}
	}
	if err := s.fence(ctx); err != nil {
		return err
	}
	at, err := cfg.readCheckpoint(ctx, s.adm, s.p.shard, s.adm.ListEndOffsets)
	if err != nil {
		return err
	}
	s.at = at
	if err := s.fencedBy(at, term); err != nil {
		return err
	}
	if published := s.p.published.Load(); term != 0 && (at.term < term || at.seq < published) {
		return fmt.Errorf("%w: the checkpoint was at %d in term %d and is at %d in term %d", ErrLost, published, term, at.seq, at.term)
	}
	if err := s.at.agrees(ctx, cfg, s.adm); err != nil {
		return err
	}
	return s.at.fits(ctx, cfg.Journal)
}

// fencedBy tells whether a checkpoint shows that another publisher has begun a term after ours.
func (s *session) fencedBy(at checkpoint, term uint64) error {
	if term == 0 || at.term <= term {
		return nil
	}
	return fmt.Errorf("%w: %s, in term %d; ours was %d", ErrFenced, at.owner, at.term, term)
}

// claim begins a new term: the owner of the stream is who wrote the latest. It makes the difference between being fenced by another
// publisher and by the broker, which does so after a restart or when a transaction took too long.
func (s *session) claim(ctx context.Context) (term uint64, err error) {
	if s.at.owner == s.p.owner { // an earlier claim whose outcome was unknown
		return s.at.term, nil
	}
	partitions, err := partitionsOf(ctx, s.adm, s.p.cfg.Events)
	if err == nil && partitions < 1 {
		err = errors.New("there are none")
	}
	if err != nil {
		return 0, fmt.Errorf("counting the partitions of %s: %w", s.p.cfg.Events, err)
	}
	next := s.at
	next.term, next.owner = s.at.term+1, s.p.owner
	if next.ends == nil {
		next.ends = make([]int64, partitions)
	}
	if err := s.begin(); err != nil {
		return 0, err
	}
	return next.term, s.commit(ctx, next)
}

func (s *session) begin() error {
	if err := s.client.BeginTransaction(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	return nil
}

// commit writes the checkpoint and commits. After an error the outcome is open; the next session sees it in the checkpoint.
func (s *session) commit(ctx context.Context, next checkpoint) error {
	r := next.record(s.p.cfg.Checkpoints)
	if err := s.produce(ctx, []*kgo.Record{r}); err != nil {
		return fmt.Errorf("writing the checkpoint: %w", err)
	}
	if err := s.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	s.at = next
	return nil
}

// publish sends a batch and the checkpoint behind it in one transaction.
func (s *session) publish(ctx context.Context, b *batch) error {
	began := time.Now()
	if err := s.begin(); err != nil {
		return err
	}
	if err := s.produce(ctx, b.records); err != nil {
		return fmt.Errorf("writing the events of %s: %w", b, err)
	}
	next := s.at
	next.seq, next.hash, next.ends = b.last.ID.Seq(), b.last.Hash, slices.Clone(s.at.ends)
	for _, r := range b.records {
		if r.Partition < 0 || int(r.Partition) >= len(next.ends) {
			return fmt.Errorf("%w: %s got a partition %d, it had %d", ErrLost, r.Topic, r.Partition, len(next.ends))
		}
		// The offset is -1 where a retry was recognised so late that the broker knew it no more; then the end is a little low.
		next.ends[r.Partition] = max(next.ends[r.Partition], r.Offset+1)
	}
	if err := s.commit(ctx, next); err != nil {
		return err
	}
	s.p.metrics.committed(b, time.Since(began))
	return nil
}

// produce sends records and waits until all are acknowledged, or one is refused, or ctx ends.
func (s *session) produce(ctx context.Context, records []*kgo.Record) error {
	var (
		once   sync.Once
		first  error
		failed = make(chan struct{})
	)
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			once.Do(func() { first = err; close(failed) })
		}
	}
	flushCtx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-failed:
			stop()
		case <-flushCtx.Done():
		}
	}()
	for _, r := range records {
		s.client.Produce(flushCtx, r, promise)
	}
	err := s.client.Flush(flushCtx)
	select {
	case <-failed:
		if errors.Is(first, context.Canceled) && ctx.Err() != nil {
			return ctx.Err()
		}
		return first
	default:
		return err
	}
}

// batch is what one transaction publishes: whole entries, consecutive.
type batch struct {
	first, last *ledger.Entry
	records     []*kgo.Record
	entries     int
	bytes       int
}

// String names the batch in errors.
func (b *batch) String() string {
	return fmt.Sprintf("%s to %s", place(b.first.ID), place(b.last.ID))
}

func (b *batch) add(ev *entryEvents) {
	if b.first == nil {
		b.first = ev.entry
	}
	b.last = ev.entry
	b.entries++
	b.bytes += ev.bytes
	for i := range ev.records {
		b.records = append(b.records, &ev.records[i])
	}
}
