package modeltest_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bkledger/bk/projections/modeltest"
)

// An answer is what a read gave, row by row in plain text, so that the model's and the system's can be compared whatever they are made of. Rows that say
// nothing (all zero) are left out of both.
type answer map[string]string

// answers are those of all reads at one time, by name.
type answers map[string]answer

// add adds a row to a read's answer.
func (a answers) add(read, key, format string, args ...any) {
	if a[read] == nil {
		a[read] = answer{}
	}
	text := fmt.Sprintf(format, args...)
	if had, twice := a[read][key]; twice {
		text = had + " AND AGAIN " + text
	}
	a[read][key] = text
}

// rows gives the number of rows.
func (a answers) rows() (n int) {
	for _, rows := range a {
		n += len(rows)
	}
	return n
}

// differences lists what is not the same.
func differences(want, got answers) []string {
	var all []string
	for _, read := range slices.Sorted(maps.Keys(expect)) {
		for key, text := range want[read] {
			if have, there := got[read][key]; !there {
				all = append(all, fmt.Sprintf("%s of %s: nothing, should be %s", read, key, text))
			} else if have != text {
				all = append(all, fmt.Sprintf("%s of %s:\n\t     got %s\n\tshould be %s", read, key, have, text))
			}
		}
		for key, text := range got[read] {
			if _, there := want[read][key]; !there {
				all = append(all, fmt.Sprintf("%s of %s: %s, should not be there", read, key, text))
			}
		}
	}
	slices.Sort(all)
	return all
}

// The reads. Stock record, cash and cuts know no other time than now.
const (
	readBalances  = "balances"
	readPositions = "positions"
	readTrades    = "trades"
	readStatement = "statement"
	readStock     = "stock record"
	readCash      = "cash"
	readCuts      = "cuts"
)

// expected gives the model's answers to those reads.
func expected(m *modeltest.Model, at modeltest.Time, reads []string) answers {
	a := answers{}
	for _, read := range reads {
		expect[read](m, at, a)
	}
	return a
}

// expect has the model's answer to each read.
var expect = map[string]func(*modeltest.Model, modeltest.Time, answers){
	readBalances: func(m *modeltest.Model, at modeltest.Time, a answers) {
		for _, h := range m.Holdings(at) {
			a.add(readBalances, h.Account+" "+h.Instrument, "%s", holdingText(h))
		}
	},
	readPositions: func(m *modeltest.Model, at modeltest.Time, a answers) {
		for key, p := range m.Positions(at) {
			if p.Unsettled.Sign() != 0 || p.Settled.Sign() != 0 || p.Cost.Sign() != 0 || p.Realised.Sign() != 0 {
				a.add(readPositions, key, "%s u, %s s, cost %s, average %s, realised %s",
					modeltest.Text(p.Unsettled), modeltest.Text(p.Settled), modeltest.Text(p.Cost), modeltest.Text(p.AverageCost()), modeltest.Text(p.Realised))
			}
		}
	},
	readTrades: func(m *modeltest.Model, at modeltest.Time, a answers) {
		for _, t := range m.Trades {
			if state := t.State(at); state != "" {
				a.add(readTrades, fmt.Sprint(t.Seq), "%s", tradeText(t, state, at))
			}
		}
	},
	readStatement: func(m *modeltest.Model, at modeltest.Time, a answers) {
		for account := range m.Accounts {
			for _, l := range m.Statement(account, at) {
				a.add(readStatement, fmt.Sprintf("%s %d", account, l.Entry.Seq), "%s", linesText(l))
			}
		}
	},
	readStock: func(m *modeltest.Model, _ modeltest.Time, a answers) {
		for _, security := range tickers {
			r := m.StockRecord(security)
			if r.Long.Sign() != 0 || r.Short.Sign() != 0 || r.Elsewhere.Sign() != 0 {
				a.add(readStock, security, "long %s, short %s, elsewhere %s", modeltest.Text(r.Long), modeltest.Text(r.Short), modeltest.Text(r.Elsewhere))
			}
			for _, h := range r.Holders {
				a.add(readStock, security+" "+h.Account, "%s", holdingText(h))
			}
		}
	},
	readCash: func(m *modeltest.Model, _ modeltest.Time, a answers) {
		for _, h := range m.Holdings(modeltest.Time{}) {
			if modeltest.IsOwner(h.Account) && m.Instruments[h.Instrument].Currency == "" {
				a.add(readCash, h.Account+" "+h.Instrument, "%s", holdingText(h))
			}
		}
		for _, c := range m.Unsettled() {
			a.add(readCash, fmt.Sprintf("%s %s %d", c.Account, c.Currency, c.SettleDate), "debits %s, credits %s", modeltest.Text(c.Debits), modeltest.Text(c.Credits))
		}
	},
	readCuts: func(m *modeltest.Model, _ modeltest.Time, a answers) {
		for _, e := range m.Cuts() {
			a.add(readCuts, fmt.Sprint(e.Day.Date), "entries %d to %d, %d rows, %x", m.Began(e.Day.Date), e.Seq, len(e.Day.Cut), m.CutHash(e.Day.Date, e.Day.Cut))
			for _, h := range e.Day.Cut {
				a.add(readCuts, fmt.Sprintf("%d %s %s", e.Day.Date, h.Account, h.Instrument), "%s", holdingText(h))
			}
		}
	},
}

func holdingText(h modeltest.Holding) string {
	return fmt.Sprintf("%s u, %s s", modeltest.Text(h.Unsettled), modeltest.Text(h.Settled))
}

func tradeText(t *modeltest.Trade, state string, at modeltest.Time) string {
	seq := func(e *modeltest.Entry) (seq uint64) {
		if e != nil {
			seq = e.Seq
		}
		return seq
	}
	cancel := t.Step("cancel", at)
	var corrects, replacedBy uint64
	if t.Corrects != nil {
		corrects = t.Corrects.Seq
	}
	for _, e := range t.Entries {
		if e.ReplacedBy != 0 && (at.KnownAt == 0 || e.ReplacedBy <= at.KnownAt) {
			replacedBy = e.ReplacedBy
		}
	}
	return fmt.Sprintf("%s %s %s %s>%s %s %s @ %s %s, gross %s, net %s, commission %s, sec %s, taf %s, accrued %s, %d, settles %d, corrects %d, replaced by %d, "+
		"opened %d, settled %d, street %t, canceled %d", state, t.Kind, t.Terms.Direction, t.Terms.Account, t.Terms.Target, t.Terms.Security,
		modeltest.Text(t.Quantity), modeltest.Text(t.Price), t.Terms.Currency, modeltest.Text(t.Gross), modeltest.Text(t.Net), modeltest.Text(t.Commission),
		modeltest.Text(t.SEC), modeltest.Text(t.TAF), modeltest.Text(t.Accrued), t.TradeDate, t.SettleDate, corrects, replacedBy,
		seq(t.Step("open", at)), seq(t.Step("settle", at)), t.Step("street", at) != nil, seq(cancel))
}

// linesText has an entry's lines in an order of their own: the books don't say in which order an entry's postings are.
func linesText(l modeltest.Lines) string {
	var postings, after []string
	touched := map[string]bool{}
	for _, p := range l.Postings {
		postings = append(postings, lineText(p.Instrument, p.Bucket, modeltest.Text(p.Quantity)))
		touched[p.Instrument] = true
	}
	for _, h := range l.After {
		if touched[h.Instrument] {
			after = append(after, afterText(h.Instrument, modeltest.Text(h.Unsettled), modeltest.Text(h.Settled)))
		}
	}
	return entryLines(l.Entry.Kind, int(l.Entry.Effective), postings, after)
}

func lineText(instrument, bucket, quantity string) string {
	return instrument + "/" + bucket + " " + quantity
}

func afterText(instrument, unsettled, settled string) string {
	return fmt.Sprintf("%s: %s u, %s s", instrument, unsettled, settled)
}

func entryLines(kind string, effective int, postings, after []string) string {
	slices.Sort(postings)
	slices.Sort(after)
	return fmt.Sprintf("%s %d [%s] then [%s]", kind, effective, strings.Join(postings, ", "), strings.Join(after, ", "))
}
