package api_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/dayroll"
)

// roll takes the business date to a day, which must succeed.
func (b *books) roll(t testing.TB, to int32) (days []*bkv1.RolledDay, summary *bkv1.RollSummary) {
	t.Helper()
	days, summary, err := b.tryRoll(t.Context(), &bkv1.RollRequest{To: to})
	if err != nil || summary == nil || summary.Date != to || int(summary.Days) != len(days) {
		t.Fatalf("roll to %d: %v, %v, %v", to, days, summary, err)
	}
	return days, summary
}

func (b *books) tryRoll(ctx context.Context, req *bkv1.RollRequest) (days []*bkv1.RolledDay, summary *bkv1.RollSummary, err error) {
	stream, err := b.Admin.Roll(ctx, connect.NewRequest(req))
	if err != nil {
		return nil, nil, err
	}
	defer stream.Close()
	for stream.Receive() {
		if day := stream.Msg().GetDay(); day != nil {
			days = append(days, day)
		}
		if s := stream.Msg().GetSummary(); s != nil {
			summary = s
		}
	}
	return days, summary, stream.Err()
}

// event books an event that must be accepted.
func (b *books) event(t testing.TB, key string, event *bkv1.NewEvent) *bkv1.Receipt {
	t.Helper()
	res, err := b.Booking.BookEvent(t.Context(), connect.NewRequest(&bkv1.BookEventRequest{Key: key, Event: event}))
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg.Receipt
}

func (b *books) trade(t testing.TB, req *bkv1.GetTradeRequest) *bkv1.GetTradeResponse {
	t.Helper()
	res, err := b.Query.GetTrade(t.Context(), connect.NewRequest(req))
	if err != nil {
		t.Fatal(err)
	}
	return res.Msg
}

func tradeByID(id int64) *bkv1.GetTradeRequest {
	return &bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Id{Id: id}}
}

// holdings writes all balances of an account as "AAPL u+s".
func (b *books) holdings(t testing.TB, req *bkv1.ListBalancesRequest) (all []string) {
	t.Helper()
	req.Account, req.NonZero = account("cust:100018"), true
	one := int32(1)
	req.PageSize = &one
	for {
		res, err := b.Query.ListBalances(t.Context(), connect.NewRequest(req))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range res.Msg.Balances {
			all = append(all, fmt.Sprintf("%s %s+%s", r.Symbol, r.Unsettled, r.Settled))
		}
		if req.PageToken = res.Msg.NextPageToken; req.PageToken == "" {
			slices.Sort(all)
			return all
		}
	}
}

const (
	stateNew      = bkv1.TradeState_TRADE_STATE_NEW
	stateOpen     = bkv1.TradeState_TRADE_STATE_OPEN
	stateSettled  = bkv1.TradeState_TRADE_STATE_SETTLED
	stateCanceled = bkv1.TradeState_TRADE_STATE_CANCELED
)

// TestDaysOfATrade takes a trade of 2013-10-07, which settles on the 10th, through its life, and asks about each day afterwards.
func TestDaysOfATrade(t *testing.T) {
	t.Parallel()
	b := serve(t)
	if days, _ := b.roll(t, 20131004); len(days) != 1 || days[0].CutRows != 0 || len(days[0].CutHash) != 64 {
		t.Errorf("the first roll: %v", days)
	}
	booked := b.book(t, buying("b"))
	if r := b.trade(t, tradeByID(booked.TradeId)).Trade; r.State != stateNew || r.SettleDate != 20131010 {
		t.Errorf("booked before its day: %v", r)
	}
	if got := b.holdings(t, &bkv1.ListBalancesRequest{AtLeast: booked.Token}); got != nil {
		t.Errorf("a new trade has done %v", got)
	}
	days, opened := b.roll(t, 20131009)
	if len(days) != 5 || days[2].Date != 20131007 || days[2].Opened != 1 || days[2].CutRows != 4 || days[4].Token != opened.Token {
		t.Errorf("five days: %v", days)
	}
	days, settled := b.roll(t, 20131010)
	if len(days) != 1 || days[0].Settled != 1 || days[0].Opened != 0 {
		t.Errorf("settlement: %v", days)
	}
	if days, again := b.roll(t, 20131010); len(days) != 0 || again.Token == "" {
		t.Errorf("rolled again: %v, %v", days, again)
	}
	date, err := b.Query.GetBusinessDate(t.Context(), connect.NewRequest(&bkv1.GetBusinessDateRequest{AtLeast: settled.Token}))
	if err != nil || date.Msg.Date != 20131010 || date.Msg.Rolling || date.Msg.To != 20131010 {
		t.Errorf("business date: %v, %v", date, err)
	}

	whole := []string{"AAPL 0+100", "USD 0+-16741"}
	unsettled := []string{"AAPL 100+0", "USD -16741+0"}
	for _, row := range []struct {
		asOf    int32
		known   string
		state   bkv1.TradeState
		holding []string
	}{
		{0, "", stateSettled, whole},
		{20131006, "", stateNew, nil},
		{20131007, "", stateOpen, unsettled},
		{20131009, settled.Token, stateOpen, unsettled},
		{20131010, "", stateSettled, whole},
		{20131010, opened.Token, stateOpen, unsettled},
		{20131031, booked.Token, stateNew, nil},
		{0, opened.Token, stateOpen, unsettled},
	} {
		t.Run(fmt.Sprintf("as of %d known at %s", row.asOf, row.known), func(t *testing.T) {
			get := tradeByID(booked.TradeId)
			get.AsOf, get.KnownAt = row.asOf, row.known
			if got := b.trade(t, get).Trade.State; got != row.state {
				t.Errorf("GetTrade: %s, want %s", got, row.state)
			}
			list, err := b.Query.ListTrades(t.Context(), connect.NewRequest(&bkv1.ListTradesRequest{AsOf: row.asOf, KnownAt: row.known, AtLeast: settled.Token}))
			if err != nil || len(list.Msg.Trades) != 1 || list.Msg.Trades[0].State != row.state {
				t.Errorf("ListTrades: %v, %v, want %s", list, err, row.state)
			}
			if got := b.holdings(t, &bkv1.ListBalancesRequest{AsOf: row.asOf, KnownAt: row.known, AtLeast: settled.Token}); !slices.Equal(got, row.holding) {
				t.Errorf("ListBalances: %v, want %v", got, row.holding)
			}
			statement, err := b.Query.GetStatement(t.Context(), connect.NewRequest(&bkv1.GetStatementRequest{
				Account: account("cust:100018"), Instrument: ticker("AAPL"), AsOf: row.asOf, KnownAt: row.known, AtLeast: settled.Token,
			}))
			want := map[bkv1.TradeState]int{stateNew: 0, stateOpen: 1, stateSettled: 3}[row.state]
			if err != nil || len(statement.Msg.Lines) != want {
				t.Errorf("GetStatement: %v, %v, want %d lines", statement, err, want)
			}
		})
	}
}

// TestCorrectionOfThePast corrects a settled trade: its own past changes, what was known does not.
func TestCorrectionOfThePast(t *testing.T) {
	t.Parallel()
	b := serve(t)
	b.roll(t, 20131007)
	first := b.book(t, buying("c1"))
	sell := buying("c2")
	sell.TradeDate, sell.Trade.Direction, sell.Trade.Quantity, sell.Trade.Price = 20131008, bkv1.Direction_DIRECTION_SELL, "40", "170"
	sell.Trade.OmitSec, sell.Trade.OmitTaf = true, true
	b.book(t, sell)
	_, rolled := b.roll(t, 20131015)
	before := time.Now()
	eventually(t, "the clock has gone on", func() bool { return time.Since(before) > 2*time.Microsecond })

	better := buy()
	better.Price = "160.41"
	corrected, err := b.Booking.CorrectTrade(t.Context(), connect.NewRequest(&bkv1.CorrectTradeRequest{
		Key: "correction", TradeDate: 20131007, Target: &bkv1.Target{Trade: first.TradeId}, Trade: better,
	}))
	if err != nil {
		t.Fatal(err)
	}
	r := corrected.Msg.Receipt
	renewed := b.trade(t, &bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Id{Id: r.TradeId}, AtLeast: r.Token})
	if renewed.Trade.State != stateSettled || renewed.Trade.SettleDate != 20131015 || len(renewed.Entries) != 2 || renewed.Entries[1].Kind != string(ledger.KindSettle) ||
		renewed.Entries[1].Links.Root != first.TradeId || r.Token != fmt.Sprint("0:", renewed.Entries[1].Sequence) {
		t.Errorf("the correction, settled at once: %v, receipt %v", renewed, r)
	}
	old := b.trade(t, tradeByID(first.TradeId))
	kinds := []string{}
	for _, e := range old.Entries {
		kinds = append(kinds, e.Kind+" "+e.Trade.State.String()[len("TRADE_STATE_"):])
	}
	if want := []string{"trade.exchange NEW", "trade.open OPEN", "trade.settle SETTLED", "trade.reverse OPEN", "trade.cancel CANCELED"}; first.TradeId == 0 || !slices.Equal(kinds[len(kinds)-2:], want[3:]) {
		t.Errorf("the life of the corrected trade: %v", kinds)
	}
	if old.Trade.State != stateCanceled || old.Trade.ReplacedBy != r.TradeId {
		t.Errorf("the corrected trade: %v", old.Trade)
	}

	for _, row := range []struct{ known, cost, realised string }{
		{"", "9624.6", "383.6"},
		{rolled.Token, "10044.6", "103.6"},
		{before.UTC().Format(time.RFC3339Nano), "10044.6", "103.6"},
		{r.Token, "9624.6", "383.6"},
	} {
		res, err := b.Query.ListPositions(t.Context(), connect.NewRequest(&bkv1.ListPositionsRequest{
			Account: account("cust:100018"), Instrument: ticker("AAPL"), KnownAt: row.known, AtLeast: r.Token,
		}))
		if err != nil || len(res.Msg.Positions) != 1 {
			t.Fatalf("known at %q: %v, %v", row.known, res, err)
		}
		p := res.Msg.Positions[0]
		if p.TradeDate != "60" || p.Long != "60" || p.Short != "0" || p.Settled != "60" || p.Cost != row.cost || p.Realised != row.realised || p.Currency != "USD" {
			t.Errorf("known at %q: %v, want %v", row.known, p, row)
		}
	}
	past := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)
	for _, known := range []string{past, "0:0", "0:1"} {
		if got := b.holdings(t, &bkv1.ListBalancesRequest{KnownAt: known}); got != nil {
			t.Errorf("known at %s: %v", known, got)
		}
		_, err := b.Query.GetTrade(t.Context(), connect.NewRequest(&bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Key{Key: "c1"}, KnownAt: known}))
		refused(t, err, nothere, "trade_not_found", "key")
	}
}

// TestCashStockRecordAndCuts reads what is open, who has what, and what is frozen.
func TestCashStockRecordAndCuts(t *testing.T) {
	t.Parallel()
	b := serve(t)
	b.roll(t, 20131007)
	b.event(t, "d", &bkv1.NewEvent{Kind: "cash.deposit", Fields: map[string]string{"account": "cust:100018", "currency": "USD", "amount": "50000"}})
	b.book(t, buying("1"))
	sell := buying("2")
	sell.TradeDate, sell.Trade.Direction, sell.Trade.Short, sell.Trade.Account = 20131007, bkv1.Direction_DIRECTION_SELL, true, account("cust:100019")
	sell.Trade.OmitSec, sell.Trade.OmitTaf, sell.Trade.Quantity = true, true, "30"
	last := b.book(t, sell)
	one := int32(1)
	var cash []*bkv1.Cash
	for page := ""; ; {
		res, err := b.Query.ListCash(t.Context(), connect.NewRequest(&bkv1.ListCashRequest{CustomersOnly: true, NonZero: true, PageSize: &one, PageToken: page, AtLeast: last.Token}))
		if err != nil {
			t.Fatal(err)
		}
		cash = append(cash, res.Msg.Cash...)
		if page = res.Msg.NextPageToken; page == "" {
			break
		}
	}
	if len(cash) != 2 || cash[0].Settled != "50000" || cash[0].Unsettled != "-16741" || cash[0].TradeDate != "33259" || cash[0].Debits != "16741" ||
		cash[0].Credits != "0" || len(cash[0].Dates) != 1 || cash[0].Dates[0].SettleDate != 20131010 || cash[1].Credits != "5022.3" || cash[0].Currency != "USD" {
		t.Errorf("cash %v", cash)
	}

	record, err := b.Query.GetStockRecord(t.Context(), connect.NewRequest(&bkv1.GetStockRecordRequest{Instrument: ticker("AAPL"), PageSize: &one, AtLeast: last.Token}))
	if err != nil || len(record.Msg.Rows) != 1 || record.Msg.NextPageToken == "" || record.Msg.Rows[0].AccountCode != "cust:100018" {
		t.Errorf("stock record: %v, %v", record, err)
	}
	totals, err := b.Query.ListStockRecords(t.Context(), connect.NewRequest(&bkv1.ListStockRecordsRequest{AtLeast: last.Token}))
	if err != nil || len(totals.Msg.Totals) != 1 {
		t.Fatalf("stock records: %v, %v", totals, err)
	}
	if r := totals.Msg.Totals[0]; r.Symbol != "AAPL" || r.Long != "100" || r.Short != "30" || r.Located != "-70" || r.Difference != "0" || len(r.Kinds) != 2 {
		t.Errorf("stock record of AAPL: %v", r)
	}

	_, rolled := b.roll(t, 20131010)
	var cuts []*bkv1.Cut
	for page := ""; ; {
		res, err := b.Query.ListCuts(t.Context(), connect.NewRequest(&bkv1.ListCutsRequest{PageSize: &one, PageToken: page, AtLeast: rolled.Token}))
		if err != nil {
			t.Fatal(err)
		}
		cuts = append(cuts, res.Msg.Cuts...)
		if page = res.Msg.NextPageToken; page == "" {
			break
		}
	}
	if len(cuts) != 4 || cuts[0].Rows != 0 || cuts[3].Date != 20131010 || cuts[3].Rows != 6 || cuts[3].Token != rolled.Token || cuts[1].Hash == cuts[2].Hash {
		t.Fatalf("cuts %v", cuts)
	}
	rows := 0
	for page := ""; ; {
		res, err := b.Query.ListCutRows(t.Context(), connect.NewRequest(&bkv1.ListCutRowsRequest{Date: 20131010, PageSize: &one, PageToken: page}))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range res.Msg.Rows {
			rows++
			if r.Unsettled != "0" || r.Settled != r.TradeDate || r.AccountCode == "" {
				t.Errorf("row %v", r)
			}
		}
		if page = res.Msg.NextPageToken; page == "" {
			break
		}
	}
	if rows != 6 {
		t.Errorf("%d rows in the cut", rows)
	}
}

// TestStreetByItself rolls without the street and settles it by an event.
func TestStreetByItself(t *testing.T) {
	t.Parallel()
	b := serve(t)
	b.roll(t, 20131007)
	trade := b.book(t, buying("s"))
	if _, _, err := b.tryRoll(t.Context(), &bkv1.RollRequest{To: 20131010, WithoutStreet: true}); err != nil {
		t.Fatal(err)
	}
	list := func() *bkv1.TradeSummary {
		res, err := b.Query.ListTrades(t.Context(), connect.NewRequest(&bkv1.ListTradesRequest{State: stateSettled, AtLeast: b.journal.Head().String()}))
		if err != nil || len(res.Msg.Trades) != 1 {
			t.Fatalf("settled: %v, %v", res, err)
		}
		return res.Msg.Trades[0]
	}
	if r := list(); r.StreetSettled || r.SettledBy == 0 || r.OpenedBy != trade.EntryId {
		t.Errorf("before the street: %v", r)
	}
	settle := &bkv1.NewEvent{Kind: "trade.settle_street", Target: &bkv1.Target{Trade: trade.TradeId}}
	receipt := b.event(t, "street", settle)
	if receipt.TradeId != trade.TradeId {
		t.Errorf("receipt %v", receipt)
	}
	if r := list(); !r.StreetSettled {
		t.Errorf("after the street: %v", r)
	}
	_, err := b.Booking.BookEvent(t.Context(), connect.NewRequest(&bkv1.BookEventRequest{Key: "street again", Event: settle}))
	refused(t, err, connect.CodeFailedPrecondition, "trade_settled", "event.target")
}

// TestPagesStayAtTheirTime walks pages with a known_at in the future while bookings go on: the walk stays where it began.
func TestPagesStayAtTheirTime(t *testing.T) {
	t.Parallel()
	b := serve(t)
	for i := range 3 {
		b.book(t, buying(fmt.Sprint("f", i)))
	}
	future, one := time.Now().Add(time.Hour).Format(time.RFC3339), int32(1)
	trades := 0
	for page := ""; ; {
		res, err := b.Query.ListTrades(t.Context(), connect.NewRequest(&bkv1.ListTradesRequest{KnownAt: future, PageSize: &one, PageToken: page, AtLeast: b.journal.Head().String()}))
		if err != nil {
			t.Fatal(err)
		}
		trades += len(res.Msg.Trades)
		b.book(t, buying(fmt.Sprint("later", trades)))
		if page = res.Msg.NextPageToken; page == "" {
			break
		}
	}
	if trades != 3 {
		t.Errorf("%d trades on the walk, 3 were known", trades)
	}
}

// TestPagesKeepTheirFilters: a page token is for the filters of its walk, dates and numbers among them.
func TestPagesKeepTheirFilters(t *testing.T) {
	t.Parallel()
	b := serve(t)
	for i := range 3 {
		b.book(t, buying(fmt.Sprint("p", i)))
	}
	one := int32(1)
	first, err := b.Query.ListTrades(t.Context(), connect.NewRequest(&bkv1.ListTradesRequest{AsOf: 20131008, FromDate: 20131001, PageSize: &one, AtLeast: b.journal.Head().String()}))
	if err != nil || first.Msg.NextPageToken == "" {
		t.Fatalf("%v, %v", first, err)
	}
	for name, req := range map[string]*bkv1.ListTradesRequest{
		"another as_of": {AsOf: 20131009, FromDate: 20131001}, "another from_date": {AsOf: 20131008, FromDate: 20131002}, "neither": {},
	} {
		req.PageSize, req.PageToken = &one, first.Msg.NextPageToken
		_, err := b.Query.ListTrades(t.Context(), connect.NewRequest(req))
		t.Run(name, func(t *testing.T) { refused(t, err, invalid, "invalid_field", "page_token") })
	}
	again, err := b.Query.ListTrades(t.Context(), connect.NewRequest(&bkv1.ListTradesRequest{AsOf: 20131008, FromDate: 20131001, PageSize: &one, PageToken: first.Msg.NextPageToken}))
	if err != nil || len(again.Msg.Trades) != 1 || again.Msg.Trades[0].Id == first.Msg.Trades[0].Id {
		t.Errorf("the walk goes on with %v, %v", again, err)
	}
}

// TestRollRejections is the table of rolls that are none.
func TestRollRejections(t *testing.T) {
	t.Parallel()
	b := serve(t)
	b.roll(t, 20131009)
	for _, row := range []struct {
		name   string
		to     int32
		code   connect.Code
		reason string
	}{
		{"missing", 0, invalid, "missing_field"},
		{"no such day", 20131131, invalid, "invalid_field"},
		{"before 2001", 20001231, invalid, "invalid_field"},
		{"back", 20131008, connect.CodeFailedPrecondition, "day_passed"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, _, err := b.tryRoll(t.Context(), &bkv1.RollRequest{To: row.to})
			refused(t, err, row.code, row.reason, "to")
		})
	}
	bare := serveEmpty(t, func(c *api.Config) { c.Roll = nil })
	_, _, err := bare.tryRoll(t.Context(), &bkv1.RollRequest{To: 20131010})
	refused(t, err, connect.CodeUnimplemented, "unimplemented", "")
	standby := serveEmpty(t, func(c *api.Config) { c.Roll = dayroll.New(dayroll.Config{Journal: c.Journal}).Roll }) // one that never runs
	_, _, err = standby.tryRoll(t.Context(), &bkv1.RollRequest{To: 20131010})
	refused(t, err, connect.CodeUnavailable, "not_leader", "")
}

// TestRejectionsOfEventsAndReads is the table of what callers can do wrong with events and with reads of another time.
func TestRejectionsOfEventsAndReads(t *testing.T) {
	t.Parallel()
	b := serve(t)
	b.roll(t, 20131007)
	future := buying("new")
	future.TradeDate = 20131008
	unopened := b.book(t, future)
	canceled := b.book(t, buying("canceled"))
	if _, err := b.Booking.CancelTrade(t.Context(), connect.NewRequest(&bkv1.CancelTradeRequest{Key: "c", Target: &bkv1.Target{Trade: canceled.TradeId}})); err != nil {
		t.Fatal(err)
	}
	event := func(e *bkv1.NewEvent, change ...func(*bkv1.BookEventRequest)) func(context.Context) error {
		return func(ctx context.Context) error {
			req := &bkv1.BookEventRequest{Key: "rejected", Event: e}
			for _, c := range change {
				c(req)
			}
			_, err := b.Booking.BookEvent(ctx, connect.NewRequest(req))
			return err
		}
	}
	street := func(target *bkv1.Target) func(context.Context) error {
		return event(&bkv1.NewEvent{Kind: "trade.settle_street", Target: target})
	}
	deposit := &bkv1.NewEvent{Kind: "cash.deposit", Fields: map[string]string{"account": "cust:100018", "currency": "USD", "amount": "1"}}
	batch := func(e *bkv1.NewEvent) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Booking.BookBatch(ctx, connect.NewRequest(&bkv1.BookBatchRequest{
				Mode: bkv1.BatchMode_BATCH_MODE_ATOMIC, Commands: []*bkv1.Command{{Key: "rejected", Command: &bkv1.Command_Event{Event: e}}},
			}))
			return err
		}
	}
	trades := func(req *bkv1.ListTradesRequest) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Query.ListTrades(ctx, connect.NewRequest(req))
			return err
		}
	}
	positions := func(req *bkv1.ListPositionsRequest) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Query.ListPositions(ctx, connect.NewRequest(req))
			return err
		}
	}
	balances := func(req *bkv1.ListBalancesRequest) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Query.ListBalances(ctx, connect.NewRequest(req))
			return err
		}
	}
	record := func(id *bkv1.Identifier) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Query.GetStockRecord(ctx, connect.NewRequest(&bkv1.GetStockRecordRequest{Instrument: id}))
			return err
		}
	}
	cut := func(date int32) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := b.Query.ListCutRows(ctx, connect.NewRequest(&bkv1.ListCutRowsRequest{Date: date}))
			return err
		}
	}
	ours := account("cust:100018")
	const unmet = connect.CodeFailedPrecondition
	for _, row := range []struct {
		name   string
		call   func(context.Context) error
		code   connect.Code
		reason string
		field  string
	}{
		// Events.
		{"no event", event(nil), invalid, "missing_field", "event"},
		{"no kind", event(&bkv1.NewEvent{}), invalid, "missing_field", "event.kind"},
		{"no key", event(deposit, func(r *bkv1.BookEventRequest) { r.Key = "" }), invalid, "missing_field", "key"},
		{"no such day", event(deposit, func(r *bkv1.BookEventRequest) { r.EffectiveDate = 20130230 }), invalid, "invalid_field", "effective_date"},
		{"unknown kind", event(&bkv1.NewEvent{Kind: "stock.dance"}), invalid, "unknown_kind", "event.kind"},
		{"a kind with a request of its own", event(&bkv1.NewEvent{Kind: "trade.cancel"}), invalid, "invalid_field", "event.kind"},
		{"internal: open", event(&bkv1.NewEvent{Kind: "trade.open", Target: &bkv1.Target{Key: "new"}}), invalid, "invalid_field", "event.kind"},
		{"internal: settle", batch(&bkv1.NewEvent{Kind: "trade.settle", Target: &bkv1.Target{Key: "new"}}), invalid, "invalid_field", "commands[0].event.kind"},
		{"internal: reverse", event(&bkv1.NewEvent{Kind: "trade.reverse"}), invalid, "invalid_field", "event.kind"},
		{"internal: link", event(&bkv1.NewEvent{Kind: "trade.link", Target: &bkv1.Target{Key: "new"}}), invalid, "invalid_field", "event.kind"},
		{"internal: day", event(&bkv1.NewEvent{Kind: "day.begin"}), invalid, "invalid_field", "event.kind"},
		{"internal: end of day", event(&bkv1.NewEvent{Kind: "day.end"}), invalid, "invalid_field", "event.kind"},
		{"target of an event that has none", event(&bkv1.NewEvent{Kind: "cash.deposit", Fields: deposit.Fields, Target: &bkv1.Target{Key: "new"}}), invalid, "invalid_field", "event.target"},
		{"street without a target", street(nil), invalid, "missing_field", "event.target"},
		{"street of nothing", street(&bkv1.Target{}), invalid, "missing_field", "event.target"},
		{"street by the key of what is not open, and an id", street(&bkv1.Target{Trade: 1, Key: "new"}), unmet, "trade_not_open", "event.target"},
		{"street by a key of nothing, and the id of what is not open", street(&bkv1.Target{Trade: unopened.TradeId, Key: "never"}), unmet, "trade_not_open", "event.target"},
		{"street of the unknown", street(&bkv1.Target{Key: "never"}), nothere, "trade_not_found", "event.target"},
		{"street of what is not open", street(&bkv1.Target{Key: "new"}), unmet, "trade_not_open", "event.target"},
		{"street of the canceled", street(&bkv1.Target{Key: "canceled"}), unmet, "trade_already_canceled", "event.target"},
		{"amount of an event", event(&bkv1.NewEvent{Kind: "cash.deposit", Fields: map[string]string{"account": "cust:100018", "currency": "USD", "amount": "-1"}}), invalid, "invalid_field", "event.fields.amount"},
		{"account of an event", event(&bkv1.NewEvent{Kind: "cash.deposit", Fields: map[string]string{"account": "cust:nobody", "currency": "USD", "amount": "1"}}), nothere, "unknown_account", "event.fields.account"},
		// Reads.
		{"as of no day", trades(&bkv1.ListTradesRequest{AsOf: 20130230}), invalid, "invalid_field", "as_of"},
		{"as of 1999", balances(&bkv1.ListBalancesRequest{Account: ours, AsOf: 19991231}), invalid, "invalid_field", "as_of"},
		{"known at nothing", trades(&bkv1.ListTradesRequest{KnownAt: "yesterday"}), invalid, "invalid_field", "known_at"},
		{"known at a day", trades(&bkv1.ListTradesRequest{KnownAt: "2013-10-16"}), invalid, "invalid_field", "known_at"},
		{"known at another shard", trades(&bkv1.ListTradesRequest{KnownAt: "7:1"}), invalid, "invalid_field", "known_at"},
		{"known at a place to come", trades(&bkv1.ListTradesRequest{KnownAt: "0:1000000"}), invalid, "invalid_field", "known_at"},
		{"known at a long text", trades(&bkv1.ListTradesRequest{KnownAt: fmt.Sprintf("%065d", 1)}), invalid, "too_large", "known_at"},
		{"from after to", trades(&bkv1.ListTradesRequest{FromDate: 20131008, ToDate: 20131007}), invalid, "invalid_field", "from_date"},
		{"from no day", trades(&bkv1.ListTradesRequest{FromDate: 20131131}), invalid, "invalid_field", "from_date"},
		{"to no day", trades(&bkv1.ListTradesRequest{ToDate: 20131131}), invalid, "invalid_field", "to_date"},
		{"a state of tomorrow", trades(&bkv1.ListTradesRequest{State: 9}), invalid, "invalid_field", "state"},
		{"trades of nobody", trades(&bkv1.ListTradesRequest{Account: account("cust:nobody")}), nothere, "unknown_account", "account"},
		{"trades of nothing", trades(&bkv1.ListTradesRequest{Instrument: ticker("NONE")}), nothere, "unknown_instrument", "instrument"},
		{"page of another list", trades(&bkv1.ListTradesRequest{PageToken: "MSAxIDEgMQ"}), invalid, "invalid_field", "page_token"},
		{"balances as of without an account", balances(&bkv1.ListBalancesRequest{AsOf: 20131007}), invalid, "missing_field", "account"},
		{"balances known at without an account", balances(&bkv1.ListBalancesRequest{KnownAt: "0:1"}), invalid, "missing_field", "account"},
		{"positions as of without an account", positions(&bkv1.ListPositionsRequest{AsOf: 20131007}), invalid, "missing_field", "account"},
		{"missing beats invalid", positions(&bkv1.ListPositionsRequest{AsOf: 20131007, PageToken: "x"}), invalid, "missing_field", "account"},
		{"positions in nothing", positions(&bkv1.ListPositionsRequest{Instrument: ticker("NONE")}), nothere, "unknown_instrument", "instrument"},
		{"statement as of no day", func(ctx context.Context) error {
			_, err := b.Query.GetStatement(ctx, connect.NewRequest(&bkv1.GetStatementRequest{Account: ours, AsOf: 20130230}))
			return err
		}, invalid, "invalid_field", "as_of"},
		{"trade known at no time", func(ctx context.Context) error {
			_, err := b.Query.GetTrade(ctx, connect.NewRequest(&bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Key{Key: "new"}, KnownAt: "10:30:00Z"}))
			return err
		}, invalid, "invalid_field", "known_at"},
		{"record of nothing", record(nil), invalid, "missing_field", "instrument"},
		{"record of the unknown", record(ticker("NONE")), nothere, "unknown_instrument", "instrument"},
		{"record of a currency", record(usd()), invalid, "invalid_field", "instrument"},
		{"cut of no date", cut(0), invalid, "missing_field", "date"},
		{"cut of no day", cut(20131131), invalid, "invalid_field", "date"},
		{"cut of a day that has not ended", cut(20131008), nothere, "cut_not_found", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			refused(t, row.call(t.Context()), row.code, row.reason, row.field)
		})
	}
	_, err := b.Query.GetEntry(t.Context(), connect.NewRequest(&bkv1.GetEntryRequest{By: &bkv1.GetEntryRequest_Key{Key: "rejected"}}))
	refused(t, err, nothere, "entry_not_found", "")
}

// TestBookingsWaitForARoll holds the journal as a roll does: a booking waits, and is told in the end that nothing was booked, or goes through.
func TestBookingsWaitForARoll(t *testing.T) {
	t.Parallel()
	b := serve(t, func(c *api.Config) { c.Limits.CallTimeout = 300 * time.Millisecond })
	hold, err := b.journal.Hold(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Booking.BookTrade(t.Context(), connect.NewRequest(buying("waits")))
	refused(t, err, connect.CodeUnavailable, "unavailable", "")
	_, err = b.Query.GetEntry(t.Context(), connect.NewRequest(&bkv1.GetEntryRequest{By: &bkv1.GetEntryRequest_Key{Key: "waits"}}))
	refused(t, err, nothere, "entry_not_found", "")
	done := make(chan error, 1)
	stream := b.Booking.BookStream(t.Context())
	if err := stream.Send(&bkv1.BookStreamRequest{Tag: 1, Command: buyCommand("waits")}); err != nil {
		t.Fatal(err)
	}
	go func() {
		res, err := stream.Receive()
		if err == nil && res.GetReceipt() == nil {
			err = fmt.Errorf("answered %v", res)
		}
		done <- err
	}()
	select {
	case err := <-done:
		t.Errorf("answered while the journal was held: %v", err)
	case <-time.After(50 * time.Millisecond): // long enough for a booking that does not wait
	}
	hold.Release()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := stream.CloseRequest(); err != nil {
		t.Error(err)
	}
}
