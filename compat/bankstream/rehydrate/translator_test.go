package rehydrate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/bankstream/state"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/ledger"
)

// TestKinds goes through everything that Bank has an event of, where BK books first.
func TestKinds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mode.BKPrimary)
	w.says("accounts")
	w.book(w.trade(""))
	w.says("before the first business date", `opened 1 T1 on 0: open 100/0, -1000/0`)
	w.roll(20131007)
	w.says("the first roll is one day", `rolled 0-20131007`)
	ahead := w.book(w.trade(`"date":20131008`))[0]
	w.says("a trade of tomorrow", `booked 1 T2 on 20131007: new 100/0, -1000/0`)
	w.book(w.trade(`"type":"transfer_trade","target_account_id":2,"side":{"direction":"sell"},"quantity":"30","fees":{"commission":"1"},"interest":{"accrued":"0.5"}`))
	w.says("a transfer", `opened 1 T3 on 20131007: open 70/0, -700.5/0`, `opened 2 T3 on 20131007: open 30/0, -300.5/0`)
	w.book(w.trade(`"date":20131001,"account_id":2,"side":{"direction":"sell","qualifier":"short"},"user_data":{"x":[1,"<&>"]}`))
	w.says("a late sale", `opened 2 T4 on 20131007: open -70/0, 699.46/0`, `settled 2 T4 on 20131007: settled -70/-100, 699.46/999.96`)
	w.cash(bank.Deposit, "in", 3, 0, "5.50")
	w.cash(bank.Withdrawal, "out\t", 3, 0, "0.5")
	moved := w.cash(bank.CashJournal, "cash/over", 3, 1, "7")
	w.says("cash", fmt.Sprintf(`deposit 3 USD on 20131007: cash %d "in" 5.5, 5.5/5.5`, moved-2), fmt.Sprintf(`withdrawal 3 USD on 20131007: cash %d "out\t" -0.5, 5/5`, moved-1),
		fmt.Sprintf(`journal 3 USD on 20131007: cash %d "cash/over" -7, -2/-2`, moved), fmt.Sprintf(`journal 1 USD on 20131007: cash %d "cash/over" 7, -693.5/7`, moved))
	w.roll(20131009)
	w.says("two days", `opened 1 T2 on 20131008: open 170/0, -1693.5/7`, `rolled 20131007-20131008`, `rolled 20131008-20131009`)
	id := w.book(w.trade(`"date":20131009,"cancel_trade_id":"T2","quantity":"1"`))[0]
	w.says("a replacement", fmt.Sprintf(`canceled 1 T2 on 20131009: canceled 70/0, -693.5/7 by %d`, id), fmt.Sprintf(`opened 1 T5 on 20131009: open 71/0, -703.5/7 for %d`, ahead))
	again := w.book(w.trade(`"cancel_trade_id":"T2","date":20131010,"type":"allocation_trade","target_account_id":4`))[0]
	w.says("a link", fmt.Sprintf(`booked 1 T6 on 20131009: new 71/0, -703.5/7 for %d`, ahead), fmt.Sprintf(`booked 4 T6 on 20131009: new 0/0, 0/0 for %d`, ahead))
	w.cancel(again)
	w.says("a cancel of what is new", fmt.Sprintf(`canceled 1 T6 on 20131009: canceled 71/0, -703.5/7 for %d`, ahead), fmt.Sprintf(`canceled 4 T6 on 20131009: canceled 0/0, 0/0 for %d`, ahead))
	w.cancel(id)
	w.says("a cancel of what is open", fmt.Sprintf(`canceled 1 T5 on 20131009: canceled 70/0, -693.5/7 for %d`, ahead))
	w.book(w.trade(`"is_when_issued":true,"account_id":4,"price":"0","user_data":"` + strings.Repeat("é", 15<<10) + `"`))
	w.says("a gift, with a long text", `opened 4 T7 on 20131009: open 100/0, 0/0`)
	w.roll(20131010)
	w.says("settlement", `settled 1 T1 on 20131010: settled 70/100, -693.5/-993`, `settled 1 T3 on 20131010: settled 70/70, -693.5/-693.5`,
		`settled 2 T3 on 20131010: settled -70/-70, 699.46/699.46`, `rolled 20131009-20131010`)
	if len(w.v.trades) != 1 {
		t.Errorf("%d trades are kept, one is open", len(w.v.trades))
	}
	if got := w.to.Silent(); got != (rehydrate.Silent{Unknown: got.Unknown}) {
		t.Errorf("silent: %+v", got)
	}
}

// TestFirst goes through ids and times where Bank has decided first, and over the steps to BK and back.
func TestFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mode.BankPrimary)
	ctx := t.Context()
	replay := func(r bank.Replay) {
		t.Helper()
		if err := w.Replay(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	one, two, three := w.trade(""), w.trade(`"cancel_trade_id":"T1"`), w.trade(`"type":"allocation_trade","target_account_id":2,"cancel_trade_id":"18"`)
	replay(bank.Replay{TradeID: 17, BookedAt: 1381132800111, Request: &one})
	replay(bank.Replay{TradeID: 18, BookedAt: 1381132800222, Request: &two})
	replay(bank.Replay{TradeID: 18, CanceledAt: 1381132800333})
	replay(bank.Replay{TradeID: 19, BookedAt: 1381132800444, Request: &three})
	replay(bank.Replay{CashID: 5, BookedAt: 1381132800555, Cash: &bank.Cash{ClientID: "c", AccountID: 3, Currency: "USD", Amount: one.Price, Kind: bank.Deposit}})
	var times []int64
	events := w.events()
	for _, e := range events {
		if e.Trade != nil {
			times = append(times, e.Trade.BookedAt%1000)
			if e.Trade.CanceledAt != nil {
				times = append(times, *e.Trade.CanceledAt%1000)
			}
		}
	}
	if got := fmt.Sprint(times); got != "[111 111 222 222 222 333 444 444]" {
		t.Errorf("booked and cancelled at %s", got)
	}
	var got []string
	for i := range events {
		got = append(got, brief(&events[i]))
	}
	same(t, got, `opened 1 T1 on 0: open 100/0, -1000/0`, `canceled 1 T1 on 0: canceled 0/0, 0/0 by 18`, `opened 1 T2 on 0: open 100/0, -1000/0 for 17`,
		`canceled 1 T2 on 0: canceled 0/0, 0/0 for 17`, `opened 1 T3 on 0: open 100/0, -1000/0 for 18`, `opened 2 T3 on 0: open -100/0, 1000/0 for 18`,
		`deposit 3 USD on 0: cash 5 "c" 10, 10/10`)

	// What BK's own users do meanwhile has no id; but it counts.
	own := &bkv1.Trade{
		Type: bkv1.TradeType_TRADE_TYPE_EXCHANGE, ExecutedAt: timestamppb.New(time.UnixMilli(1381132800000)), ClientTradeId: "mine", Account: bankmap.AccountRef(1),
		Direction: bkv1.Direction_DIRECTION_BUY, Quantity: "5", Price: "10", Currency: "USD", Capacity: bkv1.Capacity_CAPACITY_AGENCY, Mic: "XNYS", ExecMpid: "ABCD",
		Instrument: &bkv1.Identifier{Type: bkv1.IdentifierType_IDENTIFIER_TYPE_TICKER, Value: "IBM", Country: "USA", Currency: "USD"},
	}
	receipt := w.own(&bkv1.Command{Key: "mine", TradeDate: 20131007, Command: &bkv1.Command_Trade{Trade: own}})
	w.own(&bkv1.Command{Key: "cancel mine", Command: &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: &bkv1.Target{Trade: receipt.TradeId}}}})
	w.own(&bkv1.Command{Key: "cash", Command: &bkv1.Command_Event{Event: &bkv1.NewEvent{Kind: "cash.deposit", Fields: map[string]string{"account": "1", "currency": "USD", "amount": "3"}}}})
	w.own(&bkv1.Command{Key: "fx", Command: &bkv1.Command_Event{Event: &bkv1.NewEvent{Kind: "interest.credit", Fields: map[string]string{"account": "1", "currency": "USD", "amount": "4"}}}})
	w.own(&bkv1.Command{Key: "move", Command: &bkv1.Command_Entry{Entry: &bkv1.NewEntry{Postings: []*bkv1.NewPosting{
		{Account: bankmap.AccountRef(1), Instrument: own.Instrument, Quantity: "2.5"}, {Account: bankmap.AccountRef(2), Instrument: own.Instrument, Quantity: "-2.5"},
	}}}})
	w.says("BK's own users, before BK was the primary")
	if silent := w.to.Silent(); silent.Unnamed != 3 || silent.Foreign != 3 {
		t.Errorf("silent: %+v", silent)
	}

	head := w.head()
	w.enter(mode.BKPrimary, head+1, 100-head, 200-head)
	id := w.book(w.trade(`"cancel_trade_id":"T3"`))[0]
	w.says("the first of BK's", fmt.Sprintf(`canceled 1 T3 on 0: canceled 2.5/2.5, 7/7 for 18 by %d`, id), fmt.Sprintf(`canceled 2 T3 on 0: canceled -2.5/-2.5, 0/0 for 18 by %d`, id),
		`opened 1 T4 on 0: open 102.5/2.5, -993/7 for 19`)
	if id != 102 {
		t.Errorf("it is trade %d", id)
	}
	four := w.trade(`"account_id":2`)
	replay(bank.Replay{TradeID: 70, BookedAt: 1381132800666, Request: &four}) // a third system's
	w.says("a replay", `opened 2 T5 on 0: open 97.5/-2.5, -1000/0`)
	own.ClientTradeId, own.Account = "later", bankmap.AccountRef(4)
	later := w.own(&bkv1.Command{Key: "later", TradeDate: 20131007, Command: &bkv1.Command_Trade{Trade: own}})
	w.says("BK's own users, now that their trades have ids", `opened 4 later on 0: open 5/0, -50/0`)

	w.enter(mode.BankPrimary, w.head()+1, 0, 0)
	five := w.trade(`"account_id":3`)
	replay(bank.Replay{TradeID: 300, BookedAt: 1381132800777, Request: &five})
	w.own(&bkv1.Command{Key: "cancel later", Command: &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: &bkv1.Target{Trade: later.TradeId}}}})
	own.ClientTradeId = "unnamed"
	w.own(&bkv1.Command{Key: "unnamed", TradeDate: 20131007, Command: &bkv1.Command_Trade{Trade: own}})
	w.says("back", `opened 3 T6 on 0: open 100/0, -990/10`, `canceled 4 later on 0: canceled 0/0, 0/0`)
}

// TestStranger makes sure that an account that Bank doesn't know has no events, and that what BK alone can do is told as far as Bank has words for it.
func TestStranger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mode.BKPrimary)
	ctx := t.Context()
	if _, err := w.client.Directory.CreateAccount(ctx, connect.NewRequest(&bkv1.CreateAccountRequest{Account: &bkv1.Account{Id: 9, Code: "cust:nine"}})); err != nil {
		t.Fatal(err)
	}
	w.roll(20131007)
	id := w.book(w.trade(`"date":20131001`))[0]
	w.says("a trade that settles at once", `rolled 0-20131007`, `opened 1 T1 on 20131007: open 100/0, -1000/0`, `settled 1 T1 on 20131007: settled 100/100, -1000/-1000`)
	before := w.to.Silent()
	w.own(&bkv1.Command{Key: "over", Command: &bkv1.Command_Event{Event: &bkv1.NewEvent{Kind: "journal.cash", Fields: map[string]string{"from": "1", "to": "9", "currency": "USD", "amount": "3"}}}})
	w.own(&bkv1.Command{Key: "in", Command: &bkv1.Command_Event{Event: &bkv1.NewEvent{Kind: "cash.deposit", Fields: map[string]string{"account": "9", "currency": "USD", "amount": "3"}}}})
	events := w.events()
	if len(events) != 1 || !strings.HasPrefix(brief(&events[0]), "journal 1 USD on 20131007: cash ") || events[0].Balance.String() != "-1003" {
		t.Errorf("events %v", events)
	}
	if silent := w.to.Silent(); silent.Unknown != before.Unknown+2 {
		t.Errorf("silent: %+v, before %+v", silent, before)
	}
	// A settled trade is cancelled: Bank has no word for the reversal of the settlement.
	booked, err := w.client.Query.GetTrade(ctx, connect.NewRequest(&bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Key{Key: "1/T1"}, AtLeast: "head"}))
	if err != nil {
		t.Fatal(err)
	}
	w.own(&bkv1.Command{Key: "undo", Command: &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: &bkv1.Target{Trade: booked.Msg.Trade.Id}}}})
	w.says("what is settled is cancelled", `canceled 1 T1 on 20131007: canceled 0/0, -3/-3`)
	if silent := w.to.Silent(); silent.Foreign != before.Foreign+1 || id != bank.ID(1000+booked.Msg.Trade.Id) {
		t.Errorf("silent: %+v, trade %d", silent, id)
	}
}

// TestMissing makes sure that a trade that is not in the state is told as if it were.
func TestMissing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mode.BKPrimary)
	w.book(w.trade(""), w.trade(`"cancel_trade_id":"T1","type":"transfer_trade","target_account_id":2,"user_data":{"b":1,"a":2},"order_id":"`+strings.Repeat("é", 200)+`"`))
	w.roll(20131015)
	records := w.read(w.head())
	events := translate(t, rehydrate.New(w.stream()), newView(), records)
	var forgetful []bank.Event
	to, v := rehydrate.New(w.stream()), newView()
	for _, r := range records {
		forgetful = append(forgetful, translate(t, to, v, []placed{r})...)
		clear(v.trades)
	}
	if len(events) < 7 || len(events) != len(forgetful) {
		t.Fatalf("%d events, %d without the state of trades", len(events), len(forgetful))
	}
	for i := range events {
		if whole(&events[i]) != whole(&forgetful[i]) {
			t.Errorf("%s, without the state of trades %s", whole(&events[i]), whole(&forgetful[i]))
		}
	}
}

// TestLong makes sure that what is too long for BK's own metadata is in the event nevertheless.
func TestLong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mode.BKPrimary)
	trades := make([]bank.Trade, 110)
	for i := range trades {
		trades[i] = w.trade(fmt.Sprintf(`"date":20131009,"user_data":{"n":%d,"x":%q}`, i, strings.Repeat("é<", 10<<10)))
	}
	w.roll(20131008)
	w.book(trades...)
	w.roll(20131009)
	n, elsewhere := 0, 0
	for _, e := range w.events() {
		if e.Trade == nil {
			continue
		}
		if !e.Trade.Same(&trades[n%len(trades)]) {
			t.Fatalf("event %d is of %s", n, e.Trade.AppendJSON(nil)[:300])
		}
		n++
	}
	for _, kept := range w.v.trades {
		if bankmap.IsHashed(kept.Extras) {
			elsewhere++
		}
	}
	if n != 2*len(trades) || elsewhere != len(trades) {
		t.Errorf("%d events; of %d trades the text is elsewhere", n, elsewhere)
	}
}

// TestPoison makes sure that what can't be told is an error that says where and why, and changes nothing.
func TestPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mode.BKPrimary)
	w.roll(20131007)
	w.book(w.trade(`"user_data":1`))
	w.cash(bank.Deposit, "in", 1, 0, "5")
	var booking, cash, day, open rehydrate.Record
	for _, r := range w.read(w.head()) {
		switch {
		case r.Entry.Kind == "cash.deposit":
			cash = r.Record
		case r.Entry.Kind == "day.end":
			day = r.Record
		case r.Entry.Account != nil && r.Account == 1:
			open = r.Record
		case r.Entry.Trade != nil:
			booking = r.Record
		}
	}
	most := ledger.AmountFromBits(1<<61, 0)
	for _, test := range []struct {
		name   string
		record rehydrate.Record
		spoil  func(r *rehydrate.Record, v *view)
		says   string
	}{
		{"empty", booking, func(r *rehydrate.Record, _ *view) { r.Entry = &bkv1.Entry{} }, "no entry of BK's journal"},
		{"without a value", booking, func(r *rehydrate.Record, _ *view) { r.Entry = nil }, "no entry of BK's journal"},
		{"without an account", booking, func(r *rehydrate.Record, _ *view) { r.Account = 0 }, "its key is no account"},
		{"quantity", booking, func(r *rehydrate.Record, _ *view) { r.Entry.Postings[0].Quantity = "1e3" }, `postings[0].quantity: "1e3" is not a decimal`},
		{"posting's instrument", booking, func(r *rehydrate.Record, _ *view) { r.Entry.Postings[0].Instrument = 0 }, "postings[0].instrument: 0"},
		{"instrument", booking, func(r *rehydrate.Record, _ *view) { r.Entry.Trade.Trade.Instrument.Value = "NONE" }, "BK does not have it"},
		{"currency", booking, func(r *rehydrate.Record, _ *view) { r.Entry.Trade.Trade.Currency = "XXX" }, "BK does not have it"},
		{"price", booking, func(r *rehydrate.Record, _ *view) { r.Entry.Trade.Trade.Price = "ten" }, `price: "ten"`},
		{"gross", booking, func(r *rehydrate.Record, _ *view) { r.Entry.Trade.Gross = "much" }, `gross: "much"`},
		{"extras", booking, func(r *rehydrate.Record, _ *view) { r.Entry.Metadata = map[string]string{"bank": "{"} }, "metadata.bank"},
		{"terms", booking, func(r *rehydrate.Record, _ *view) { r.Entry.Trade.Trade = nil }, "trade: it has no terms"},
		{"replaced", booking, func(r *rehydrate.Record, _ *view) { r.Entry.Trade.Corrects = 1 << 40 }, "the trade that it replaces: the booking of trade 1099511627776: BK does not have it"},
		{"never booked", booking, func(r *rehydrate.Record, _ *view) { r.Entry.Kind, r.Entry.Trade.Id = "trade.settle", 1<<40 }, "the booking of trade 1099511627776: BK does not have it"},
		{"sum", booking, func(_ *rehydrate.Record, v *view) {
			for _, p := range booking.Entry.Postings {
				v.SetHolding(state.HoldingKey{Account: 1, Instrument: p.Instrument}, state.Holding{Unsettled: most})
			}
		}, "beyond what can be held"},
		{"cash's amount", cash, func(r *rehydrate.Record, _ *view) { r.Entry.Fields["amount"] = "" }, ""},
		{"cash's account", cash, func(r *rehydrate.Record, _ *view) { r.Entry.Fields["account"] = "x" }, "account"},
		{"another's cash", cash, func(r *rehydrate.Record, _ *view) { r.Entry.Fields["account"] = "2" }, "party to it: false"},
		{"no cash", cash, func(r *rehydrate.Record, _ *view) { r.Entry.Postings = nil }, "it moves 0 instruments"},
		{"another day", day, func(r *rehydrate.Record, _ *view) { r.Entry.Day.Date = 20131008 }, "day.date: 20131008 ends at a place where the business date is 20131007"},
		{"another's account", open, func(r *rehydrate.Record, _ *view) { r.Account = 2 }, "it opens account 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newView()
			r := test.record
			r.Entry = proto.Clone(r.Entry).(*bkv1.Entry)
			test.spoil(&r, v)
			before := v.clone()
			_, err := w.to.Apply(t.Context(), v, r)
			if test.says == "" {
				if err != nil {
					t.Errorf("error: %v", err)
				}
				return
			}
			if !errors.Is(err, rehydrate.ErrPoison) || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "leg 0 of ") {
				t.Errorf("error: %v", err)
			}
			if !v.same(before) {
				t.Errorf("the state has changed")
			}
		})
	}
}

// TestAway makes sure that what may pass is no poison, changes nothing, and passes: BK's API is away, the façade's database, a step is under way.
func TestAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, mode.BKPrimary)
	w.book(w.trade(""), w.trade(`"cancel_trade_id":"T1"`))
	records := w.read(w.head())
	lookup, err := books.NewStream(books.StreamConfig{Client: w.client, Pool: w.pool, ReadFor: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(lookup.Close)
	to, v := rehydrate.New(lookup), newView()

	_, err = w.pool.Exec(t.Context(), `INSERT INTO facade.switch (from_epoch, to_mode, who, why, coordinator, drain_until) VALUES (1, 'bk-only', 'w', 'w', 'c', clock_timestamp() + interval '1 minute')`)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, r := range records {
		before := v.clone()
		short, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := to.Apply(short, v, r.Record)
		cancel()
		if err == nil {
			continue
		}
		tried++
		if errors.Is(err, rehydrate.ErrPoison) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "a step to another mode is under way") {
			t.Errorf("during a step: %v", err)
		}
		if !v.same(before) {
			t.Error("the state has changed")
		}
		break
	}
	if tried == 0 {
		t.Fatal("no record needed an id")
	}
	if _, err := w.pool.Exec(t.Context(), `UPDATE facade.switch SET ended_at = clock_timestamp(), outcome = 'given up'`); err != nil {
		t.Fatal(err)
	}
	if events := translate(t, to, newView(), records); len(events) != 3 {
		t.Errorf("%d events", len(events))
	}

	fresh, err := books.NewStream(books.StreamConfig{Client: w.client, Pool: w.pool, ReadFor: time.Millisecond, CallTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fresh.Close)
	w.pool.Close()
	failed := 0
	for _, r := range records {
		if _, err := rehydrate.New(fresh).Apply(t.Context(), newView(), r.Record); err != nil {
			if failed++; errors.Is(err, rehydrate.ErrPoison) {
				t.Errorf("without the façade's database: %v", err)
			}
		}
	}
	if failed == 0 {
		t.Error("nothing needs the façade's database")
	}
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	if g, w := strings.Join(got, "\n  "), strings.Join(want, "\n  "); g != w {
		t.Errorf("got\n  %s\nwant\n  %s", g, w)
	}
}
