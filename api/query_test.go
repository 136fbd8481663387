package api_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

func TestBatches(t *testing.T) {
	t.Parallel()
	b := serve(t)
	bad := func(key string) *bkv1.Command {
		c := buyCommand(key)
		c.GetTrade().Account.Code = "cust:nobody"
		return c
	}
	cancel := &bkv1.Command{Key: "e3", Command: &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: &bkv1.Target{Key: "e0"}}}}
	noKey := buyCommand("")
	book := func(mode bkv1.BatchMode, commands ...*bkv1.Command) (*bkv1.BookBatchResponse, error) {
		res, err := b.Booking.BookBatch(t.Context(), connect.NewRequest(&bkv1.BookBatchRequest{Mode: mode, Commands: commands}))
		if err != nil {
			return nil, err
		}
		return res.Msg, nil
	}

	each, err := book(bkv1.BatchMode_BATCH_MODE_EACH, buyCommand("e0"), bad("e1"), buyCommand("e0"), cancel, noKey, buyCommand("e5"))
	if err != nil {
		t.Fatal(err)
	}
	r := each.Results
	if len(r) != 6 || r[0].GetReceipt() == nil || r[2].GetReceipt().GetEntryId() != r[0].GetReceipt().EntryId || !r[2].GetReceipt().Repeat ||
		r[3].GetReceipt().GetTradeId() != r[0].GetReceipt().TradeId || r[5].GetReceipt() == nil || each.Token != r[5].GetReceipt().Token {
		t.Errorf("each: %v", each)
	}
	for i, want := range map[int][3]string{1: {"not_found", "unknown_account", "commands[1].trade.account"}, 4: {"invalid_argument", "missing_field", "commands[4].key"}} {
		e := r[i].GetError()
		if got := [3]string{e.GetCode(), e.GetDetail().GetReason(), e.GetDetail().GetField()}; got != want || e.Detail.GetIndex() != int32(i) {
			t.Errorf("command %d: %v, want %v", i, e, want)
		}
	}

	head := b.journal.Head().Seq
	_, err = book(bkv1.BatchMode_BATCH_MODE_ATOMIC, buyCommand("a0"), buyCommand("a1"), bad("a2"))
	refused(t, err, nothere, "unknown_account", "commands[2].trade.account")
	if now := b.journal.Head().Seq; now != head {
		t.Errorf("a rejected atomic batch moved the head from %d to %d", head, now)
	}
	all, err := book(bkv1.BatchMode_BATCH_MODE_ATOMIC, buyCommand("a0"), buyCommand("a1"))
	if err != nil || len(all.Results) != 2 || all.Results[1].GetReceipt().GetRepeat() {
		t.Errorf("atomic: %v, %v", all, err)
	}
}

func TestTradeThroughItsLife(t *testing.T) {
	t.Parallel()
	b := serve(t)
	first := b.book(t, buying("t"))
	if again := b.book(t, buying("t")); !again.Repeat || again.EntryId != first.EntryId || again.Token != first.Token || !again.BookedAt.AsTime().Equal(first.BookedAt.AsTime()) {
		t.Errorf("a repeat answers %v, first was %v", again, first)
	}
	better := buy()
	better.Price = "168"
	corrected, err := b.Booking.CorrectTrade(t.Context(), connect.NewRequest(&bkv1.CorrectTradeRequest{
		Key: "correction", TradeDate: 20131007, Target: &bkv1.Target{Key: "t"}, Trade: better,
	}))
	if err != nil {
		t.Fatal(err)
	}
	old, err := b.Query.GetTrade(t.Context(), connect.NewRequest(&bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Key{Key: "t"}, AtLeast: corrected.Msg.Receipt.Token}))
	if err != nil {
		t.Fatal(err)
	}
	if r := old.Msg.Trade; r.State != bkv1.TradeState_TRADE_STATE_CANCELED || r.ReplacedBy != corrected.Msg.Receipt.TradeId || r.Net != "-16741" ||
		len(old.Msg.Entries) != 2 || old.Msg.Entries[1].Links.Reverses != first.EntryId {
		t.Errorf("old: %v", old.Msg)
	}
	renewed, err := b.Query.GetTrade(t.Context(), connect.NewRequest(&bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Id{Id: corrected.Msg.Receipt.TradeId}}))
	if err != nil {
		t.Fatal(err)
	}
	if r := renewed.Msg.Trade; r.State != bkv1.TradeState_TRADE_STATE_OPEN || r.Corrects != first.TradeId || r.Trade.Price != "168" || r.Trade.Type != buy().Type {
		t.Errorf("new: %v", r)
	}
	link := buying("link")
	link.Replaces = &bkv1.Replaces{Trade: first.TradeId}
	_, err = b.Booking.BookTrade(t.Context(), connect.NewRequest(link))
	refused(t, err, connect.CodeFailedPrecondition, "trade_already_canceled", "replaces")
	link.Replaces.LinkIfCanceled = true
	b.book(t, link)
}

func TestPagesAndBalances(t *testing.T) {
	t.Parallel()
	b := serve(t)
	var token string
	const n = 25
	for i := range n {
		token = b.book(t, buying(fmt.Sprint("p", i))).Token
	}
	two := int32(2)
	seen := map[int64]bool{}
	var page string
	for {
		res, err := b.Query.ListEntries(t.Context(), connect.NewRequest(&bkv1.ListEntriesRequest{PageSize: &two, PageToken: page, Kind: "trade.exchange", AtLeast: token}))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range res.Msg.Entries {
			if seen[e.Id] || e.Trade.GetTrade().GetPrice() != "167.41" || len(e.Hash) != 32 {
				t.Errorf("entry %v", e)
			}
			seen[e.Id] = true
		}
		if page = res.Msg.NextPageToken; page == "" {
			break
		}
	}
	if len(seen) != n {
		t.Errorf("%d trades listed, want %d", len(seen), n)
	}
	byAccount, page := 0, ""
	for {
		res, err := b.Query.ListEntries(t.Context(), connect.NewRequest(&bkv1.ListEntriesRequest{PageSize: &two, PageToken: page, Account: account("cust:100018"), AtLeast: token}))
		if err != nil {
			t.Fatal(err)
		}
		byAccount += len(res.Msg.Entries)
		if page = res.Msg.NextPageToken; page == "" {
			break
		}
	}
	if byAccount != n {
		t.Errorf("%d entries of the account, want %d", byAccount, n)
	}
	_, err := b.Query.ListBalances(t.Context(), connect.NewRequest(&bkv1.ListBalancesRequest{PageToken: "x" + page}))
	refused(t, err, invalid, "invalid_field", "page_token")

	one := int32(1)
	balances := map[string]string{}
	for page = ""; ; {
		res, err := b.Query.ListBalances(t.Context(), connect.NewRequest(&bkv1.ListBalancesRequest{PageSize: &one, PageToken: page, NonZero: true, AtLeast: token}))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range res.Msg.Balances {
			key := r.AccountCode + " " + r.Symbol
			if balances[key] != "" {
				t.Errorf("%s twice", key)
			}
			balances[key] = r.TradeDate
		}
		if page = res.Msg.NextPageToken; page == "" {
			break
		}
	}
	want := map[string]string{"cust:100018 AAPL": "2500", "cust:100018 USD": "-418525", "street:cns AAPL": "-2500", "street:cns USD": "418525"}
	if fmt.Sprint(balances) != fmt.Sprint(want) {
		t.Errorf("balances %v, want %v", balances, want)
	}
	customers, err := b.Query.ListBalances(t.Context(), connect.NewRequest(&bkv1.ListBalancesRequest{
		CustomersOnly: true, InstrumentKind: bkv1.InstrumentKind_INSTRUMENT_KIND_CURRENCY, AtLeast: token,
	}))
	if err != nil || len(customers.Msg.Balances) != 1 || customers.Msg.Balances[0].Unsettled != "-418525" || customers.Msg.Balances[0].Settled != "0" {
		t.Errorf("customers: %v, %v", customers, err)
	}
	trial, err := b.Query.TrialBalance(t.Context(), connect.NewRequest(&bkv1.TrialBalanceRequest{PageSize: &one, AtLeast: token}))
	if err != nil || len(trial.Msg.Rows) != 1 || trial.Msg.Rows[0].Difference != "0" || trial.Msg.Rows[0].Positive != "418525" || trial.Msg.NextPageToken == "" {
		t.Errorf("trial balance: %v, %v", trial, err)
	}

	lines, last := 0, ""
	for page = ""; ; {
		res, err := b.Query.GetStatement(t.Context(), connect.NewRequest(&bkv1.GetStatementRequest{
			Account: account("cust:100018"), Instrument: ticker("AAPL"), FromDate: 20131007, ToDate: 20131007, PageSize: &two, PageToken: page, AtLeast: token,
		}))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range res.Msg.Lines {
			lines++
			if last = l.Balance; last != fmt.Sprint(lines*100) || l.Symbol != "AAPL" || l.TradeDateBalance != last {
				t.Errorf("line %d: %v", lines, l)
			}
		}
		if page = res.Msg.NextPageToken; page == "" {
			break
		}
	}
	if lines != n || last != "2500" {
		t.Errorf("%d lines, the last with %s", lines, last)
	}
}

func TestReadsWaitForTheirToken(t *testing.T) {
	t.Parallel()
	b := serve(t, func(c *api.Config) { c.Limits.BehindTimeout = 50 * time.Millisecond })
	_, err := b.Query.ListBalances(t.Context(), connect.NewRequest(&bkv1.ListBalancesRequest{AtLeast: "0:1000000"}))
	refused(t, err, connect.CodeDeadlineExceeded, "behind", "")
}

func TestWatchCatchesUpAndGoesOn(t *testing.T) {
	t.Parallel()
	b := serve(t, func(c *api.Config) { c.Limits.Heartbeat = 20 * time.Millisecond })
	receipt := b.book(t, buying("w0"))
	stream, err := b.Query.WatchJournal(t.Context(), connect.NewRequest(&bkv1.WatchJournalRequest{}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	next, heartbeats := int64(1), 0
	for next <= receipt.EntryId || heartbeats == 0 {
		if !stream.Receive() {
			t.Fatal(stream.Err())
		}
		for _, e := range stream.Msg().Entries {
			if e.Sequence != next {
				t.Fatalf("entry %d, want %d", e.Sequence, next)
			}
			next++
		}
		if len(stream.Msg().Entries) == 0 {
			heartbeats++
		}
		if want := fmt.Sprint("0:", next-1); stream.Msg().Token != want {
			t.Errorf("token %s, want %s", stream.Msg().Token, want)
		}
	}
	receipt = b.book(t, buying("w1"))
	for next <= receipt.EntryId {
		if !stream.Receive() {
			t.Fatal(stream.Err())
		}
		next += int64(len(stream.Msg().Entries))
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	b := serve(t)
	a := &bkv1.Account{Code: "cust:7", Id: 7, Name: "Seven", Entity: 3}
	res, err := b.Directory.CreateAccounts(t.Context(), connect.NewRequest(&bkv1.CreateAccountsRequest{Accounts: []*bkv1.Account{
		a, a, {Code: "nope"}, {Code: "cust:7", Name: "Another"}, {Code: "firm:inventory"},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	r := res.Msg.Results
	if r[0].GetAccount().GetId() != 7 || r[0].Repeat || r[1].GetAccount().GetId() != 7 || !r[1].Repeat || r[4].GetAccount().GetKind() != bkv1.AccountKind_ACCOUNT_KIND_FIRM {
		t.Errorf("accounts: %v", r)
	}
	if d := r[2].GetError().GetDetail(); d.GetField() != "accounts[2].code" || d.Reason != "invalid_field" || d.GetIndex() != 2 {
		t.Errorf("bad code: %v", r[2])
	}
	if e := r[3].GetError(); e.GetCode() != "already_exists" || e.Detail.Field != "accounts[3].code" || e.Detail.Reason != "account_exists" {
		t.Errorf("taken code: %v", r[3])
	}
	got, err := b.Directory.GetAccount(t.Context(), connect.NewRequest(&bkv1.GetAccountRequest{Account: &bkv1.AccountRef{Id: 7}, AtLeast: res.Msg.Token}))
	if err != nil || got.Msg.Account.Name != "Seven" || got.Msg.Account.Entity != 3 {
		t.Errorf("get: %v, %v", got, err)
	}
	again, err := b.Directory.CreateInstrument(t.Context(), connect.NewRequest(&bkv1.CreateInstrumentRequest{Instrument: &bkv1.Instrument{Identifiers: []*bkv1.Identifier{ticker("AAPL")}}}))
	if err != nil || !again.Msg.Repeat || again.Msg.Instrument.Symbol != "AAPL" {
		t.Errorf("again: %v, %v", again, err)
	}
	found, err := b.Directory.GetInstrument(t.Context(), connect.NewRequest(&bkv1.GetInstrumentRequest{By: &bkv1.GetInstrumentRequest_Identifier{Identifier: ticker("AAPL")}}))
	if err != nil || found.Msg.Instrument.Id != again.Msg.Instrument.Id {
		t.Errorf("find: %v, %v", found, err)
	}
	two, codes, page := int32(2), 0, ""
	for {
		list, err := b.Directory.ListAccounts(t.Context(), connect.NewRequest(&bkv1.ListAccountsRequest{PageSize: &two, PageToken: page}))
		if err != nil {
			t.Fatal(err)
		}
		codes += len(list.Msg.Accounts)
		if page = list.Msg.NextPageToken; page == "" {
			break
		}
	}
	if codes != 5 {
		t.Errorf("%d accounts", codes)
	}
	instruments, err := b.Directory.ListInstruments(t.Context(), connect.NewRequest(&bkv1.ListInstrumentsRequest{}))
	if err != nil || len(instruments.Msg.Instruments) != 2 {
		t.Errorf("instruments: %v, %v", instruments, err)
	}
}

func TestAdmin(t *testing.T) {
	t.Parallel()
	b := serve(t, func(c *api.Config) { c.Published = func() uint64 { return 1 } })
	token := b.book(t, buying("s")).Token
	eventually(t, "the projections have caught up", func() bool {
		res, err := b.Admin.Status(t.Context(), connect.NewRequest(&bkv1.StatusRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		m := res.Msg
		if !m.Leading || m.Epoch == 0 || m.Head != token || m.Version != "test" || m.Publisher.GetSequence() != 1 || m.Publisher.Lag == 0 {
			t.Fatalf("status %v", m)
		}
		lagging := slices.ContainsFunc(m.Projections, func(p *bkv1.ProjectionStatus) bool { return p.Lag != 0 || !p.Running })
		return len(m.Projections) == 6 && !lagging && m.BusinessDate == 0 && !m.Rolling
	})
	stream, err := b.Admin.Rebuild(t.Context(), connect.NewRequest(&bkv1.RebuildRequest{Projection: "balances"}))
	if err != nil {
		t.Fatal(err)
	}
	done := false
	for stream.Receive() {
		done = stream.Msg().Done
	}
	if stream.Err() != nil || !done {
		t.Errorf("rebuild: done %v, %v", done, stream.Err())
	}
	verify, err := b.Admin.Verify(t.Context(), connect.NewRequest(&bkv1.VerifyRequest{}))
	if err == nil {
		verify.Receive()
		err = verify.Err()
	}
	refused(t, err, connect.CodeUnimplemented, "unimplemented", "")
}
