package facade

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade/mode"
)

// leaving is a Bank that can go away, and come back.
func leaving(t *testing.T, cfg *Config, b legacy.Addresses) (away *atomic.Bool) {
	t.Helper()
	away = &atomic.Bool{}
	way := func(address string) string {
		through := newProxy(&url.URL{Scheme: "http", Host: address}, newTransport(), logTo(t))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if away.Load() {
				panic(http.ErrAbortHandler)
			}
			through.ServeHTTP(w, r)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	cfg.Bank, cfg.BankOperations = way(b.API), way(b.Operations)
	return away
}

func book(t *testing.T, c *bank.Client, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := c.BookTrades(t.Context(), []bank.Trade{tradeOf(t, name, firstAccount)}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

// final asks for it; a refusal is given as its text.
func final(t *testing.T, admin string, q SwitchRequest) (now InForce, refused string) {
	t.Helper()
	var answer struct {
		InForce
		Error string `json:"error"`
	}
	q.Final, q.Who, q.Why = true, "anna", "test"
	code := post(t, admin, "/mode", q, &answer)
	if (code == http.StatusOK) != (answer.Error == "") || code != http.StatusOK && code != http.StatusConflict {
		t.Fatalf("%d: %s", code, answer.Error)
	}
	return answer.InForce, answer.Error
}

// TestFinal: Bank gets all that it lacks before bk-only is final, and then there is no way back.
func TestFinal(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode = mode.BKPrimary
	at, _ := startFacade(t, cfg)
	second := cfg
	second.Replica, second.Mode = "s", ""
	other, _ := startFacade(t, second)
	c, direct := clientOf(t, at.API, at.Operations), clientOf(t, b.API, b.Operations)
	define(t, c)
	switchTo(t, at.Admin, mode.BKOnly)
	names := []string{"one", "two", "three"}
	book(t, c, names...)
	if _, err := direct.Trade(t.Context(), bank.TradeRef{AccountID: firstAccount, ClientTradeID: "one"}); err == nil {
		t.Error("Bank was called in bk-only")
	}
	var now InForce
	waitFor(t, func() bool {
		get(t, at.Admin, "/mode", &now)
		return now.BankLacks != nil && now.BankLacks.Entries >= 3
	})
	now, refused := final(t, other.Admin, SwitchRequest{WaitMS: patience.Milliseconds()})
	if refused != "" || !now.Final || now.LeftBehind != 0 || now.BankLacks != nil {
		t.Fatalf("%+v: %s", now, refused)
	}
	for _, name := range names {
		if _, err := direct.Trade(t.Context(), bank.TradeRef{AccountID: firstAccount, ClientTradeID: name}); err != nil {
			t.Errorf("Bank lacks %s: %v", name, err)
		}
	}
	book(t, c, "behind it")
	var fault Fault
	if code := post(t, at.Admin, "/mode", SwitchRequest{To: string(mode.BKPrimary), Who: "anna", Why: "regret"}, &fault); code != http.StatusConflict || !strings.Contains(fault.Error, "final") {
		t.Errorf("a step back: %d, %s", code, fault.Error)
	}
	if _, refused := final(t, at.Admin, SwitchRequest{}); refused != "" {
		t.Errorf("again: %s", refused)
	}
	var status Status
	get(t, at.Admin, "/status", &status)
	for _, backlog := range status.Backlogs {
		if backlog.Rows != 0 {
			t.Errorf("something waits for ever: %+v", backlog)
		}
	}
}

// TestFinalWithoutBank: what Bank will never get has to be said to the number.
func TestFinalWithoutBank(t *testing.T) {
	t.Parallel()
	b := startBank(t)
	cfg := config(t, b, startBK(t))
	cfg.Mode = mode.BKPrimary
	away := leaving(t, &cfg, b)
	at, _ := startFacade(t, cfg)
	c, direct := clientOf(t, at.API, at.Operations), clientOf(t, b.API, b.Operations)
	define(t, c)
	book(t, c, "zero")
	waitFor(t, func() bool { // what was defined before it is there, too
		_, err := direct.Trade(t.Context(), bank.TradeRef{AccountID: firstAccount, ClientTradeID: "zero"})
		return err == nil
	})
	var now InForce
	waitFor(t, func() bool {
		get(t, at.Admin, "/mode", &now)
		return now.BankLacks != nil && now.BankLacks.Entries == 0
	})
	switchTo(t, at.Admin, mode.BKOnly)
	away.Store(true)
	book(t, c, "one", "two", "three")
	waitFor(t, func() bool { get(t, at.Admin, "/mode", &now); return now.BankLacks.Entries == 3 })
	lacks := *now.BankLacks
	if _, refused := final(t, at.Admin, SwitchRequest{}); !strings.Contains(refused, "Bank lacks 3 entries") || !strings.Contains(refused, "--leave-behind") || !strings.Contains(refused, "row ") {
		t.Errorf("final without Bank: %s", refused)
	}
	book(t, c, "four")
	for _, wrong := range []mode.Left{{Entries: 4, Through: lacks.Through}, {Entries: 3}, {Entries: 3, Through: lacks.Through + 1000}} {
		if _, refused := final(t, at.Admin, SwitchRequest{LeaveBehind: &wrong}); refused == "" {
			t.Fatalf("%+v was taken", wrong)
		}
	}
	now, refused := final(t, at.Admin, SwitchRequest{LeaveBehind: &lacks})
	if refused != "" || !now.Final || now.LeftBehind != 3 || now.Who != "anna" || now.Why != "test" {
		t.Errorf("%+v: %s", now, refused)
	}
	book(t, c, "behind it")
}

// TestBlockedForBank: what Bank has rejected keeps the step to bk-only from being made, and that from being final, but not the kill switch.
func TestBlockedForBank(t *testing.T) {
	t.Parallel()
	b := startBank(t)
	cfg := config(t, b, startBK(t))
	cfg.Mode = mode.BKPrimary
	at, _ := startFacade(t, cfg)
	c, direct := clientOf(t, at.API, at.Operations), clientOf(t, b.API, b.Operations)
	define(t, c)
	other := tradeOf(t, "both", firstAccount)
	other.OrderID = "o1"
	waitFor(t, func() bool { _, err := direct.BookTrades(t.Context(), []bank.Trade{other}); return err == nil })
	book(t, c, "both")
	var ready Readiness
	waitFor(t, func() bool {
		get(t, at.Admin, "/readyz", &ready)
		return ready.Secondary != nil && ready.Secondary.Blocked == 1
	})
	var fault Fault
	if code := post(t, at.Admin, "/mode", SwitchRequest{To: string(mode.BKOnly), Who: "anna", Why: "test"}, &fault); code != http.StatusConflict ||
		!strings.Contains(fault.Error, "1 rows for Bank are blocked") || !strings.Contains(fault.Error, "was rejected") {
		t.Errorf("a step over a blocked row: %d, %s", code, fault.Error)
	}
	var now InForce
	if code := post(t, at.Admin, "/mode", SwitchRequest{Kill: true, Who: "anna", Why: "test"}, &now); code != http.StatusOK || now.Mode != mode.BKOnly {
		t.Fatalf("the kill switch: %d, in %s", code, now.Mode)
	}
	if _, refused := final(t, at.Admin, SwitchRequest{}); !strings.Contains(refused, "was rejected") {
		t.Errorf("final over a blocked row: %s", refused)
	}
	switchTo(t, at.Admin, mode.BKPrimary) // where it can be seen to
}
