package bankstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/bankstream/state"
)

// transaction is one of Kafka's: what some partitions' records gave, the changes of their states, and the group's offsets.
type transaction struct {
	*session
	works  []*work
	writes []*write
	answer func(*kgo.Record, error) // produced, once for all

	mu     sync.Mutex
	failed *kgo.Record // the first that Kafka does not take
	err    error       // why
}

// write is what a partition's state adds to the changelog.
type write struct {
	*work
	*state.Write
	records []kgo.Record
	start   int64
}

// output makes records of events, for one goroutine. Records, headers and values are cut from larger pieces, which go when the Kafka client is done with all of a piece.
type output struct {
	text    []byte
	records []kgo.Record
	headers []kgo.RecordHeader
	fields  []byte
	count   int

	topic, shadow string // the last one's
}

const (
	pieceBytes   = 64 << 10
	pieceRecords = 128
)

// cut gives the bytes that append adds.
func (o *output) cut(room int, add func([]byte) []byte) []byte {
	if cap(o.text)-len(o.text) < room {
		o.text = make([]byte, 0, max(pieceBytes, room))
	}
	from := len(o.text)
	text := add(o.text)
	if &text[0] == &o.text[:1][0] { // it had room
		o.text = text
	}
	return text[from:len(text):len(text)]
}

func (o *output) record() *kgo.Record {
	if len(o.records) == cap(o.records) {
		o.records = make([]kgo.Record, 0, pieceRecords)
	}
	o.records = o.records[:len(o.records)+1]
	return &o.records[len(o.records)-1]
}

func (o *output) header(value []byte) []kgo.RecordHeader {
	if len(o.headers) == cap(o.headers) {
		o.headers = make([]kgo.RecordHeader, 0, pieceRecords)
	}
	o.headers = append(o.headers, kgo.RecordHeader{Key: HeaderEntry, Value: value})
	n := len(o.headers)
	return o.headers[n-1 : n : n]
}

// produce sends an event to its shadow topic, and to Bank's where the stream owns it.
func (t *transaction) produce(ctx context.Context, o *output, e *bank.Event, in input, base int64, owned bool) {
	o.fields = e.AppendFields(o.fields[:0])
	topic := e.Topic()
	if topic != o.topic {
		o.topic, o.shadow = topic, t.cfg.Shadow+topic
	}
	key := []byte{} // not nil: Bank's relay has it so
	if e.Kind != bank.EventRolled {
		key = o.cut(20, func(to []byte) []byte { return strconv.AppendInt(to, int64(e.AccountID), 10) })
	}
	headers := o.header(in.text)
	send := func(topic string, id int64) {
		r := o.record()
		*r = kgo.Record{Topic: topic, Key: key, Headers: headers, Timestamp: time.UnixMilli(e.At)}
		r.Value = o.cut(len(o.fields)+40, func(to []byte) []byte {
			to = strconv.AppendInt(append(to, `{"event_id":`...), id, 10)
			return append(append(to, ','), o.fields...)
		})
		o.count++
		t.kafka.Produce(ctx, r, t.answer)
	}
	send(o.shadow, e.ID)
	if owned {
		send(topic, base+e.ID)
	}
}

// produced notes what Kafka does not take.
func (t *transaction) produced(r *kgo.Record, err error) {
	if err == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.failed, t.err = r, err
	}
}

// fault gives the first that Kafka does not take; all that was produced has an answer.
func (t *transaction) fault() (*kgo.Record, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed, t.err
}

// end writes the states and commits. committed is false where it was aborted, in order, for a rebalance or for a record that Kafka refuses; an error ends the session.
func (t *transaction) end(ctx context.Context) (committed bool, err error) {
	// When Run's context ends the transaction gets some time to finish, so that consumers needn't wait for it to time out.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.cfg.TransactionTimeout)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(t.cfg.DrainTimeout):
			cancel()
		case <-ending.Done():
		}
	})
	defer stop()

	if err := t.write(ending); err != nil {
		return false, err
	}
	if err := t.client.Flush(ending); err != nil {
		return false, fmt.Errorf("wait for Kafka to have all records: %w", err)
	}
	r, fault := t.fault()
	if fault != nil || len(t.writes) == 0 {
		if _, err := t.kafka.End(ending, kgo.TryAbort); err != nil {
			return false, fmt.Errorf("abort a transaction: %w", errors.Join(err, fault))
		}
		if fault != nil && !t.refused(r, fault) {
			return false, fmt.Errorf("produce to %s: %w", r.Topic, fault)
		}
		return false, nil
	}
	for _, w := range t.writes {
		w.start = w.Start(w.offsets())
	}
	committed, err = t.kafka.End(kgo.PreTxnCommitFnContext(ending, t.offsets), kgo.TryCommit)
	if err != nil {
		return false, fmt.Errorf("commit a transaction: %w", err)
	}
	if committed {
		for _, w := range t.writes {
			w.Commit(w.offsets())
		}
	}
	return committed, nil
}

// write produces what the states add to the changelog.
func (t *transaction) write(ctx context.Context) error {
	for _, w := range t.works {
		if w.position == w.p.state.Position() {
			continue
		}
		adds, err := w.overlay.Write(w.position)
		if err != nil {
			return err
		}
		made := &write{work: w, Write: adds, records: make([]kgo.Record, len(adds.Records))}
		for i, r := range adds.Records {
			made.records[i] = kgo.Record{Topic: t.cfg.State, Partition: w.p.id, Key: r.Key, Value: r.Value}
			t.kafka.Produce(ctx, &made.records[i], t.answer)
		}
		t.writes = append(t.writes, made)
	}
	return nil
}

// offsets gives those that a write's records have in the changelog.
func (w *write) offsets() []int64 {
	at := make([]int64, len(w.records))
	for i := range w.records {
		at[i] = w.records[i].Offset
	}
	return at
}

// offsets makes the commit say how far each partition really came, and where its state's restore may begin.
func (t *transaction) offsets(commit *kmsg.TxnOffsetCommitRequest) error {
	byID := map[int32]*write{}
	for _, w := range t.writes {
		byID[w.p.id] = w
	}
	for i := range commit.Topics {
		kept := commit.Topics[i].Partitions[:0]
		for _, at := range commit.Topics[i].Partitions {
			w := byID[at.Partition]
			if w == nil {
				continue // nothing of it was done
			}
			if next := w.position.Next; next > at.Offset || next < at.Offset && !w.cut {
				return fmt.Errorf("partition %d: the Kafka client would commit offset %d, the state is at %d", at.Partition, at.Offset, next)
			}
			if w.cut {
				at.Offset, at.LeaderEpoch = w.position.Next, -1
			}
			at.Metadata = new(startText(w.start))
			kept = append(kept, at)
			delete(byID, at.Partition)
		}
		commit.Topics[i].Partitions = kept
	}
	for id := range byID {
		return fmt.Errorf("partition %d: it is no more ours: %w", id, kerr.RebalanceInProgress)
	}
	return nil
}

// refused finds the event that gave a record which Kafka will never take, and remembers it; ok is false where that isn't why it failed.
func (t *transaction) refused(r *kgo.Record, fault error) (ok bool) {
	if r.Topic == t.cfg.State || !errors.Is(fault, kerr.MessageTooLarge) && !errors.Is(fault, kerr.RecordListTooLarge) {
		return false
	}
	e, err := bank.ReadEvent(r.Value)
	if err != nil || len(r.Headers) != 1 {
		return false
	}
	entry := string(r.Headers[0].Value)
	var reader rehydrate.Reader
	t.session.mu.Lock()
	defer t.session.mu.Unlock()
	for _, w := range t.works {
		for _, from := range w.records {
			if from.Attrs.IsControl() {
				continue
			}
			in, err := read(&reader, from)
			if err == nil && in.from(entry, &e) {
				w.p.refused = &refusal{from.Offset, fmt.Errorf("Kafka does not take the event %s that it gives: %d bytes for %s: %w", e.Kind, len(r.Value), r.Topic, fault)}
				return true
			}
		}
	}
	return false
}
