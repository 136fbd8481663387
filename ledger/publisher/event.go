package publisher

import (
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/ledger"
)

// The headers of an event, in the order in which they are written. All values but the kind are decimal text.
const (
	HeaderType    = "bk-type"     // the entry's kind
	HeaderShard   = "bk-shard"    // with bk-seq: the entry's place in the journal
	HeaderSeq     = "bk-seq"      //
	HeaderEntryID = "bk-entry-id" // both in one number, see ledger.ID
	HeaderLeg     = "bk-leg"      // 0 to bk-legs - 1: which of the entry's events this is
	HeaderLegs    = "bk-legs"     // how many events the entry has
)

const headers = 6

// eventKeys gives the keys under which an entry is published, one for each leg.
func eventKeys(dir *ledger.Directory, e *ledger.Entry) ([]int64, string, error) {
	switch {
	case e.Account != nil:
		return []int64{e.Account.ID}, "", nil
	case e.Define != nil:
		return nil, "instrument/" + strconv.FormatInt(e.Define.ID, 10), nil
	case e.Day != nil:
		return nil, "day", nil
	case len(e.Postings) == 0 && e.Trade != nil: // not in force yet, or a link
		accounts := []int64{e.Trade.Account.ID}
		if !e.Trade.Target.IsZero() {
			accounts = append(accounts, e.Trade.Target.ID)
		}
		return accounts, "", nil
	case len(e.Postings) == 0:
		return nil, "", fmt.Errorf("%w: %s has no postings and defines nothing", ErrUnpublishable, place(e.ID))
	}
	var room [8]int64
	customers := room[:0]
	for _, p := range e.Postings {
		if slices.Contains(customers, p.Account) {
			continue
		}
		a, ok := dir.Account(ledger.AccountRef{ID: p.Account})
		if !ok {
			// The directory may be behind the journal for a moment, on a standby; never guess an account's kind.
			return nil, "", fmt.Errorf("entry %s posts to account %d, which the directory doesn't know", place(e.ID), p.Account)
		}
		if a.Kind == ledger.KindCustomer {
			customers = append(customers, p.Account)
		}
	}
	if len(customers) == 0 {
		customers = append(customers, e.Postings[0].Account)
	}
	return slices.Clone(customers), "", nil
}

// place names an entry in errors as shard:sequence.
func place(id ledger.ID) string { return ledger.Token{Shard: id.Shard(), Seq: id.Seq()}.String() }

// entryEvents are the records of one entry, one for each leg, and the bytes that they take before compression.
type entryEvents struct {
	entry   *ledger.Entry
	records []kgo.Record
	bytes   int
}

// makeEvents gives exactly what is published for an entry: the publisher sends it, Verify compares with it.
func (c *Config) makeEvents(e *ledger.Entry) (entryEvents, error) {
	accounts, instrument, err := eventKeys(c.Directory, e)
	if err != nil {
		return entryEvents{}, err
	}
	value, err := c.Encode(e)
	if err != nil {
		return entryEvents{}, fmt.Errorf("%w: encoding %s: %w", ErrUnpublishable, place(e.ID), err)
	}
	legs := max(1, len(accounts))

	// Everything that the headers hold is cut from one piece of text; a million events a minute are worth it.
	text := make([]byte, 0, 64+24*legs)
	cut := func(n int64) []byte {
		from := len(text)
		text = strconv.AppendInt(text, n, 10)
		return text[from:len(text):len(text)]
	}
	kind := append(text, e.Kind...)
	text = kind
	shard, seq, id, of := cut(int64(e.ID.Shard())), cut(int64(e.ID.Seq())), cut(int64(e.ID)), cut(int64(legs))

	out := entryEvents{entry: e, records: make([]kgo.Record, legs)}
	heads := make([]kgo.RecordHeader, 0, headers*legs)
	for leg := range out.records {
		from := len(heads)
		heads = append(heads,
			kgo.RecordHeader{Key: HeaderType, Value: kind},
			kgo.RecordHeader{Key: HeaderShard, Value: shard},
			kgo.RecordHeader{Key: HeaderSeq, Value: seq},
			kgo.RecordHeader{Key: HeaderEntryID, Value: id},
			kgo.RecordHeader{Key: HeaderLeg, Value: cut(int64(leg))},
			kgo.RecordHeader{Key: HeaderLegs, Value: of},
		)
		r := &out.records[leg]
		*r = kgo.Record{Topic: c.Events, Value: value, Timestamp: e.BookedAt, Headers: heads[from:len(heads):len(heads)]}
		if accounts == nil {
			r.Key = []byte(instrument)
		} else {
			r.Key = cut(accounts[leg])
		}
		out.bytes += recordBytes(r)
	}
	return out, nil
}

func recordBytes(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value) + 16
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value) + 2
	}
	return n
}

// makeAll does makeEvents for a run of entries, on all processors where there is enough of it.
func (c *Config) makeAll(entries []*ledger.Entry) ([]entryEvents, error) {
	const enough = 128
	out := make([]entryEvents, len(entries))
	do := func(from, to int) (err error) {
		for i := from; i < to && err == nil; i++ {
			out[i], err = c.makeEvents(entries[i])
		}
		return err
	}
	workers := min(runtime.GOMAXPROCS(0), len(entries)/enough)
	if workers < 2 {
		return out, do(0, len(entries))
	}
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() { errs[w] = do(len(entries)*w/workers, len(entries)*(w+1)/workers) })
	}
	wg.Wait()
	for _, err := range errs { // the first in journal order
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// consecutive asserts that entries are those right after a sequence number; the journal promises it, and P6 stands on it.
func consecutive(shard uint16, after uint64, entries []*ledger.Entry) error {
	for i, e := range entries {
		if e.ID.Shard() != shard || e.ID.Seq() != after+1+uint64(i) {
			return fmt.Errorf("%w: it gave %s after %d:%d", ErrDiverged, place(e.ID), shard, after+uint64(i))
		}
	}
	return nil
}
