package sample

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/migrations/pgtest"
)

const key = "secret-key"

// newBank gives a reference Bank with two accounts, and its API.
func newBank(t *testing.T) (*legacy.Bank, http.Handler) {
	t.Helper()
	dsn, log := pgtest.New(t), slog.New(slog.DiscardHandler)
	must(t, legacy.Migrate(t.Context(), dsn, log))
	b, err := legacy.Open(t.Context(), legacy.Config{DSN: dsn})
	must(t, err)
	t.Cleanup(b.Close)
	_, err = b.CreateEntity(t.Context(), bank.Entity{EntityID: 1, ClientCode: "C", LegalName: "L"})
	must(t, err)
	for id := bank.ID(1); id <= 2; id++ {
		_, err = b.CreateAccount(t.Context(), bank.NewAccount{AccountID: id, EntityID: 1, Name: "A"})
		must(t, err)
	}
	handler, err := front.New(front.Config{Ledger: b, Keys: []string{key}, Log: log})
	must(t, err)
	return b, handler.API()
}

// Two real systems, one of which takes what the other did later and in another order: all reads of the contract are the same, page by page.
func TestRealBooks(t *testing.T) {
	t.Parallel()
	first, api := newBank(t)
	second, follows := newBank(t)
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL)
	must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)

	var replays [2][]bank.Replay
	for i := range 30 {
		account := bank.ID(i%2 + 1)
		trade, err := bank.ReadTrade(fmt.Appendf(nil, `{"type":"exchange_trade","timestamp":1381132800464,"client_trade_id":"t%d","date":20131007,"account_id":%d,"quantity":"%d","price":"10.5",
			"instrument":{"identifier":"S%d","identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":"sell"},"capacity":"agency","mic":"ARCX","exec_mpid":"CLST",
			"user_data":{"b":1,"a":[2]}}`, i, account, i+1, i%7))
		must(t, err)
		booked, err := first.BookTrades(t.Context(), []bank.Trade{trade})
		must(t, err)
		stored, err := first.Trade(t.Context(), bank.TradeRef{TradeID: booked[0].TradeID})
		must(t, err)
		replays[i%2] = append(replays[i%2], bank.Replay{TradeID: stored.TradeID, BookedAt: stored.BookedAt, Request: &trade})
	}
	follow := func(replays []bank.Replay) {
		for _, r := range replays {
			must(t, second.Replay(context.Background(), r))
		}
	}
	follow(replays[1]) // so that journal ids are other ones

	cfg := config(t, database(t), proxy, follows)
	cfg.Settle, cfg.Pages = allowance, 10
	s := start(t, cfg)
	targets := []string{
		"/trades/1", "/trades?account_id=1&client_trade_id=t2", "/trades/999", "/entities", "/entities/1", "/accounts?page_size=1", "/accounts/1", "/accounts/9", "/accounts/x",
		"/accounts/1/trades?date=20131007&page_size=4", "/accounts/1/trades/1", "/accounts/1/positions?page_size=3&view=full", "/accounts/1/positions/S0", "/accounts/1/balances",
		"/accounts/1/journal?page_size=7", "/accounts/2/journal?page_size=1000", "/business-date", "/trades/1?page_token=x",
	}
	for _, target := range targets {
		if !s.read(proxy, all(), target) {
			t.Fatalf("%s is not wanted", target)
		}
	}
	until(t, func() bool { st := s.Stats(); return st.Results["equal"] == 9 && s.parked.Load() == 9 }) // those of account 1 were compared, and wait
	follow(replays[0])
	until(t, func() bool { st := s.Stats(); return st.Results["equal"]+st.Results["lagged"] == int64(len(targets)) })
	if st := s.Stats(); st.Results["lagged"] != 9 || len(st.Results) != 2 {
		t.Errorf("%+v", st)
	}
	s.kept(t, 0)

	// A trade too many in one of them is seen wherever it shows.
	cfg.Settle, cfg.Registry = cfg.Settle/100, nil
	s = start(t, cfg)
	extra, err := bank.ReadTrade([]byte(`{"type":"exchange_trade","timestamp":1381132800464,"client_trade_id":"x","date":20131007,"account_id":2,"quantity":"5","price":"1",
		"instrument":{"identifier":"ODD","identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":"buy"},"capacity":"agency","mic":"ARCX","exec_mpid":"CLST"}`))
	must(t, err)
	_, err = second.BookTrades(t.Context(), []bank.Trade{extra})
	must(t, err)
	for _, target := range []string{"/accounts/2/positions", "/accounts/2/positions/ODD", "/accounts/2/balances", "/accounts/2/journal?page_size=16", "/accounts/1/positions"} {
		s.read(proxy, all(), target)
	}
	until(t, func() bool { st := s.Stats(); return st.Results["equal"] == 1 && st.Results["different"] == 4 })
	want := map[string]Kind{
		"$.data[symbol=ODD]": ExtraRow, "$": Status, "$.data[currency=USD].trade_cash": Value, "$.data[currency=USD].unsettled_debits": Value,
	}
	if cash := s.Stats().Divergences; cash[ExtraRow] < 2 {
		t.Errorf("%v", cash)
	}
	seen := map[string]Kind{}
	until(t, func() bool { // counted first, then kept
		list, err := s.List(t.Context(), Filter{})
		must(t, err)
		for _, d := range list {
			seen[d.Path] = d.Kind
		}
		return len(seen) == 5
	})
	for path, kind := range want {
		if seen[path] != kind {
			t.Errorf("%s: %q instead of %q, in %v", path, seen[path], kind, seen)
		}
	}

	// A system that isn't there any more.
	server.Close()
	state := all()
	state.Mode = "bk-primary-bank-secondary"
	s.read(follows, state, "/accounts/2/positions")
	until(t, func() bool { return s.Stats().Results["secondary_failed"] == 1 })
}
