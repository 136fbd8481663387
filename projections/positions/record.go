package positions

import (
	"cmp"
	"fmt"

	"github.com/bkledger/bk/ledger"
)

// lineKey names a line: what an account has of a security in one currency.
type lineKey struct {
	account, instrument int64
	currency            currency
}

// currency is an ISO 4217 code.
type currency [3]byte

func currencyOf(code string) (c currency, ok bool) {
	if len(code) != len(c) {
		return c, false
	}
	for i := range c {
		if c[i] = code[i]; c[i] < 'A' || c[i] > 'Z' {
			return currency{}, false
		}
	}
	return c, true
}

func (c currency) String() string { return string(c[:]) }

func (k lineKey) compare(o lineKey) int {
	return cmp.Or(cmp.Compare(k.account, o.account), cmp.Compare(k.instrument, o.instrument), cmp.Compare(k.currency.String(), o.currency.String()))
}

func (k lineKey) String() string {
	return fmt.Sprintf("account %d, instrument %d, %s", k.account, k.instrument, k.currency)
}

// place is where a record stands in its line: cost is carried in this order. No two records of a line have the same.
type place struct {
	date  ledger.Date // effective
	trade ledger.ID   // in whose place, see [ledger.Entry.Place]
	seq   uint64      // of the entry
}

func (p place) compare(o place) int {
	return cmp.Or(cmp.Compare(p.date, o.date), cmp.Compare(p.trade, o.trade), cmp.Compare(p.seq, o.seq))
}

// record is what one entry does to one line.
type record struct {
	place
	canceled uint64 // the sequence number of the cancel; 0 while it stands
	fill     bool   // a trade; otherwise a movement without a price
	u, s     ledger.Amount
	price    ledger.Amount // of a fill
	value    ledger.Amount // not below zero: the fill's gross amount, or the cost that a movement states
}

func (r *record) quantity() ledger.Amount { return r.u.Add(r.s) }

// latest is the last entry that the record knows of.
func (r *record) latest() uint64 { return max(r.seq, r.canceled) }

// op is what an entry does to the records of a line: it adds one, or cancels the one at that place.
type op struct {
	record
	cancel bool // canceled says by which entry
}

// extractor finds what an entry does to lines. It remembers what it was told of accounts and instruments, which never change.
type extractor struct {
	books      Books
	owners     map[int64]bool
	securities map[int64]bool
	found      []lineOp // reused
}

type lineOp struct {
	line lineKey
	op
}

// maxRemembered bounds the extractor's memory of accounts and of instruments.
const maxRemembered = 1 << 17

func newExtractor(books Books) *extractor {
	return &extractor{books: books, owners: map[int64]bool{}, securities: map[int64]bool{}}
}

func (x *extractor) isSecurity(id int64) (bool, error) {
	is, known := x.securities[id]
	if !known {
		in, ok := x.books.InstrumentByID(id)
		if !ok {
			return false, fmt.Errorf("there is no instrument %d", id)
		}
		is = in.Kind == ledger.KindSecurity
		remember(x.securities, id, is)
	}
	return is, nil
}

func (x *extractor) isOwner(id int64) (bool, error) {
	is, known := x.owners[id]
	if !known {
		a, ok := x.books.Account(ledger.AccountRef{ID: id})
		if !ok {
			return false, fmt.Errorf("there is no account %d", id)
		}
		is = a.Kind == ledger.KindCustomer || a.Kind == ledger.KindFirm
		remember(x.owners, id, is)
	}
	return is, nil
}

func remember(known map[int64]bool, id int64, is bool) {
	if len(known) >= maxRemembered {
		clear(known)
	}
	known[id] = is
}

// ops gives what the entry does, one op a line; the slice is good until the next call.
func (x *extractor) ops(e *ledger.Entry) ([]lineOp, error) {
	x.found = x.found[:0]
	for i := range e.Postings {
		p := &e.Postings[i]
		if is, err := x.isSecurity(p.Instrument); !is || err != nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		if is, err := x.isOwner(p.Account); !is || err != nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		var o *lineOp
		for j := range x.found {
			if l := x.found[j].line; l.account == p.Account && l.instrument == p.Instrument {
				o = &x.found[j]
			}
		}
		if o == nil {
			x.found = append(x.found, lineOp{line: lineKey{account: p.Account, instrument: p.Instrument}})
			o = &x.found[len(x.found)-1]
		}
		switch p.Bucket {
		case ledger.Unsettled:
			o.u = o.u.Add(p.Quantity)
		case ledger.Settled:
			o.s = o.s.Add(p.Quantity)
		default:
			return nil, fmt.Errorf("a posting on account %d is on the bucket %q", p.Account, string(rune(p.Bucket)))
		}
	}
	if len(x.found) == 0 {
		return nil, nil
	}
	return x.found, x.complete(e)
}

// complete adds what the entry says about all its ops.
func (x *extractor) complete(e *ledger.Entry) error {
	code, cost := currency{'U', 'S', 'D'}, ledger.Amount{}
	if e.Trade != nil {
		c, ok := currencyOf(e.Trade.Currency)
		if !ok {
			return fmt.Errorf("the trade's currency is %q", e.Trade.Currency)
		}
		code = c
	} else {
		// Fields are the event's own. What is no currency or no cost here is left to the event's rule to refuse: a fold that stops at it
		// would stop everybody's positions.
		if c, ok := currencyOf(e.Fields["currency"]); ok {
			code = c
		}
		if c, err := ledger.ParseAmount(e.Fields["cost"]); err == nil && c.Sign() > 0 {
			cost = c
		}
	}
	fill := e.Kind.IsTrade() || e.Kind == ledger.KindTradeOpen
	if fill && e.Trade == nil {
		return fmt.Errorf("a %s without its trade", e.Kind)
	}
	for i := range x.found {
		o := &x.found[i]
		o.line.currency = code
		o.place = place{e.EffectiveDate, e.Place(), e.ID.Seq()}
		switch {
		case e.Kind == ledger.KindCancel:
			o.cancel, o.canceled = true, e.ID.Seq()
			o.seq = e.Links.Reverses.Seq()
		case fill:
			o.fill, o.price, o.value = true, e.Trade.Price, e.Trade.Gross
		case o.quantity().IsZero():
			// Between the buckets, which cost knows nothing of: in its own place, so that settlements come at the line's end.
			o.trade = e.ID
		default:
			o.value = cost
		}
	}
	return nil
}
