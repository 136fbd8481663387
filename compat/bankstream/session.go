package bankstream

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	pollFor     = 100 * time.Millisecond // one poll, at most: partitions may begin or go on
	pollMore    = 2 * time.Millisecond   // behind one that had records
	closeWithin = 5 * time.Second
	openWithin  = 30 * time.Second

	maxBufferedRecords = 1 << 16
)

// session is one life of a member of the group: from its joining to its first error.
type session struct {
	*Service
	kafka  *kgo.GroupTransactSession
	client *kgo.Client
	admin  *kadm.Client
	topics topics
	ctx    context.Context // of restores
	cancel context.CancelFunc

	restores sync.WaitGroup

	mu         sync.Mutex
	partitions map[int32]*partition
	joined     bool
	moved      bool // partitions were taken since the last transaction
}

// open joins the group.
func (s *Service) open(ctx context.Context) (*session, error) {
	looking, err := s.cfg.client()
	if err != nil {
		return nil, err
	}
	defer looking.Close()
	opening, cancel := context.WithTimeout(ctx, openWithin)
	defer cancel()
	found, err := s.cfg.ensureTopics(opening, kadm.NewClient(looking))
	if err != nil {
		return nil, err
	}
	n := &session{Service: s, topics: found, partitions: map[int32]*partition{}}
	n.ctx, n.cancel = context.WithCancel(context.WithoutCancel(ctx)) // what is under way when ctx ends is finished
	n.mu.Lock()                                                      // it joins at once, and its callbacks wait
	n.kafka, err = kgo.NewGroupTransactSession(s.cfg.options(
		kgo.ConsumerGroup(s.cfg.Group), kgo.ConsumeTopics(s.cfg.Events), kgo.InstanceID(s.cfg.Instance),
		kgo.SessionTimeout(s.cfg.SessionTimeout), kgo.HeartbeatInterval(max(s.cfg.SessionTimeout/10, 100*time.Millisecond)), kgo.RebalanceTimeout(max(s.cfg.TransactionTimeout, s.cfg.SessionTimeout)),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords(), // so that the group's offset comes to the very end of a partition: the last offset is mostly a marker's
		// Little of each partition, so that there are many in a transaction: they are translated beside each other.
		kgo.FetchMaxBytes(int32(s.cfg.MaxBytes/4)), kgo.FetchMaxPartitionBytes(int32(s.cfg.MaxBytes/64)), kgo.MaxConcurrentFetches(2),
		kgo.OnPartitionsAssigned(n.assigned), kgo.OnPartitionsRevoked(n.revoked), kgo.OnPartitionsLost(n.revoked),
		kgo.OnOffsetsFetched(n.fetched), kgo.AdjustFetchOffsetsFn(beginning),
		kgo.TransactionalID(s.cfg.Group+"-"+s.cfg.Instance), kgo.TransactionTimeout(s.cfg.TransactionTimeout), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(partitioner{state: s.cfg.State}), kgo.ProducerBatchMaxBytes(min(found.maxMessage, 1<<20)), kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.ProducerLinger(0), kgo.MaxBufferedRecords(maxBufferedRecords), kgo.MaxBufferedBytes(s.cfg.MaxBytes),
	)...)
	if err != nil {
		n.mu.Unlock()
		n.cancel()
		return nil, fmt.Errorf("make a Kafka client: %w", err)
	}
	n.client = n.kafka.Client()
	n.admin = kadm.NewClient(n.client)
	n.mu.Unlock()
	// What an instance of this name left open is aborted now, and not when the first record is produced: restores wait for it.
	if _, _, err := n.client.ProducerID(opening); err != nil {
		n.close(false)
		return nil, fmt.Errorf("take the producer id %s: %w", s.cfg.Group+"-"+s.cfg.Instance, err)
	}
	return n, nil
}

// options adds those that all clients have.
func (c *Config) options(opts ...kgo.Opt) []kgo.Opt {
	all := append([]kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.ClientID("bk-stream"), kgo.WithLogger(kafkaLog{c.Log}),
		kgo.MetadataMinAge(100 * time.Millisecond), kgo.RetryTimeout(c.TransactionTimeout),
	}, opts...)
	return append(all, c.Options...)
}

func (c *Config) client(opts ...kgo.Opt) (*kgo.Client, error) {
	client, err := kgo.NewClient(c.options(opts...)...)
	if err != nil {
		return nil, fmt.Errorf("make a Kafka client: %w", err)
	}
	return client, nil
}

// partitioner puts the changelog's records where they say, and all others by key as Java's does.
type partitioner struct{ state string }

// ForTopic implements kgo.Partitioner.
func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	if topic == p.state {
		return kgo.ManualPartitioner().ForTopic(topic)
	}
	return kgo.StickyKeyPartitioner(nil).ForTopic(topic)
}

// close leaves: with the group's consent where the end is an orderly one, so that others take over at once.
func (n *session) close(leave bool) {
	n.cancel()
	n.mu.Lock()
	for id, p := range n.partitions {
		n.drop(id, p)
	}
	n.mu.Unlock()
	if leave { // a member with a name of its own is waited for, else
		ctx, cancel := context.WithTimeout(context.WithoutCancel(n.ctx), closeWithin)
		defer cancel()
		if _, err := n.admin.LeaveGroup(ctx, kadm.LeaveGroup(n.cfg.Group).Reason("shutdown").InstanceIDs(n.cfg.Instance)); err != nil {
			n.cfg.Log.WarnContext(ctx, "leaving the group failed, its partitions wait for the session's end", "error", err)
		}
	}
	n.kafka.CloseAllowingRebalance()
	n.restores.Wait()
}

// assigned begins to restore partitions. They aren't read until that is done.
func (n *session) assigned(_ context.Context, client *kgo.Client, given map[string][]int32) {
	client.PauseFetchPartitions(map[string][]int32{n.cfg.Events: given[n.cfg.Events]})
	n.mu.Lock()
	defer n.mu.Unlock()
	n.joined = true
	for _, id := range given[n.cfg.Events] {
		ctx, cancel := context.WithCancel(n.ctx)
		if old := n.partitions[id]; old != nil { // see reconcile
			n.drop(id, old)
		}
		p := &partition{id: id, cancel: cancel, group: make(chan committed, 1), backoff: n.cfg.BackoffMin}
		p.enter(Restoring, nil)
		n.partitions[id] = p
		n.restores.Go(func() { n.restore(ctx, p) })
	}
	if len(given[n.cfg.Events]) > 0 {
		n.cfg.Log.Info("partitions assigned", "partitions", given[n.cfg.Events])
	}
}

// revoked forgets partitions. A transaction that has some of them is aborted by the Kafka client's session.
func (n *session) revoked(_ context.Context, _ *kgo.Client, taken map[string][]int32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.moved = true
	for _, id := range taken[n.cfg.Events] {
		if p := n.partitions[id]; p != nil {
			n.drop(id, p)
		}
	}
	if len(taken[n.cfg.Events]) > 0 {
		n.cfg.Log.Info("partitions revoked", "partitions", taken[n.cfg.Events])
	}
}

// drop forgets a partition. The mutex is held.
func (n *session) drop(id int32, p *partition) {
	p.cancel()
	delete(n.partitions, id)
	if p.skip != nil {
		p.skip.done <- fmt.Errorf("partition %d has gone to another instance: ask that one", id)
		p.skip = nil
	}
}

// fetched takes the group's offsets of partitions that were assigned. All transactions that could change them are over: the Kafka client always asks for stable ones.
func (n *session) fetched(_ context.Context, _ *kgo.Client, found *kmsg.OffsetFetchResponse) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, group := range found.Groups {
		for _, topic := range group.Topics {
			for _, of := range topic.Partitions {
				p := n.partitions[of.Partition]
				if p == nil || of.ErrorCode != 0 {
					continue
				}
				at := committed{offset: of.Offset}
				if of.Metadata != nil {
					at.start = startIn(*of.Metadata)
				}
				select {
				case p.group <- at:
				default: // it has it
				}
			}
		}
	}
	return nil
}

// beginning makes partitions of which the group has no offset begin at 0; whether that's right is found when the state is restored.
func beginning(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	for _, partitions := range offsets {
		for id, at := range partitions {
			if at.EpochOffset().Offset < 0 {
				partitions[id] = kgo.NewOffset().At(0)
			}
		}
	}
	return offsets, nil
}

// The group's offsets carry where in the changelog a restore can begin.
const startPrefix = "state from "

func startText(start int64) string { return startPrefix + strconv.FormatInt(start, 10) }

// startIn is 0 where the text doesn't say it: the beginning is never wrong.
func startIn(metadata string) int64 {
	text, ok := strings.CutPrefix(metadata, startPrefix)
	start, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || start < 0 {
		return 0
	}
	return start
}

// run translates until something fails, or ctx ends.
func (n *session) run(ctx context.Context) error {
	for {
		if err := n.reconcile(ctx); err != nil {
			return err
		}
		n.goOn()
		fetches := n.poll(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := n.faults(fetches); err != nil {
			return err
		}
		if err := n.round(ctx, fetches); err != nil {
			return err
		}
	}
}

// poll waits for records, and takes what else is there: a transaction costs the same for few as for many.
func (n *session) poll(ctx context.Context) (all kgo.Fetches) {
	wait, left := pollFor, n.cfg.MaxRecords
	for {
		polling, cancel := context.WithTimeout(ctx, wait)
		fetches := n.kafka.PollRecords(polling, left)
		cancel()
		got := fetches.NumRecords()
		all, left, wait = append(all, fetches...), left-got, pollMore
		if got == 0 || left <= 0 || len(fetches.Errors()) > 0 {
			return all
		}
	}
}

// reconcile makes sure of two things after partitions were taken, while nothing that was polled is left: that the next transaction isn't aborted for it; and that none is
// held for ours which isn't, since the Kafka client's session tells only the first time before a transaction's end.
func (n *session) reconcile(ctx context.Context) error {
	n.mu.Lock()
	moved := n.moved
	n.moved = false
	n.mu.Unlock()
	if !moved {
		return nil
	}
	ending, cancel := context.WithTimeout(ctx, n.cfg.TransactionTimeout)
	defer cancel()
	if _, err := n.kafka.End(ending, kgo.TryAbort); err != nil {
		return fmt.Errorf("end what partitions were taken from: %w", err)
	}
	ours := n.client.CommittedOffsets()[n.cfg.Events]
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, p := range n.partitions {
		if _, ok := ours[id]; !ok && p.state != nil {
			n.drop(id, p)
		}
	}
	return nil
}

// goOn begins with partitions whose state is there, and again with those that have waited long enough, or whose event is to be left out.
func (n *session) goOn() {
	n.mu.Lock()
	var begin []*partition
	for _, p := range n.partitions {
		switch {
		case p.restored:
			p.restored = false
			p.look()
		case p.phase == Waiting && time.Now().After(p.retryAt):
		case p.phase == Poisoned && p.skip != nil:
		default:
			continue
		}
		p.enter(Running, nil)
		begin = append(begin, p)
	}
	n.mu.Unlock()
	n.seek(begin)
	n.client.ResumeFetchPartitions(n.named(begin))
}

// seek makes the Kafka client read partitions from where their states are.
func (n *session) seek(partitions []*partition) {
	if len(partitions) == 0 {
		return
	}
	at := map[int32]kgo.EpochOffset{}
	for _, p := range partitions {
		at[p.id] = kgo.EpochOffset{Epoch: -1, Offset: p.state.Position().Next}
	}
	n.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{n.cfg.Events: at})
}

func (n *session) named(partitions []*partition) map[string][]int32 {
	ids := make([]int32, 0, len(partitions))
	for _, p := range partitions {
		ids = append(ids, p.id)
	}
	if len(ids) == 0 {
		return nil
	}
	return map[string][]int32{n.cfg.Events: ids}
}

// faults sees to what could not be fetched.
func (n *session) faults(fetches kgo.Fetches) error {
	for _, fault := range fetches.Errors() {
		loss := (*kgo.ErrDataLoss)(nil)
		switch {
		case errors.Is(fault.Err, context.DeadlineExceeded), errors.Is(fault.Err, context.Canceled):
		case errors.Is(fault.Err, kerr.FencedInstanceID):
			return fmt.Errorf("%w: %w", ErrFenced, fault.Err)
		case fault.Topic == n.cfg.Events && (errors.Is(fault.Err, kerr.OffsetOutOfRange) || errors.As(fault.Err, &loss)):
			n.halt(fault.Partition, fmt.Errorf("%w: %s does not have what comes next: %w", ErrLost, n.cfg.Events, fault.Err))
		case fault.Topic == "":
			return fmt.Errorf("be a member of group %s: %w", n.cfg.Group, fault.Err)
		default:
			return fmt.Errorf("read %s, partition %d: %w", fault.Topic, fault.Partition, fault.Err)
		}
	}
	return nil
}

// halt stops a partition for good.
func (n *session) halt(id int32, err error) {
	n.client.PauseFetchPartitions(map[string][]int32{n.cfg.Events: {id}})
	n.mu.Lock()
	defer n.mu.Unlock()
	if p := n.partitions[id]; p != nil && p.phase != Lost {
		p.enter(Lost, err)
		n.cfg.Log.Error("a partition stands: its history is lost", "partition", id, "error", err)
	}
}

// running gives the partitions that are read, as they are now.
func (n *session) running() []*partition {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.DeleteFunc(slices.Collect(maps.Values(n.partitions)), func(p *partition) bool { return p.phase != Running })
}

// jitter spreads pauses, so that instances don't move in step.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
