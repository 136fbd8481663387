package front_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

func decode[T any](t *testing.T, r *httptest.ResponseRecorder) (value T) {
	t.Helper()
	if err := json.Unmarshal(r.Body.Bytes(), &value); err != nil {
		t.Fatalf("%s: %v", r.Body, err)
	}
	return value
}

// useClient makes every call once.
func useClient(t *testing.T, s *system, client *bank.Client) {
	t.Helper()
	ctx := t.Context()
	asked, err := bank.ReadTrade(fmt.Appendf(nil, trade, "a/b?c%20 <é"))
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, ok bool, err error) {
		t.Helper()
		if err != nil || !ok {
			t.Errorf("%s: %t, %v", what, ok, err)
		}
	}
	s.ledger.trades = nil
	booked, err := client.BookTrades(ctx, []bank.Trade{asked, asked})
	check("book", len(booked) == 2 && booked[1].TradeID == 2 && booked[0].ClientTradeID == asked.ClientTradeID, err)
	byClient := bank.TradeRef{AccountID: 1, ClientTradeID: asked.ClientTradeID}
	stored, err := client.Trade(ctx, byClient)
	check("trade by client id", stored.TradeID == 1 && stored.Same(&asked) && string(stored.UserData) == `"<b> &"`, err)
	stored, err = client.Trade(ctx, bank.TradeRef{TradeID: 2})
	check("trade", stored.TradeID == 2 && stored.BookedAt == 5 && stored.CanceledAt == nil, err)
	check("cancel by client id", true, client.CancelTrade(ctx, byClient))
	check("cancel", true, client.CancelTrade(ctx, bank.TradeRef{TradeID: 2}))
	if err := client.CancelTrade(ctx, bank.TradeRef{TradeID: 2}); bank.TypeOf(err) != bank.TradeAlreadyCanceled {
		t.Errorf("cancel again: %v", err)
	}
	account, err := client.Account(ctx, 1)
	check("account", account.Name == "n", err)
	accounts, err := client.Accounts(ctx, bank.Page{Size: 5})
	check("accounts", len(accounts.Data) >= 1, err)
	_, err = client.CreateEntity(ctx, bank.Entity{EntityID: 7, ClientCode: "c", LegalName: "l"})
	check("create entity", true, err)
	created, err := client.CreateAccount(ctx, bank.NewAccount{AccountID: 2, EntityID: 7, Name: "m"})
	check("create account", !created, err) // memory says so for all but the first
	entity, err := client.Entity(ctx, 7)
	check("entity", entity.LegalName == "l", err)
	entities, err := client.Entities(ctx, bank.Page{})
	check("entities", len(entities.Data) >= 1, err)
	trades, err := client.AccountTrades(ctx, 1, 20131007, bank.StateOpen, bank.Page{Size: 1})
	check("account's trades", len(trades.Data) == 1 && trades.Next != "", err)
	trades, err = client.AccountTrades(ctx, 1, 20131007, bank.StateOpen, bank.Page{Size: 1, Token: trades.Next})
	check("account's trades, page 2", len(trades.Data) == 1 && trades.Data[0].TradeID == 2 && trades.Next == "", err)
	row, err := client.AccountTrade(ctx, 1, 2)
	check("account's trade", row.TradeID == 2, err)
	positions, err := client.Positions(ctx, 1, true, bank.Page{})
	check("positions", len(positions.Data) == 2 && positions.Data[0].SettledQuantity != nil, err)
	position, err := client.Position(ctx, 1, "SPX 100", false)
	check("position", position.Symbol == "SPX 100" && position.SettledQuantity == nil, err)
	balances, err := client.Balances(ctx, 1)
	check("balances", len(balances) == 2, err)
	journal, err := client.Journal(ctx, 1, bank.Page{})
	check("journal", len(journal.Data) == 3, err)
	check("roll", true, client.Roll(ctx, 20131007))
	date, err := client.BusinessDate(ctx)
	check("business date", date == 20131007, err)
	id, err := client.MoveCash(ctx, bank.Cash{ClientID: "c", AccountID: 1, Currency: "USD", Amount: asked.Price, Kind: bank.CashJournal, TargetAccountID: 2})
	check("cash", id == 12, err)
	check("replay", true, client.Replay(ctx, bank.Replay{TradeID: 9, BookedAt: 1381132800464, Request: &asked}))
	last := s.ledger.replays[len(s.ledger.replays)-1]
	check("what was replayed", last.TradeID == 9 && last.Request.Same(&asked), nil)
	place, err := client.ReplayPlace(ctx)
	check("place", place.LastEventID == 7, err)
	upload, err := client.Upload(ctx, bank.UploadInsert, "n.csv", strings.NewReader("a,b\n"), time.Minute)
	check("upload", upload.UploadID == "abc" && string(s.files.text) == "a,b\n", err)
	state, err := client.UploadState(ctx, "abc")
	check("upload's state", state.Status == bank.UploadDone, err)
	if _, err := client.MoveCash(ctx, bank.Cash{ClientID: "lost", AccountID: 1, Currency: "USD", Amount: asked.Price, Kind: bank.Deposit}); bank.TypeOf(err) != bank.OutcomeUnknown {
		t.Errorf("outcome_unknown: %v", err)
	}
}

// TestLostAnswers: a write of which nobody knows whether it was done is told from one that was not sent, and from a read.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	var answer atomic.Pointer[http.HandlerFunc]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*answer.Load())(w, r) }))
	client, err := bank.NewClient(bank.ClientConfig{API: server.URL, Operations: server.URL, Timeout: 200 * time.Millisecond, Roll: 200 * time.Millisecond, MaxAnswer: 100})
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	say := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text)) // the client may be gone
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		write  bank.Type
	}{
		"hangs up":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, bank.OutcomeUnknown},
		"is silent":         {func(http.ResponseWriter, *http.Request) { <-release }, bank.OutcomeUnknown},
		"makes no sense":    {say(202, "what?"), bank.OutcomeUnknown},
		"is too long":       {say(202, strings.Repeat(" ", 101)), bank.OutcomeUnknown},
		"is a proxy's":      {say(502, "<html>"), bank.OutcomeUnknown},
		"is a proxy's no":   {say(403, "<html>"), ""},
		"is of other shape": {say(500, `{"type":"trade_not_found"}`), bank.OutcomeUnknown},
		"says unknown":      {say(504, `{"type":"outcome_unknown","message":"m"}`), bank.OutcomeUnknown},
		"says internal":     {say(500, `{"type":"internal","message":"m"}`), bank.Internal},
		"says conflict":     {say(409, `{"type":"conflict","message":"m"}`), bank.Conflict},
	} {
		answer.Store(&c.answer)
		if err := client.Roll(t.Context(), 20131007); err == nil || bank.TypeOf(err) != c.write || errors.Is(err, bank.ErrNotSent) {
			t.Errorf("the answer %s: %v", name, err)
		}
		_, err := client.BusinessDate(t.Context())
		if err == nil || c.write == bank.OutcomeUnknown && name != "says unknown" && bank.TypeOf(err) != "" {
			t.Errorf("the answer to a read %s: %v", name, err)
		}
	}
	close(release)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.Roll(ctx, 20131007); bank.TypeOf(err) != bank.OutcomeUnknown || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	server.Close()
	client.Close()
	if err := client.Roll(t.Context(), 20131007); bank.TypeOf(err) != "" || !errors.Is(err, bank.ErrNotSent) {
		t.Errorf("nobody there: %v", err)
	}
	if _, err := bank.NewClient(bank.ClientConfig{API: "localhost", Operations: "ftp://x", Timeout: -1}); err == nil || !strings.Contains(err.Error(), "API") || !strings.Contains(err.Error(), "Operations") || !strings.Contains(err.Error(), "Timeout") {
		t.Errorf("a config that is wrong: %v", err)
	}
}
