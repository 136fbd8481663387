package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger/publisher"
)

// streamCheck reads the events as a consumer of committed records does, and holds them against the journal.
type streamCheck struct {
	*verdict
	journal    *journalCheck
	last       map[int32]place  // by partition
	partitions map[string]int32 // by key
	events     int
}

// place is an event's place in the order of its partition.
type place struct{ seq, leg uint64 }

func newStreamCheck(v *verdict, j *journalCheck) *streamCheck {
	return &streamCheck{verdict: v, journal: j, last: map[int32]place{}, partitions: map[string]int32{}}
}

// run reads all partitions to their ends.
func (s *streamCheck) run(ctx context.Context, brokers string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(publisher.DefaultEvents),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.KeepControlRecords()) // a partition may end with them: the end is reached with its last offset
	if err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	defer client.Close()
	ends, err := s.ends(ctx, kadm.NewClient(client))
	if err != nil {
		return fmt.Errorf("read the stream: %w", err)
	}
	partitions := len(ends)
	for len(ends) > 0 {
		poll, cancel := context.WithTimeout(ctx, patience)
		fetches := client.PollFetches(poll)
		cancel()
		if err := fetches.Err(); err != nil {
			return fmt.Errorf("read the stream: %d of %d partitions: %w", len(ends), partitions, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				s.record(r)
			}
			if end, open := ends[r.Partition]; open && r.Offset >= end-1 {
				delete(ends, r.Partition)
			}
		})
	}
	s.conclude(partitions)
	return nil
}

// ends gives where the partitions that hold anything end. No transaction may be left open: consumers would hang at it.
func (s *streamCheck) ends(ctx context.Context, adm *kadm.Client) (map[int32]int64, error) {
	all, err := adm.ListEndOffsets(ctx, publisher.DefaultEvents)
	if err != nil {
		return nil, err
	}
	committed, err := adm.ListCommittedOffsets(ctx, publisher.DefaultEvents)
	if err := errors.Join(err, all.Error(), committed.Error()); err != nil {
		return nil, err
	}
	ends := map[int32]int64{}
	all.Each(func(o kadm.ListedOffset) {
		stable, _ := committed.Lookup(o.Topic, o.Partition)
		if stable.Offset != o.Offset {
			s.breach("stream: partition %d ends at %d and is committed up to %d: a transaction was left open", o.Partition, o.Offset, stable.Offset)
		}
		if stable.Offset > 0 {
			ends[o.Partition] = stable.Offset
		}
	})
	return ends, nil
}

func (s *streamCheck) record(r *kgo.Record) {
	s.events++
	head := map[string]string{}
	for _, h := range r.Headers {
		head[h.Key] = string(h.Value)
	}
	seq, err1 := strconv.ParseUint(head[publisher.HeaderSeq], 10, 64)
	leg, err2 := strconv.ParseUint(head[publisher.HeaderLeg], 10, 64)
	legs, err3 := strconv.ParseUint(head[publisher.HeaderLegs], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil || seq == 0 || seq > uint64(len(s.journal.stream)) {
		s.breach("stream: partition %d, offset %d is no event of the journal: headers %v", r.Partition, r.Offset, head)
		return
	}
	if last, at := s.last[r.Partition], (place{seq, leg}); at.seq < last.seq || at.seq == last.seq && at.leg <= last.leg && last.seq != 0 {
		s.breach("stream: partition %d, offset %d: entry %d leg %d follows entry %d leg %d", r.Partition, r.Offset, seq, leg, last.seq, last.leg)
	}
	s.last[r.Partition] = place{seq, leg}
	if p, known := s.partitions[string(r.Key)]; known && p != r.Partition {
		s.breach("stream: key %s is on the partitions %d and %d", r.Key, p, r.Partition)
	}
	s.partitions[string(r.Key)] = r.Partition
	want := &s.journal.stream[seq-1]
	if legs != uint64(len(want.keys)) || leg >= legs {
		s.breach("stream: entry %d leg %d of %d, the journal gives %d", seq, leg, legs, len(want.keys))
		return
	}
	if want.seen&(1<<leg) != 0 {
		s.breach("stream: entry %d leg %d is there twice, again on partition %d, offset %d", seq, leg, r.Partition, r.Offset)
	}
	want.seen |= 1 << leg
	if key := want.keys[leg].String(); key != string(r.Key) {
		s.breach("stream: entry %d leg %d has the key %s, not %s", seq, leg, r.Key, key)
	}
	event := &bkv1.Event{}
	if err := proto.Unmarshal(r.Value, event); err != nil {
		s.breach("stream: entry %d leg %d can't be read: %v", seq, leg, err)
		return
	}
	if e := event.Entry; uint64(e.GetSequence()) != seq || e.GetKey() != want.key || string(e.GetHash()) != string(want.hash[:]) {
		s.breach("stream: entry %d leg %d holds entry %d of another journal", seq, leg, e.GetSequence())
	}
}

// String is the key of the Kafka record.
func (k eventKey) String() string {
	switch k.what {
	case byInstrument:
		return "instrument/" + strconv.FormatInt(k.id, 10)
	case byDay:
		return "day"
	}
	return strconv.FormatInt(k.id, 10)
}

func (s *streamCheck) conclude(partitions int) {
	missing, want := 0, 0
	for i := range s.journal.stream {
		e := &s.journal.stream[i]
		want += len(e.keys)
		for leg := range e.keys {
			if e.seen&(1<<leg) == 0 {
				missing++
				s.breach("stream: entry %d leg %d is not there", i+1, leg)
			}
		}
	}
	s.checked("stream: %d events on %d partitions, read committed: each leg of the journal's %d once, in order; %d missing", s.events, partitions, want, missing)
}
