package api_test

import (
	"slices"
	"testing"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// summary gives a trade as ListTrades has it.
func (b *books) summary(t testing.TB, id int64, knownAt string) *bkv1.TradeSummary {
	t.Helper()
	res, err := b.Query.ListTrades(t.Context(), connect.NewRequest(&bkv1.ListTradesRequest{KnownAt: knownAt, AtLeast: "head"}))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range res.Msg.Trades {
		if r.Id == id {
			return r
		}
	}
	t.Fatalf("trade %d is not there, known at %q", id, knownAt)
	return nil
}

// TestLinkedTrades: a trade that is booked in place of a cancelled one shows on both, from its own place on; the last one of several counts.
func TestLinkedTrades(t *testing.T) {
	t.Parallel()
	b := serve(t)
	old := b.book(t, buying("old"))
	canceled, err := b.Booking.CancelTrade(t.Context(), connect.NewRequest(&bkv1.CancelTradeRequest{Key: "cancel", Target: &bkv1.Target{Key: "old"}}))
	if err != nil {
		t.Fatal(err)
	}
	linking := func(key string) *bkv1.BookTradeRequest {
		r := buying(key)
		// By key, which has booked nothing, or else by id.
		r.Replaces = &bkv1.Replaces{Key: "nothing", Trade: old.TradeId, LinkIfCanceled: true, UnlessSettled: true}
		return r
	}
	first := b.book(t, linking("first"))
	second := b.book(t, linking("second"))
	for _, row := range []struct {
		known string
		by    int64
	}{{canceled.Msg.Receipt.Token, 0}, {first.Token, first.TradeId}, {second.Token, second.TradeId}, {"", second.TradeId}} {
		req := tradeByID(old.TradeId)
		req.KnownAt = row.known
		r := b.trade(t, req).Trade
		s := b.summary(t, old.TradeId, row.known)
		if r.ReplacedBy != row.by || s.ReplacedBy != row.by || r.State != stateCanceled || s.State != stateCanceled || s.CanceledBy != canceled.Msg.Receipt.EntryId {
			t.Errorf("known at %q: %v, %v; should be replaced by %d", row.known, r, s, row.by)
		}
	}
	entries := b.trade(t, tradeByID(old.TradeId)).Entries
	last := entries[len(entries)-1]
	if len(entries) != 4 || last.Kind != string(ledger.KindLink) || last.Key != "" || len(last.Postings) != 0 || last.Links.ReplacedBy != second.TradeId ||
		last.Links.Trade != old.TradeId || last.Sequence != entries[2].Sequence+2 || last.Trade.GetState() != stateCanceled {
		t.Errorf("%d entries, the last is %v", len(entries), last)
	}
	if r := b.trade(t, tradeByID(second.TradeId)).Trade; r.Corrects != old.TradeId {
		t.Errorf("the new one: %v", r)
	}
	again := linking("second")
	again.Replaces.UnlessSettled = false
	_, err = b.Booking.BookTrade(t.Context(), connect.NewRequest(again))
	refused(t, err, connect.CodeAlreadyExists, "key_conflict", "key")
}

// TestUnlessSettled: a cancel or a correction that asks for it is refused of a settled trade, in every form.
func TestUnlessSettled(t *testing.T) {
	t.Parallel()
	b := serve(t)
	b.book(t, buying("t"))
	b.roll(t, 20131010)
	target := &bkv1.Target{Key: "t"}
	correct := &bkv1.CorrectTradeRequest{Key: "c", TradeDate: 20131007, Target: target, Trade: buy(), UnlessSettled: true}
	_, err := b.Booking.CorrectTrade(t.Context(), connect.NewRequest(correct))
	refused(t, err, connect.CodeFailedPrecondition, "trade_settled", "target")
	_, err = b.Booking.CancelTrade(t.Context(), connect.NewRequest(&bkv1.CancelTradeRequest{Key: "c", Target: target, UnlessSettled: true}))
	refused(t, err, connect.CodeFailedPrecondition, "trade_settled", "target")
	replace := buying("c")
	replace.Replaces = &bkv1.Replaces{Key: "t", UnlessSettled: true}
	_, err = b.Booking.BookTrade(t.Context(), connect.NewRequest(replace))
	refused(t, err, connect.CodeFailedPrecondition, "trade_settled", "replaces")
	for field, c := range map[string]*bkv1.Command{
		"commands[0].cancel.target":  {Key: "c", Command: &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: target, UnlessSettled: true}}},
		"commands[0].correct.target": {Key: "c", TradeDate: 20131007, Command: &bkv1.Command_Correct{Correct: &bkv1.Correct{Target: target, Trade: buy(), UnlessSettled: true}}},
		"commands[0].replaces":       {Key: "c", TradeDate: 20131007, Replaces: replace.Replaces, Command: &bkv1.Command_Trade{Trade: buy()}},
	} {
		_, err := b.Booking.BookBatch(t.Context(), connect.NewRequest(&bkv1.BookBatchRequest{Mode: bkv1.BatchMode_BATCH_MODE_ATOMIC, Commands: []*bkv1.Command{c}}))
		refused(t, err, connect.CodeFailedPrecondition, "trade_settled", field)
	}
	correct.UnlessSettled = false
	if _, err := b.Booking.CorrectTrade(t.Context(), connect.NewRequest(correct)); err != nil {
		t.Errorf("without asking for it: %v", err)
	}
}

// TestReadsAtTheHead: without any token, a read at the leader sees all that was acknowledged before, on every projection.
func TestReadsAtTheHead(t *testing.T) {
	t.Parallel()
	b := serve(t)
	const head = "head"
	for i := range 20 {
		booked := b.book(t, buying(string(rune('a'+i))))
		trades, err := b.Query.ListTrades(t.Context(), connect.NewRequest(&bkv1.ListTradesRequest{AtLeast: head}))
		if err != nil || len(trades.Msg.Trades) != i+1 || trades.Msg.Token != booked.Token {
			t.Fatalf("%v, %v, booked %v", trades, err, booked)
		}
		lines, err := b.Query.GetStatement(t.Context(), connect.NewRequest(&bkv1.GetStatementRequest{
			Account: account("cust:100018"), Entries: []int64{booked.EntryId}, AtLeast: head,
		}))
		if err != nil || len(lines.Msg.Lines) != 2 || lines.Msg.Lines[0].EntryId != booked.EntryId {
			t.Fatalf("%v, %v", lines, err)
		}
		b.holdings(t, &bkv1.ListBalancesRequest{AtLeast: head})
	}
	b.roll(t, 20131007)
	_, rolled := b.roll(t, 20131008)
	cuts, err := b.Query.ListCuts(t.Context(), connect.NewRequest(&bkv1.ListCutsRequest{AtLeast: head}))
	if err != nil || len(cuts.Msg.Cuts) != 2 || cuts.Msg.Cuts[1].Token != rolled.Token {
		t.Fatalf("%v, %v", cuts, err)
	}
	for _, c := range cuts.Msg.Cuts {
		at, err := ledger.ParseToken(c.BeginToken)
		if err != nil {
			t.Fatal(err)
		}
		e, err := b.Query.GetEntry(t.Context(), connect.NewRequest(&bkv1.GetEntryRequest{By: &bkv1.GetEntryRequest_Id{Id: int64(ledger.MakeID(at.Shard, at.Seq))}, AtLeast: head}))
		if err != nil || e.Msg.Entry.Kind != string(ledger.KindDayBegin) || e.Msg.Entry.EffectiveDate != c.Date {
			t.Errorf("%v begins at %v, %v", c, e, err)
		}
	}
	_, err = b.Query.ListTrades(t.Context(), connect.NewRequest(&bkv1.ListTradesRequest{AtLeast: "Head"}))
	refused(t, err, connect.CodeInvalidArgument, "invalid_field", "at_least")
}

// TestTradesInStates: state and states together are all states that are wanted.
func TestTradesInStates(t *testing.T) {
	t.Parallel()
	b := serve(t)
	settled := b.book(t, buying("settled")).TradeId
	b.roll(t, 20131010)
	later := buying("open")
	later.TradeDate = 20131009
	open := b.book(t, later).TradeId
	future := buying("new")
	future.TradeDate = 20131011
	ahead := b.book(t, future).TradeId
	gone := b.book(t, buying("gone")).TradeId
	if _, err := b.Booking.CancelTrade(t.Context(), connect.NewRequest(&bkv1.CancelTradeRequest{Key: "cancel", Target: &bkv1.Target{Trade: gone}})); err != nil {
		t.Fatal(err)
	}
	one := int32(1)
	for _, row := range []struct {
		state  bkv1.TradeState
		states []bkv1.TradeState
		want   []int64
	}{
		{0, nil, []int64{settled, open, ahead, gone}},
		{0, []bkv1.TradeState{stateNew, stateOpen, stateSettled}, []int64{settled, open, ahead}},
		{stateCanceled, []bkv1.TradeState{stateOpen, stateOpen}, []int64{open, gone}},
		{stateNew, nil, []int64{ahead}},
	} {
		var got []int64
		for page := ""; ; {
			res, err := b.Query.ListTrades(t.Context(), connect.NewRequest(&bkv1.ListTradesRequest{
				State: row.state, States: row.states, PageSize: &one, PageToken: page, AtLeast: "head",
			}))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range res.Msg.Trades {
				got = append(got, r.Id)
			}
			if page = res.Msg.NextPageToken; page == "" {
				break
			}
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%v, %v: trades %v, should be %v", row.state, row.states, got, row.want)
		}
	}
	for field, states := range map[string][]bkv1.TradeState{"states[1]": {stateNew, 0}, "states[0]": {9}} {
		_, err := b.Query.ListTrades(t.Context(), connect.NewRequest(&bkv1.ListTradesRequest{States: states}))
		refused(t, err, connect.CodeInvalidArgument, "invalid_field", field)
	}
}

// TestBadChosenEntries: which entries a statement can't be asked for.
func TestBadChosenEntries(t *testing.T) {
	t.Parallel()
	b := serve(t)
	for _, c := range []struct {
		req           *bkv1.GetStatementRequest
		reason, field string
	}{
		{&bkv1.GetStatementRequest{Entries: []int64{3, 2}}, "invalid_field", "entries[1]"},
		{&bkv1.GetStatementRequest{Entries: []int64{3, 3}}, "invalid_field", "entries[1]"},
		{&bkv1.GetStatementRequest{Entries: []int64{0}}, "invalid_field", "entries[0]"},
		{&bkv1.GetStatementRequest{Entries: []int64{int64(ledger.MakeID(5, 1))}}, "invalid_field", "entries[0]"},
		{&bkv1.GetStatementRequest{Entries: make([]int64, 1001)}, "too_large", "entries"},
		{&bkv1.GetStatementRequest{Entries: []int64{1}, FromDate: 20131007}, "invalid_field", "entries"},
		{&bkv1.GetStatementRequest{Entries: []int64{1}, ToDate: 20131007}, "invalid_field", "entries"},
		{&bkv1.GetStatementRequest{Entries: []int64{1}, AsOf: 20131007}, "invalid_field", "entries"},
	} {
		c.req.Account = account("cust:100018")
		_, err := b.Query.GetStatement(t.Context(), connect.NewRequest(c.req))
		refused(t, err, connect.CodeInvalidArgument, c.reason, c.field)
	}
}
