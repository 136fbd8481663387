package bankstream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/bankstream/state"
	"github.com/bkledger/bk/ledger/publisher"
)

// work is what one transaction does of one partition.
type work struct {
	*session
	p       *partition
	records []*kgo.Record
	refused *refusal
	skip    *skipping

	overlay  *state.Overlay
	position state.Position
	events   int // of BK's, done
	skipped  bool
	stopped  error // why it did not come to the end; nil where time was up
	poison   bool
	cut      bool // it did not come to the end
	output   output
}

// round makes one transaction of what was fetched.
func (n *session) round(ctx context.Context, fetches kgo.Fetches) error {
	works, err := n.divide(fetches)
	if err != nil || len(works) == 0 {
		return err
	}
	began := time.Now()
	if err := n.kafka.Begin(); err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	t := &transaction{session: n, works: works}
	t.answer = t.produced

	// Beside each other: a partition's state is its own. When Run's context ends, what is done by then is committed.
	translating, cancel := context.WithTimeout(ctx, n.cfg.TransactionTimeout/4)
	defer cancel()
	var all sync.WaitGroup
	for _, w := range works {
		all.Go(func() { w.translate(translating, t) })
	}
	all.Wait()
	ended, err := t.end(ctx)
	if err != nil {
		return err
	}
	n.after(works, ended)
	n.metrics.transaction(works, ended, time.Since(began))
	return nil
}

// divide gives what is to be done for each partition that is read.
func (n *session) divide(fetches kgo.Fetches) (works []*work, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	known := map[int32]*work{}
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := n.partitions[f.Partition]
		if p == nil || p.phase != Running {
			return // it has been taken; the transaction is aborted then
		}
		if f.LastStableOffset > 0 {
			p.end = f.LastStableOffset
		}
		if len(f.Records) == 0 {
			return
		}
		if w := known[p.id]; w != nil {
			w.records = append(w.records, f.Records...)
			return
		}
		at := p.state.Position()
		if first := f.Records[0].Offset; first < at.Next {
			err = errors.Join(err, fmt.Errorf("partition %d: Kafka gave offset %d again, the state is at %d", p.id, first, at.Next))
		}
		known[p.id] = &work{session: n, p: p, records: f.Records, refused: p.refused, skip: p.skip, overlay: p.state.Overlay(), position: at}
		works = append(works, known[p.id])
	})
	return works, err
}

// translate does records until one can't be done now, or time is up.
func (w *work) translate(ctx context.Context, t *transaction) {
	var last []byte
	defer func() {
		if last != nil {
			w.position.Sum = xxhash.Sum64(last)
		}
	}()
	for _, r := range w.records {
		if err := ctx.Err(); err != nil {
			w.cut = true
			return
		}
		if r.Attrs.IsControl() { // a transaction's marker
			w.position.Next = r.Offset + 1
			continue
		}
		in, err := read(&w.p.reader, r)
		switch {
		case w.skip != nil && w.skip.offset == r.Offset:
			w.overlay.Skip(state.Skip{Offset: r.Offset, Entry: in.id, Leg: in.Leg, At: time.Now().UTC().Truncate(time.Millisecond), Who: w.skip.who, Why: w.skip.why, Error: w.skip.poison})
			w.skipped = true
			err = nil
		case err != nil:
			err = fmt.Errorf("%w: %w", rehydrate.ErrPoison, err)
		case w.refused != nil && w.refused.offset == r.Offset:
			err = fmt.Errorf("%w: %w", rehydrate.ErrPoison, w.refused.err)
		default:
			err = w.tell(ctx, t, r, in)
		}
		if err != nil {
			w.stopped, w.cut, w.poison = err, true, errors.Is(err, rehydrate.ErrPoison)
			return
		}
		w.position = state.Position{Next: r.Offset + 1, Offset: r.Offset, Entry: in.id, Leg: in.Leg}
		last = r.Value
		w.events++
	}
}

// tell translates one record and produces what it gives. What passes may be tried again for a while; nothing has happened if there is an error.
func (w *work) tell(ctx context.Context, t *transaction, r *kgo.Record, in input) error {
	var began time.Time
	for pause := 5 * time.Millisecond; ; pause *= 2 {
		w.overlay.Mark()
		events, err := w.cfg.Translator.Apply(ctx, w.overlay, in.Record)
		var base int64
		var owned bool
		if err == nil && len(events) > 0 && w.cfg.Owner != nil {
			base, owned, err = w.cfg.Owner.Of(ctx, in.Entry.GetSequence())
		}
		if err == nil {
			for i := range events {
				t.produce(ctx, &w.output, &events[i], in, base, owned)
			}
			return nil
		}
		w.overlay.Rollback()
		if began.IsZero() {
			began = time.Now()
		}
		if errors.Is(err, rehydrate.ErrPoison) || time.Since(began)+pause > w.cfg.RetryFor {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// input is an event of BK's.
type input struct {
	rehydrate.Record
	id   int64 // of the entry
	text []byte
	key  []byte
}

// read gives an event as its record has it. Its entry stands until the reader's next one.
func read(by *rehydrate.Reader, r *kgo.Record) (in input, err error) {
	var seen int
	for i := range r.Headers {
		h := &r.Headers[i]
		to, most := (*int)(nil), int64(math.MaxInt32)
		switch h.Key {
		case publisher.HeaderEntryID:
			in.text, most = h.Value, math.MaxInt64
		case publisher.HeaderLeg:
			to = &in.Leg
		case publisher.HeaderLegs:
			to = &in.Legs
		default:
			continue
		}
		n, err := strconv.ParseInt(string(h.Value), 10, 64)
		if err != nil || n < 0 || n > most {
			return in, fmt.Errorf("its header %s is %q", h.Key, h.Value)
		}
		seen++
		if to == nil {
			in.id = n
		} else {
			*to = int(n)
		}
	}
	if seen != 3 || in.Leg >= in.Legs {
		return in, fmt.Errorf("it is none of BK's events: of the headers %s, %s and %s there are %d, leg %d of %d",
			publisher.HeaderEntryID, publisher.HeaderLeg, publisher.HeaderLegs, seen, in.Leg, in.Legs)
	}
	if in.Entry, err = by.Read(r.Value); err != nil {
		return in, err
	}
	if in.Entry.GetId() != in.id {
		return in, fmt.Errorf("its header %s is %d, its value is of entry %d", publisher.HeaderEntryID, in.id, in.Entry.GetId())
	}
	in.By, in.key = by, r.Key
	if account, err := strconv.ParseInt(string(r.Key), 10, 64); err == nil { // else a day's or an instrument's
		in.Account = account
	}
	return in, nil
}

// from reports whether an event came of this record.
func (in *input) from(entry string, e *bank.Event) bool {
	return string(in.text) == entry && (e.Kind == bank.EventRolled || string(in.key) == e.Key())
}

// after sees to the partitions behind a transaction.
func (n *session) after(works []*work, committed bool) {
	if !committed { // all go on from their states
		running := n.running()
		n.seek(running)
		n.mu.Lock()
		defer n.mu.Unlock()
		n.stops(works)
		return
	}
	n.mu.Lock()
	for _, w := range works {
		p := w.p
		p.look()
		if w.events > 0 {
			p.backoff, p.refused = n.cfg.BackoffMin, nil
		}
		if w.skipped {
			n.cfg.Log.Warn("an event was left out", "partition", p.id, "offset", w.skip.offset, "who", w.skip.who, "why", w.skip.why, "error", w.skip.poison)
			if p.skip == w.skip {
				p.skip = nil
			}
			w.skip.done <- nil
		}
	}
	cut := n.stops(works)
	n.mu.Unlock()
	n.seek(cut)
}

// stops says of partitions that did not come to the end why, and lets them wait. It gives all that must be read again. The mutex is held.
func (n *session) stops(works []*work) (again []*partition) {
	for _, w := range works {
		p := w.p
		if !w.cut || n.partitions[p.id] != p {
			continue
		}
		again = append(again, p)
		if w.stopped == nil {
			continue
		}
		p.at = w.position.Next
		n.client.PauseFetchPartitions(map[string][]int32{n.cfg.Events: {p.id}})
		if w.poison {
			p.at = w.stoppedAt()
			p.enter(Poisoned, w.stopped)
			n.metrics.poisoned.Inc()
			n.cfg.Log.Error("a partition stands at an event that can't be told: see to it, or skip it", "partition", p.id, "offset", p.at, "error", w.stopped)
			continue
		}
		if w.events > 0 {
			p.backoff = n.cfg.BackoffMin
		}
		p.enter(Waiting, w.stopped)
		p.retryAt = time.Now().Add(jitter(p.backoff))
		p.backoff = min(2*p.backoff, n.cfg.BackoffMax)
		n.metrics.retries.Inc()
		n.cfg.Log.Warn("a partition waits, it is tried again", "partition", p.id, "offset", w.stoppedAt(), "error", w.stopped)
	}
	return again
}

// stoppedAt is the offset of the record that could not be done.
func (w *work) stoppedAt() int64 {
	for _, r := range w.records {
		if r.Offset >= w.position.Next && !r.Attrs.IsControl() {
			return r.Offset
		}
	}
	return w.position.Next
}
