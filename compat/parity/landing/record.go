package landing

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// HeaderEntry is the header of the records that the façade's stream wrote: on Bank's topics they are not Bank's.
const HeaderEntry = "bk-entry"

// Origin is a partition that records come from.
type Origin struct {
	Topic
	Partition int32
}

// Record is a record of a partition.
type Record struct {
	Offset     int64
	Key, Value []byte
	// Event is the event itself, for a record that was never written: Key and Value are not looked at.
	Event *bank.Event
	// Stream says that the façade's stream wrote it.
	Stream bool
}

func (r *Record) size() int64 { return int64(len(r.Key) + len(r.Value)) }

// tally is what became of records of one partition.
type tally struct {
	events, rejects, skipped int64
	lastID, lastAt           int64
}

func (t *tally) add(o tally) {
	t.events += o.events
	t.rejects += o.rejects
	t.skipped += o.skipped
	t.lastID, t.lastAt = max(t.lastID, o.lastID), max(t.lastAt, o.lastAt)
}

// decoder makes rows of records. It is one goroutine's.
type decoder struct {
	store  Store
	tables map[string]*dialect.Table
	landed time.Time
	after  int64            // Bank's events up to this one are left out
	open   map[string]Chunk // by table: not full yet
	full   []Chunk
	buffer []byte
	scan   bank.EventScan
}

func newDecoder(store Store, tables map[string]*dialect.Table, landed time.Time, after int64) *decoder {
	return &decoder{store: store, tables: tables, landed: landed, after: after, open: map[string]Chunk{}}
}

// chunk gives a chunk of a table with room for a row.
func (d *decoder) chunk(table string) (Chunk, error) {
	if c := d.open[table]; c != nil {
		if !c.Full() {
			return c, nil
		}
		d.full = append(d.full, c)
		delete(d.open, table)
	}
	c, err := d.store.NewChunk(d.tables[table])
	if err != nil {
		return nil, fmt.Errorf("make room for rows of %s: %w", table, err)
	}
	d.open[table] = c
	return c, nil
}

// chunks gives all that was filled.
func (d *decoder) chunks() []Chunk {
	for _, c := range d.open {
		if c.Rows() > 0 {
			d.full = append(d.full, c)
		} else {
			c.Release()
		}
	}
	d.open = nil
	return d.full
}

func (d *decoder) release() {
	for _, c := range d.chunks() {
		c.Release()
	}
}

// record lands one. An error is the store's.
func (d *decoder) record(from *Origin, r *Record, count *tally) error {
	if r.Stream && from.Side == dialect.SideBank {
		count.skipped++
		return nil
	}
	if done, err := d.scanned(from, r, count); done || err != nil {
		return err
	}
	e, reason := d.event(from, r)
	if reason == "" && d.early(from, e.ID) {
		count.skipped++
		return nil
	}
	if reason == "" {
		c, err := d.chunk(tableOf(e.Topic()))
		if err != nil {
			return err
		}
		canonical := true
		var hash uint64
		hash, d.buffer = hashOf(e, d.buffer)
		if r.Event == nil {
			canonical = bytes.Equal(d.buffer, r.Value)
		}
		if err = appendEvent(c, from, r.Offset, d.landed, e, hash, canonical); err == nil {
			count.events++
			count.lastID, count.lastAt = max(count.lastID, e.ID), max(count.lastAt, e.At)
			return nil
		}
		reason = err.Error()
	}
	c, err := d.chunk(dialect.Rejects)
	if err != nil {
		return err
	}
	key, value := r.Key, r.Value
	if r.Event != nil {
		key, value = []byte(r.Event.Key()), r.Event.AppendJSON(nil)
	}
	appendReject(c, from, r.Offset, d.landed, strings.ToValidUTF8(reason, "?"), key, value)
	count.rejects++
	return nil
}

// scanned lands a record whose text is in the one spelling, without an event being made of it. Any other is for event: it is not done then.
func (d *decoder) scanned(from *Origin, r *Record, count *tally) (done bool, err error) {
	e := &d.scan
	if r.Event != nil || !e.Open(r.Value) || e.Topic() != from.Contract {
		return false, nil
	}
	d.buffer = d.buffer[:0]
	if e.AccountID != 0 {
		d.buffer = strconv.AppendInt(d.buffer, int64(e.AccountID), 10)
	}
	if !bytes.Equal(d.buffer, r.Key) {
		return false, nil
	}
	if d.early(from, e.ID) {
		count.skipped++
		return true, nil
	}
	c, err := d.chunk(tableOf(from.Contract))
	if err != nil {
		return false, err
	}
	c.Begin()
	appendPlace(c, from, r.Offset, d.landed)
	if !e.Values(c) {
		return false, nil // the row is begun anew, by whoever comes next
	}
	c.Integer(int64(hashWithout(r.Value, e.Own())))
	c.Flag(true)
	c.End()
	count.events++
	count.lastID, count.lastAt = max(count.lastID, e.ID), max(count.lastAt, e.At)
	return true, nil
}

// early tells whether an event is left out for its id.
func (d *decoder) early(from *Origin, id int64) bool {
	return from.Side == dialect.SideBank && id <= d.after
}

// event reads a record's event, or says why it is none.
func (d *decoder) event(from *Origin, r *Record) (e *bank.Event, reason string) {
	if r.Event != nil {
		return r.Event, ""
	}
	if r.Value == nil {
		return nil, "no value"
	}
	if !utf8.Valid(r.Value) {
		return nil, "the value is not UTF-8"
	}
	event, err := bank.ReadEvent(r.Value)
	if err != nil {
		return nil, err.Error()
	}
	if topic := event.Topic(); topic != from.Contract {
		return nil, fmt.Sprintf("event: %s is an event of %s", event.Kind, topic)
	}
	if key := event.Key(); key != string(r.Key) {
		return nil, fmt.Sprintf("account_id: the record's key is %q, not %q", r.Key, key)
	}
	return &event, ""
}

// tableOf gives the table of a topic's events.
func tableOf(contract string) string {
	switch contract {
	case bank.TopicTrades:
		return dialect.TradeEvents
	case bank.TopicCash:
		return dialect.CashEvents
	}
	return dialect.DateEvents
}
