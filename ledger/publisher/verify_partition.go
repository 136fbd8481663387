package publisher

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// partitionCheck merges one partition with what it must hold.
type partitionCheck struct {
	*verifier
	partition int32
	feed      chan expected
	done      chan struct{} // closed when nothing more is wanted from feed

	now   expected
	ended bool // the journal has no more
}

func (pc *partitionCheck) run(ctx context.Context, s span) error {
	if s.from < s.to {
		err := pc.cfg.scan(ctx, pc.cfg.Events, map[int32]span{pc.partition: s}, func(r *kgo.Record) error { return pc.record(ctx, r) })
		if err != nil {
			return err
		}
	}
	// The partition has no more. What the checkpoint counts must have come.
	for {
		ex, err := pc.next(ctx, pc.must)
		if err != nil || ex == nil || ex.seq > pc.must {
			return err
		}
		pc.missing(ex)
	}
}

// next gives the first event that hasn't come yet, nil if the journal has none up to a sequence number.
func (pc *partitionCheck) next(ctx context.Context, upTo uint64) (*expectedEvent, error) {
	for len(pc.now.events) == 0 {
		if pc.ended || pc.now.upTo >= upTo {
			return nil, nil
		}
		select {
		case ex, ok := <-pc.feed:
			if pc.ended = !ok; ok {
				pc.now = ex
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return &pc.now.events[0], nil
}

func (pc *partitionCheck) missing(ex *expectedEvent) {
	pc.breach(ex.seq, "event %d (key %s) is missing on partition %d", ex.leg, ex.record.Key, pc.partition)
	pc.now.events = pc.now.events[1:]
}

// record compares the partition's next record.
func (pc *partitionCheck) record(ctx context.Context, r *kgo.Record) error {
	h, err := parseHeaders(r)
	if err != nil {
		pc.breach(0, "partition %d, offset %d: %v", pc.partition, r.Offset, err)
		return nil
	}
	if h.shard != pc.shard {
		pc.foreign.Add(1)
		return nil
	}
	for seen := pc.last.Load(); h.seq > seen && !pc.last.CompareAndSwap(seen, h.seq); {
		seen = pc.last.Load()
	}
	for {
		ex, err := pc.next(ctx, h.seq)
		switch {
		case err != nil:
			return err
		case ex == nil || h.seq < ex.seq || h.seq == ex.seq && h.leg < ex.leg:
			what := "is there twice, out of order, or was never due there"
			if ex == nil && pc.ended {
				what = "is beyond the journal's end"
			}
			pc.breach(h.seq, "event %d (key %s) on partition %d, offset %d, %s", h.leg, r.Key, pc.partition, r.Offset, what)
			return nil
		case h.seq == ex.seq && h.leg == ex.leg:
			if err := sameRecord(r, ex.record); err != nil {
				pc.breach(h.seq, "event %d on partition %d, offset %d: %v", h.leg, pc.partition, r.Offset, err)
			} else {
				pc.events.Add(1)
			}
			pc.now.events = pc.now.events[1:]
			return nil
		}
		pc.missing(ex)
	}
}

// sameRecord says what is different.
func sameRecord(got, want *kgo.Record) error {
	var errs []error
	if !bytes.Equal(got.Key, want.Key) {
		errs = append(errs, fmt.Errorf("the key is %q, not %q", got.Key, want.Key))
	}
	if !bytes.Equal(got.Value, want.Value) {
		errs = append(errs, errors.New("the value is not what the entry gives"))
	}
	if got.Timestamp.UnixMilli() != want.Timestamp.UnixMilli() {
		errs = append(errs, fmt.Errorf("the time is %s, not %s", got.Timestamp.UTC(), want.Timestamp.UTC()))
	}
	if len(got.Headers) != len(want.Headers) {
		errs = append(errs, fmt.Errorf("it has %d headers, not %d", len(got.Headers), len(want.Headers)))
	}
	for i := range min(len(got.Headers), len(want.Headers)) {
		if g, w := &got.Headers[i], &want.Headers[i]; g.Key != w.Key || !bytes.Equal(g.Value, w.Value) {
			errs = append(errs, fmt.Errorf("a header is %s=%q, not %s=%q", g.Key, g.Value, w.Key, w.Value))
		}
	}
	return errors.Join(errs...)
}
