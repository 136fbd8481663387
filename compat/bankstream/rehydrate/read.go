package rehydrate

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// Reader reads the values of records, for one goroutine. An entry about a trade is read in one walk, into messages that are used again for the next one. Where a value has
// anything that the walk doesn't expect, the generated code reads it, or says what is wrong with it. Both agree on what both read.
//
// A text in an entry may be kept, its messages and bytes may not. [Translator.Apply] keeps what it has looked up with the reader, and its events, so that those stand for as long.
type Reader struct {
	entry            bkv1.Entry
	booked, executed timestamppb.Timestamp
	links            bkv1.Links
	record           bkv1.TradeRecord
	trade            bkv1.Trade
	account, target  bkv1.AccountRef
	postings         [readPostings]bkv1.Posting
	moved            [readPostings]*bkv1.Posting
	metadata         map[string]string
	listings         map[string]*listing // by their bytes: they come again and again

	last       *listing         // that was read
	currencies map[string]int64 // BK's numbers
	told       told
}

// listing is an identifier, and BK's number of what it names, if that was asked for.
type listing struct {
	id     bkv1.Identifier
	number int64
}

const (
	readPostings = 16      // entries with more are rare
	readListings = 4 << 10 // of some hundred bytes each
)

// Read gives the entry that a value has, nil if it has none. It stands until the next call.
func (r *Reader) Read(value []byte) (*bkv1.Entry, error) {
	if r.read(value) {
		return &r.entry, nil
	}
	var event bkv1.Event
	if err := proto.Unmarshal(value, &event); err != nil {
		return nil, fmt.Errorf("its value is no event: %w", err)
	}
	return event.Entry, nil
}

// read walks over a value; it is false where the generated code has to read it.
func (r *Reader) read(value []byte) bool {
	w := walk{value: value, end: len(value)}
	if w.tag() != 1<<3|sized {
		return false
	}
	if w.into(); w.end != len(value) {
		return false
	}
	w.text = string(value)
	r.entry = bkv1.Entry{}
	e := &r.entry
	for w.more() {
		switch w.tag() {
		case 1<<3 | number:
			e.Id = int64(w.number())
		case 2<<3 | number:
			e.Shard = int32(w.number())
		case 3<<3 | number:
			e.Sequence = int64(w.number())
		case 4<<3 | number:
			e.Epoch = int64(w.number())
		case 5<<3 | sized:
			w.once(e.BookedAt == nil)
			e.BookedAt = w.moment(&r.booked)
		case 6<<3 | sized:
			e.Kind = w.string()
		case 7<<3 | sized:
			e.Key = w.string()
		case 8<<3 | sized:
			e.Source = w.string()
		case 9<<3 | number:
			e.TradeDate = int32(w.number())
		case 10<<3 | number:
			e.SettleDate = int32(w.number())
		case 11<<3 | number:
			e.EffectiveDate = int32(w.number())
		case 12<<3 | sized:
			w.once(e.Links == nil)
			e.Links = r.readLinks(&w)
		case 13<<3 | sized:
			w.once(len(e.Postings) < readPostings)
			e.Postings = r.readPosting(&w, len(e.Postings))
		case 14<<3 | sized:
			w.once(e.Trade == nil)
			e.Trade = r.readRecord(&w)
		case 18<<3 | sized:
			w.once(e.Metadata == nil)
			e.Metadata = r.readMetadata(&w)
		case 19<<3 | sized:
			e.Hash = w.bytes()
		case 20<<3 | sized:
			e.Content = w.bytes()
		default:
			return false
		}
	}
	return !w.failed && e.Trade != nil
}

func (r *Reader) readLinks(w *walk) *bkv1.Links {
	r.links = bkv1.Links{}
	l := &r.links
	outer := w.into()
	for w.more() {
		switch w.tag() {
		case 1<<3 | number:
			l.Trade = int64(w.number())
		case 2<<3 | number:
			l.Reverses = int64(w.number())
		case 3<<3 | number:
			l.Corrects = int64(w.number())
		case 4<<3 | number:
			l.ReplacedBy = int64(w.number())
		case 5<<3 | number:
			l.Root = int64(w.number())
		default:
			w.fail()
		}
	}
	w.end = outer
	return l
}

// readPosting reads the one behind n others.
func (r *Reader) readPosting(w *walk, n int) []*bkv1.Posting {
	if n >= readPostings {
		return nil
	}
	r.postings[n] = bkv1.Posting{}
	p := &r.postings[n]
	r.moved[n] = p
	outer := w.into()
	for w.more() {
		switch w.tag() {
		case 1<<3 | number:
			p.Account = int64(w.number())
		case 2<<3 | number:
			p.Instrument = int64(w.number())
		case 3<<3 | number:
			p.Bucket = bkv1.Bucket(w.number())
		case 4<<3 | sized:
			p.Quantity = w.string()
		default:
			w.fail()
		}
	}
	w.end = outer
	return r.moved[:n+1]
}

// readMetadata reads a map of one pair, as the façade's bookings have.
func (r *Reader) readMetadata(w *walk) map[string]string {
	outer := w.into()
	w.once(w.tag() == 1<<3|sized)
	key := w.string()
	w.once(w.tag() == 2<<3|sized)
	value := w.string()
	w.once(!w.more())
	w.end = outer
	if r.metadata == nil {
		r.metadata = map[string]string{}
	}
	clear(r.metadata)
	r.metadata[key] = value
	return r.metadata
}

func (r *Reader) readRecord(w *walk) *bkv1.TradeRecord {
	r.record = bkv1.TradeRecord{}
	t := &r.record
	outer := w.into()
	for w.more() {
		switch w.tag() {
		case 1<<3 | number:
			t.Id = int64(w.number())
		case 2<<3 | number:
			t.State = bkv1.TradeState(w.number())
		case 3<<3 | sized:
			w.once(t.Trade == nil)
			t.Trade = r.readTrade(w)
		case 4<<3 | sized:
			t.Gross = w.string()
		case 5<<3 | sized:
			t.SecFee = w.string()
		case 6<<3 | sized:
			t.TafFee = w.string()
		case 7<<3 | sized:
			t.Net = w.string()
		case 8<<3 | number:
			t.TradeDate = int32(w.number())
		case 9<<3 | number:
			t.SettleDate = int32(w.number())
		case 10<<3 | number:
			t.Corrects = int64(w.number())
		case 11<<3 | number:
			t.ReplacedBy = int64(w.number())
		default:
			w.fail()
		}
	}
	w.end = outer
	return t
}

func (r *Reader) readTrade(w *walk) *bkv1.Trade {
	r.trade = bkv1.Trade{}
	t := &r.trade
	outer := w.into()
	for w.more() {
		switch w.tag() {
		case 1<<3 | number:
			t.Type = bkv1.TradeType(w.number())
		case 2<<3 | sized:
			w.once(t.ExecutedAt == nil)
			t.ExecutedAt = w.moment(&r.executed)
		case 3<<3 | sized:
			t.ClientTradeId = w.string()
		case 4<<3 | sized:
			w.once(t.Account == nil)
			t.Account = w.account(&r.account)
		case 5<<3 | number:
			t.Direction = bkv1.Direction(w.number())
		case 6<<3 | number:
			t.Short = w.number() != 0
		case 7<<3 | number:
			t.Effect = bkv1.Effect(w.number())
		case 8<<3 | sized:
			t.Quantity = w.string()
		case 9<<3 | sized:
			t.Price = w.string()
		case 10<<3 | sized:
			w.once(t.Instrument == nil)
			t.Instrument = r.readListing(w)
		case 11<<3 | sized:
			t.Currency = w.string()
		case 12<<3 | number:
			t.Capacity = bkv1.Capacity(w.number())
		case 13<<3 | sized:
			t.Mic = w.string()
		case 14<<3 | sized:
			t.ExecMpid = w.string()
		case 15<<3 | sized:
			t.ContraMpid = w.string()
		case 16<<3 | sized:
			t.ContraClearingNum = w.string()
		case 17<<3 | sized:
			w.once(t.Target == nil)
			t.Target = w.account(&r.target)
		case 18<<3 | sized:
			t.Commission = w.string()
		case 19<<3 | number:
			t.OmitSec = w.number() != 0
		case 20<<3 | number:
			t.OmitTaf = w.number() != 0
		case 21<<3 | sized:
			t.Accrued = w.string()
		case 22<<3 | sized:
			t.OrderId = w.string()
		default:
			w.fail()
		}
	}
	w.end = outer
	return t
}

// readListing reads an identifier as the generated code does, once for each that there is. It has its own memory: what is looked up by it may be kept for long.
func (r *Reader) readListing(w *walk) *bkv1.Identifier {
	text := w.bytes()
	if l, ok := r.listings[string(text)]; ok {
		r.last = l
		return &l.id
	}
	l := &listing{}
	if err := proto.Unmarshal(text, &l.id); err != nil {
		w.fail()
		return nil
	}
	if r.listings == nil || len(r.listings) >= readListings {
		r.listings = map[string]*listing{}
	}
	r.listings[string(text)], r.last = l, l
	return &l.id
}
