package positions

import (
	"fmt"
	"slices"

	"github.com/bkledger/bk/ledger"
)

// Book is the whole projection in memory: the same records, blocks and arithmetic as in the tables, for models and for a journal that is small. It is not
// safe for concurrent use.
type Book struct {
	extractor *extractor
	lines     map[lineKey]run
	at        ledger.ID
}

// NewBook makes an empty one.
func NewBook(books Books) *Book {
	return &Book{extractor: newExtractor(books), lines: map[lineKey]run{}}
}

// Add takes the next entry of the journal. After an error the book is of no more use.
func (b *Book) Add(e *ledger.Entry) error {
	ops, err := b.extractor.ops(e)
	if err != nil {
		return err
	}
	for i := range ops {
		o := &ops[i]
		blocks := b.lines[o.line]
		if blocks == nil {
			blocks = run{&block{}}
		}
		if b.lines[o.line], err = blocks.update(&o.op); err != nil {
			return fmt.Errorf("%s: %w", o.line, err)
		}
	}
	b.at = e.ID
	return nil
}

// update applies an op to a whole line and works out what follows.
func (b run) update(o *op) (run, error) {
	b, from, err := b.do(o, true)
	if err != nil {
		return b, err
	}
	var st state
	if from > 0 {
		st = b[from-1].end
	}
	for _, at := range b[from:] {
		was, fresh := at.end, at.changed
		if err := at.derive(&st); err != nil {
			return b, err
		}
		at.changed = false
		if !fresh && at.end == was {
			break
		}
	}
	return b, nil
}

// whole says whether the view has all of a block's records as they stand.
func (v view) whole(m *mark) bool {
	return (v.asOf == 0 || m.last.date <= v.asOf) && (v.knownAt == 0 || m.latest <= v.knownAt)
}

// at gives where the line stood, and whether it was there.
func (b run) at(v view) (st state, seen bool, err error) {
	whole := true
	for _, at := range b {
		if whole = whole && v.whole(&at.mark); whole {
			st, seen = at.end, true
			continue
		}
		if v.asOf != 0 && at.bound.date > v.asOf {
			break
		}
		any, err := st.applyAll(at.records, v)
		if err != nil {
			return st, seen, err
		}
		seen = seen || any
	}
	return st, seen, nil
}

// Positions gives one page, as [Reader.Positions] does. The book does not wait: Query.AtLeast is ignored.
func (b *Book) Positions(q Query) (Page, error) {
	page := Page{Next: q.After, At: ledger.Token{Shard: b.at.Shard(), Seq: b.at.Seq()}}
	if err := q.validate(); err != nil {
		return page, err
	}
	if q.KnownAt != 0 {
		page.At.Seq = min(page.At.Seq, q.KnownAt)
	}
	var keys []lineKey
	for k := range b.lines {
		if (q.Account == 0 || k.account == q.Account) && (q.Instrument == 0 || k.instrument == q.Instrument) && k.key().Compare(q.After) > 0 {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, lineKey.compare)
	for _, k := range keys {
		st, seen, err := b.lines[k].at(view{q.AsOf, q.KnownAt})
		if err != nil {
			return page, fmt.Errorf("%s: %w", k, err)
		}
		if !seen {
			continue
		}
		if len(page.Rows) == q.Limit {
			page.More = true
			break
		}
		page.take(q, k.key(), st)
	}
	return page, nil
}
