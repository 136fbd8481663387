package publisher

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// span is the offsets from (inclusive) to (exclusive) of a partition.
type span struct{ from, to int64 }

// scan reads committed records of some partitions, and waits where a transaction in a span is still open. Records of a partition
// come in order, partitions mixed. The last offset of a span must exist (a high watermark is behind one; transaction markers count).
// It holds two fetches in memory, of 16 MiB at most each unless a single batch is larger.
func (c *Config) scan(ctx context.Context, topic string, spans map[int32]span, each func(*kgo.Record) error) error {
	if len(spans) == 0 {
		return nil
	}
	at := map[int32]kgo.Offset{}
	left := map[int32]int64{}
	for p, s := range spans {
		at[p] = kgo.NewOffset().At(s.from)
		left[p] = s.to
	}
	client, err := c.client(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: at}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // the last offset is mostly a marker's
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(4<<20), kgo.MaxConcurrentFetches(1),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("reading %s, %d partitions left: %w", topic, len(left), context.Cause(ctx))
		}
		for _, f := range fetches.Errors() {
			return fmt.Errorf("reading %s, partition %d: %w", topic, f.Partition, f.Err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			to, ok := left[r.Partition]
			if !ok {
				continue
			}
			if r.Offset < to && !r.Attrs.IsControl() {
				if err := each(r); err != nil {
					return err
				}
			}
			if r.Offset >= to-1 {
				delete(left, r.Partition)
				client.PauseFetchPartitions(map[string][]int32{topic: {r.Partition}})
			}
		}
	}
	return nil
}

// headerValues are the headers of an event as numbers.
type headerValues struct {
	shard     uint16
	seq       uint64
	leg, legs int
}

func parseHeaders(r *kgo.Record) (headerValues, error) {
	var v headerValues
	var seen int
	for i := range r.Headers {
		h := &r.Headers[i]
		bits := 63
		switch h.Key {
		case HeaderShard:
			bits = 15
		case HeaderLeg, HeaderLegs:
			bits = 31
		case HeaderSeq:
		default:
			continue
		}
		n, err := strconv.ParseUint(string(h.Value), 10, bits)
		if err != nil {
			return v, fmt.Errorf("header %s is %q, no number", h.Key, h.Value)
		}
		seen++
		switch h.Key {
		case HeaderShard:
			v.shard = uint16(n)
		case HeaderSeq:
			v.seq = n
		case HeaderLeg:
			v.leg = int(n)
		default:
			v.legs = int(n)
		}
	}
	if seen != 4 {
		return v, fmt.Errorf("%d of the headers %s, %s, %s, %s are there", seen, HeaderShard, HeaderSeq, HeaderLeg, HeaderLegs)
	}
	return v, nil
}

// offsetLister is one of kadm's methods: the first offsets, the last stable ones, or the high watermarks.
type offsetLister = func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error)

// listOffsets gives an offset for each partition of a topic.
func listOffsets(ctx context.Context, list offsetLister, topic string) ([]int64, error) {
	listed, err := list(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("listing the offsets of %s: %w", topic, err)
	}
	out := make([]int64, len(listed[topic]))
	for p, o := range listed[topic] {
		if p < 0 || int(p) >= len(out) {
			return nil, fmt.Errorf("listing the offsets of %s: partition %d of %d", topic, p, len(out))
		}
		out[p] = o.Offset
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("listing the offsets of %s: no partitions", topic)
	}
	return out, nil
}

// client makes a Kafka client with the configuration's options and these.
func (c *Config) client(opts ...kgo.Opt) (*kgo.Client, error) {
	all := append([]kgo.Opt{
		kgo.SeedBrokers(c.Brokers...), kgo.ClientID("bk-publisher"), kgo.WithLogger(kafkaLog{c.Log}),
		kgo.MetadataMinAge(100 * time.Millisecond), kgo.RetryTimeout(c.AttemptTimeout),
	}, c.Access.options()...)
	all = append(append(all, opts...), c.Kafka...)
	client, err := kgo.NewClient(all...)
	if err != nil {
		return nil, fmt.Errorf("making a Kafka client: %w", err)
	}
	return client, nil
}
