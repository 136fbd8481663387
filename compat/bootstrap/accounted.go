package bootstrap

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/parity/books"
)

// accounted is what quarantine, fixes, repairs and adjustments account for.
type accounted struct {
	trades   map[bank.ID]bool // that are in quarantine, were fixed, or were repaired
	journal  map[bank.ID]bool // that have a journal row which is
	rows     map[string]bool  // table:key
	holdings moved
	sums     moved // there and back, or by journal rows that are missing: what is summed over days differs, what is held must not
}

// moved is which holdings of which accounts something moves.
type moved map[bank.ID]map[holding]bool

func (m moved) add(account bank.ID, h holding) {
	if m[account] == nil {
		m[account] = map[holding]bool{}
	}
	m[account][h] = true
}

// has tells whether a finding is about one of them.
func (m moved) has(f books.Finding) bool {
	of := m[f.Account]
	return f.Symbol != "" && of[holding{symbol: f.Symbol}] || f.Currency != "" && of[holding{currency: f.Currency}]
}

func (b *Bootstrap) accounted(ctx context.Context, m Manifest, r *Report) (*accounted, error) {
	a := &accounted{trades: map[bank.ID]bool{}, journal: map[bank.ID]bool{}, rows: map[string]bool{}, holdings: moved{}, sums: moved{}}
	held, err := lines[Held](ctx, b.store, m.Staged.Held)
	if err != nil {
		return nil, err
	}
	for _, h := range held {
		r.Quarantine[string(h.Rule)]++
		a.row(h.Table, h.Key, h.Row)
		for _, e := range h.Effects {
			of := a.holdings
			if e.IsZero() {
				of = a.sums
			}
			of.add(e.AccountID, holding{e.Symbol, e.Currency})
		}
	}
	if err := b.fixed(ctx, a, r); err != nil {
		return nil, err
	}
	repairs, err := lines[history.Repaired](ctx, b.store, m.Staged.Repairs)
	if err != nil {
		return nil, err
	}
	for _, one := range repairs {
		r.Repairs[string(one.Rule)]++
		a.row(one.Table, one.Key, nil)
		if row := one.Row; row != nil {
			a.missing(*row)
		}
	}
	adjusts, err := lines[history.Adjusted](ctx, b.store, m.Staged.Adjusts)
	if err != nil {
		return nil, err
	}
	for _, one := range adjusts {
		r.Adjustments[string(one.Rule)]++
		a.holdings.add(one.Change.AccountID, holding{one.Change.Symbol, one.Change.Currency})
	}
	return a, nil
}

// fixed takes in what was decided about rows that were in quarantine and were loaded so: they are not what Bank still has. What such a decision moves is not accounted for: holdings are to be
// Bank's, whoever decided what.
func (b *Bootstrap) fixed(ctx context.Context, a *accounted, r *Report) error {
	patches, err := b.patches(ctx)
	if err != nil {
		return err
	}
	for table, of := range patches {
		for key, p := range of {
			if id := string(table) + ":" + key; !a.rows[id] {
				a.row(table, key, nil)
				r.Fixed = append(r.Fixed, Fixed{ID: id, Who: p.Who, Why: p.Why})
			}
		}
	}
	slices.SortFunc(r.Fixed, func(a, b Fixed) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

// missing takes in a journal row that the old books should have had.
func (a *accounted) missing(row history.Missing) {
	if row.TradeID != 0 {
		a.journal[row.TradeID] = true
	}
	a.sums.add(row.AccountID, holding{currency: row.Currency})
	if row.Symbol != "" {
		a.sums.add(row.AccountID, holding{symbol: row.Symbol})
	}
}

func (a *accounted) row(t source.Table, key string, row json.RawMessage) {
	a.rows[string(t)+":"+key] = true
	if id, err := strconv.ParseInt(key, 10, 64); err == nil && t == source.Trades {
		a.trades[bank.ID(id)] = true
	}
	if t != source.Journal || row == nil {
		return
	}
	var j source.JournalRow
	if json.Unmarshal(row, &j) == nil {
		a.holdings.add(j.AccountID, holding{symbol: j.Symbol})
		a.holdings.add(j.AccountID, holding{currency: j.Currency})
		if j.TradeID != nil {
			a.journal[*j.TradeID] = true
		}
	}
}

// explains tells whether a difference is about a row in quarantine, a fixed or repaired one, or a holding that one of these moved.
func (a *accounted) explains(f books.Finding) bool {
	if f.Trade != 0 && (a.trades[f.Trade] || a.journal[f.Trade] && f.Kind != books.MissingTrade && f.Kind != books.ExtraTrade && !strings.HasPrefix(f.Kind, books.WrongTrade)) {
		return true
	}
	if f.Trade == 0 && a.holdings.has(f) {
		return true
	}
	switch {
	case f.Kind == books.WrongDay || f.Kind == books.WrongCut || f.Kind == books.Contradiction:
		return a.sums.has(f)
	case f.Kind == books.MissingAccount:
		return a.rows[string(source.Accounts)+":"+f.Account.String()]
	case strings.HasPrefix(f.Kind, books.WrongTrade+"request."):
		return f.Bank != nil && f.BK != nil && sameRequest(f.Kind == books.WrongTrade+"request.timestamp", *f.Bank, *f.BK)
	}
	return false
}

// sameRequest tells whether a stored request, or a part of one, says the same as BK's in another spelling: white space, the order of fields, the execution time in seconds. What Bank's API
// answers is the same then.
func sameRequest(timestamp bool, old, now string) bool {
	if timestamp {
		old, now = `{"timestamp":`+old+`}`, `{"timestamp":`+now+`}`
	}
	read := func(text string) (value any, ok bool) {
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		d.UseNumber()
		if d.Decode(&value) != nil {
			return nil, false
		}
		if fields, is := value.(map[string]any); is {
			if at, is := fields["timestamp"].(json.Number); is {
				const secondsBelow = 100_000_000_000 // Bank's contract, section 1
				if n, err := at.Int64(); err == nil && n > 0 && n < secondsBelow {
					fields["timestamp"] = json.Number(strconv.FormatInt(n*1000, 10))
				}
			}
		}
		return value, true
	}
	a, ok := read(old)
	b, also := read(now)
	return ok && also && reflect.DeepEqual(a, b)
}
