package history_test

import (
	"fmt"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
)

// TestRules: each rule by itself, on a history in which all else is sound. Positions and balances are what the journal adds up to, so what is not booked has to be in the effects.
func TestRules(t *testing.T) {
	t.Parallel()
	const mon, tue, later = 20131007, 20131008, 20131014
	one, _ := bank.ParseDecimal("1")
	for _, c := range []struct {
		rule    history.Rule
		past    func(*past)
		key     string // of the row in quarantine
		effects int    // of it
	}{
		{history.NoAccount, func(p *past) {
			p.trade(2, 7, mon, later, "open")
		}, "2", 0},
		{history.NoTarget, func(p *past) {
			p.trade(2, 1, mon, later, "open")
			p.trades[1].Request = `{"type":"transfer_trade","timestamp":1,"client_trade_id":"c2","date":20131007,"account_id":1,"target_account_id":2,"quantity":"1","price":"1",
				"instrument":{"identifier":"IBM","identifier_type":"sedol"},"side":{"direction":"buy"}}`
			p.row(2, "open")
		}, "2", 2},
		{history.BadInstrument, func(p *past) {
			p.trade(2, 1, mon, later, "open")
			p.trades[1].Request = `{"type":"exchange_trade","timestamp":1,"client_trade_id":"c2","date":20131007,"account_id":1,"quantity":"1","price":"1","instrument":{"identifier":"?"}}`
			p.row(2, "open")
		}, "2", 2},
		{history.BadRequest, func(p *past) {
			p.trade(2, 1, mon, later, "open")
			p.trades[1].Request = `[]`
			p.row(2, "open")
		}, "2", 2},
		{history.BadRequest, func(p *past) { // what it moved there and back is told as well
			p.trade(2, 1, mon, later, "canceled", canceled(1381132800009, 0))
			p.trades[1].Request = `[]`
			p.row(2, "open")
			p.row(2, "cancel")
		}, "2", 2},
		{history.OtherColumns, func(p *past) {
			p.trade(2, 1, mon, later, "open", func(t *source.Trade) { t.Sell = true })
			p.row(2, "open")
		}, "2", 2},
		{history.OtherAmounts, func(p *past) {
			p.trade(2, 1, mon, later, "open", func(t *source.Trade) { t.NetAmount = one })
			p.row(2, "open")
		}, "2", 2},
		{history.StateDates, func(p *past) {
			p.trade(2, 1, mon, later, "settled")
			p.row(2, "open")
		}, "2", 2},
		{history.StateDates, func(p *past) { p.trade(2, 1, mon, later, "new") }, "2", 0},
		{history.StateDates, func(p *past) { p.trade(2, 1, mon, later, "canceled") }, "2", 0}, // at no time
		{history.StateDates, func(p *past) { p.trade(2, 1, mon, later, "lost") }, "2", 0},
		{history.Unplaced, func(p *past) {
			p.trade(2, 1, tue, later, "canceled", canceled(1381132800009, 0))
			p.trade(3, 1, mon, later, "open")
			p.journal, p.day = nil, 0 // before the first business date, when every trade opens
			p.row(1, "open")
			p.row(3, "open")
		}, "2", 0},
		{history.RowOrphan, func(p *past) {
			p.put(9, 1, "open")
			p.put(9, 1, "cancel")
		}, "2", 0},
		{history.RowOrphan, func(p *past) { // the same row twice, and its opposite
			p.row(1, "open")
			p.put(9, 1, "cancel")
		}, "2", 0},
		{history.RowOdd, func(p *past) {
			p.deposit(1, 2)
			p.put(1, 2, "open")
			p.put(1, 2, "cancel")
		}, "3", 0},
		{history.RowDate, func(p *past) {
			p.day = mon - 1
			p.put(1, 1, "open")
			p.put(1, 1, "cancel")
		}, "2", 0},
		{history.RowDate, func(p *past) {
			p.day = tue
			p.put(1, 1, "open")
			p.put(1, 1, "cancel")
		}, "2", 0},
		{history.RowDate, func(p *past) { // within the days that are to come
			p.day = mon + 1
			p.put(1, 1, "open")
			p.put(1, 1, "cancel")
			p.day = mon
			p.deposit(1, 1)
			p.end = mon + 2
		}, "2", 0},
		{history.BadCash, func(p *past) {
			p.deposit(1, 1)
			p.cash[0].Kind = "gift"
		}, "1", 1},
		{history.NoAccount, func(p *past) {
			p.deposit(1, 1)
			p.cash[0].AccountID = 7
		}, "1", 1},
		{history.NoTarget, func(p *past) {
			p.deposit(1, 1)
			p.cash[0].Kind = bank.CashJournal
		}, "1", 1},
		{history.CashUnbooked, func(p *past) {
			p.deposit(1, 1)
			p.journal = p.journal[:1]
		}, "1", 0},
	} {
		t.Run(fmt.Sprint(c.rule, "/", c.key), func(t *testing.T) {
			t.Parallel()
			p := past{day: mon}
			p.trade(1, 1, mon, later, "open")
			p.row(1, "open")
			c.past(&p)
			_, b := p.stage(t, max(mon, p.end))
			if b.Report.Adjusted+b.Report.Repaired != 0 {
				t.Errorf("repaired %+v, adjusted %+v", b.Repaired, b.Adjusted)
			}
			if len(b.Quarantined) == 0 || b.Quarantined[0].Rule != c.rule || b.Quarantined[0].Key != c.key || len(b.Quarantined[0].Effects) != c.effects {
				t.Errorf("in quarantine: %+v", b.Quarantined)
			}
			for _, q := range b.Quarantined {
				if q.Rule != c.rule {
					t.Errorf("in quarantine, too: %+v", q)
				}
			}
		})
	}
}

// TestUnreadable: a row that can't be read keeps its place, so that its journal rows are known to be its own.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	p := past{day: 20131007}
	p.trade(1, 1, 20131007, 20131014, "open")
	p.row(1, "open")
	in := p.input(transformed(t, &past{journal: p.journal}), 20131007)
	bad := &source.BadRow{Table: source.Trades, Key: "1", Field: "price", Reason: `"NaN" is no decimal`, Raw: map[string]string{"trade_id": "1", "price": "NaN"}}
	made := map[history.Kind]*object{}
	done, err := history.TransformTrades(t.Context(), failing(bad), creator(made))
	in.Runs = append(in.Runs, runsOf(t, made, done, err)...)
	b := p.stageOf(t, in)
	if len(b.Quarantined) != 1 || b.Quarantined[0].Rule != history.Unreadable || len(b.Quarantined[0].Effects) != 2 || string(b.Quarantined[0].Row) != `{"price":"NaN","trade_id":"1"}` {
		t.Errorf("in quarantine: %+v", b.Quarantined)
	}
	if len(b.Adjusted) > 0 {
		t.Errorf("adjusted: %+v", b.Adjusted)
	}
}

// TestThroughAPI: what Bank's API doesn't tell of cash, its journal does.
func TestThroughAPI(t *testing.T) {
	t.Parallel()
	p := past{day: 20131007}
	p.deposit(-1, 1)
	p.deposit(-2, 2)
	for i := range p.cash {
		p.cash[i].ClientID, p.cash[i].BookedAt = "", 0
	}
	p.journal[1].Memo = bank.CashJournal
	done, b := p.stage(t, p.day)
	if b.Report.Cash != 2 || b.Report.Quarantined+b.Report.Adjusted != 0 || len(b.Rows["facade.books_id"]) != 0 || len(done) != 3 {
		t.Errorf("%q: %+v, %+v", done, b.Report, b.Quarantined)
	}
	if len(b.Repaired) != 1 || b.Repaired[0] != (history.Repaired{Table: source.Journal, Key: "2", Rule: history.CashApart, Field: "memo", Was: "journal", Now: "deposit"}) {
		t.Errorf("repaired: %+v", b.Repaired)
	}
}
