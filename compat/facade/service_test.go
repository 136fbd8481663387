package facade

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

const firstAccount = 100018

func tradeOf(t testing.TB, name string, account bank.ID) bank.Trade {
	t.Helper()
	trade, err := bank.ReadTrade(fmt.Appendf(nil, `{"type": "exchange_trade", "timestamp": 1381132800464, "client_trade_id": %q, "date": 20131007, "account_id": %d,
		"quantity": "100", "price": "10.5", "instrument": {"identifier": "IBM", "identifier_type": "ticker", "country": "USA", "currency": "USD"},
		"side": {"direction": "buy"}, "capacity": "agency", "mic": "XNYS", "exec_mpid": "ABCD"}`, name, account))
	if err != nil {
		t.Fatal(err)
	}
	return trade
}

// post asks the admin listener.
func post(t testing.TB, admin, path string, in, out any) int {
	t.Helper()
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post("http://"+admin+path, "application/json", bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, res, out)
}

func get(t testing.TB, admin, path string, out any) int {
	t.Helper()
	res, err := http.Get("http://" + admin + path)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, res, out)
}

func decode(t testing.TB, res *http.Response, out any) int {
	t.Helper()
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if s, ok := out.(*string); ok {
		*s = string(text)
	} else if err := json.Unmarshal(text, out); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return res.StatusCode
}

func switchTo(t testing.TB, admin string, to mode.Mode) {
	t.Helper()
	var state struct {
		Mode  mode.Mode `json:"mode"`
		Error string    `json:"error"`
	}
	if status := post(t, admin, "/mode", SwitchRequest{To: string(to), Who: "anna", Why: "test", WaitMS: 30_000}, &state); status != http.StatusOK || state.Mode != to {
		t.Fatalf("to %s: %d, in %s: %s", to, status, state.Mode, state.Error)
	}
}

// TestAllModes books under load while the mode goes all the way and back, and compares what Bank and BK have at the end.
func TestAllModes(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode = mode.BankPrimary
	at, stop := startFacade(t, cfg)
	second := cfg
	second.Replica, second.Mode = "s", ""
	other, _ := startFacade(t, second)
	clients := []*bank.Client{clientOf(t, at.API, at.Operations), clientOf(t, other.API, other.Operations)}
	c := clients[0]
	define(t, c)
	const accounts = accountsUsed
	var end atomic.Bool
	var booked atomic.Int64
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			for n := 0; !end.Load(); n++ {
				name := fmt.Sprintf("w%d-%d", w, n)
				trade := tradeOf(t, name, bank.ID(firstAccount+n%accounts))
				if n%5 == 4 {
					trade.CancelTradeID = fmt.Sprintf("w%d-%d", w, n-4)
				}
				if _, err := clients[(w+n)%2].BookTrades(context.Background(), []bank.Trade{trade}); err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				booked.Add(1)
				time.Sleep(50 * time.Millisecond) // a step back waits until Bank is near, and Bank is slower than BK
			}
		})
	}
	for _, to := range []mode.Mode{mode.BKPrimary, mode.BKOnly, mode.BKPrimary, mode.BankPrimary, mode.BKPrimary} {
		from := booked.Load()
		waitFor(t, func() bool { return booked.Load() > from+50 || t.Failed() })
		switchTo(t, at.Admin, to)
	}
	from := booked.Load()
	waitFor(t, func() bool { return booked.Load() > from+50 || t.Failed() })
	end.Store(true)
	wg.Wait()
	switchTo(t, at.Admin, mode.BankPrimary) // drains what Bank has to repeat
	var status Status
	get(t, at.Admin, "/status", &status)
	var held []string
	for _, e := range status.History {
		held = append(held, fmt.Sprintf("%s %.0f ms", e.Mode, e.HeldMS))
	}
	t.Logf("%d trades; held: %s", booked.Load(), strings.Join(held, ", "))
	direct := clientOf(t, b.API, b.Operations)
	bankSays := holdings(t, direct, accounts)
	switchTo(t, at.Admin, mode.BKPrimary)
	bkSays := holdings(t, c, accounts)
	if bankSays != bkSays {
		t.Errorf("Bank has\n%s\nBK has\n%s", bankSays, bkSays)
	}
	var page string
	if code := get(t, at.Admin, "/", &page); code != http.StatusOK || !strings.Contains(page, "<title>hotswap</title>") {
		t.Errorf("the status page: %d", code)
	}
	var metrics string
	if code := get(t, at.Admin, "/metrics", &metrics); code != http.StatusOK || !strings.Contains(metrics, `hotswap_mode{mode="bk-primary-bank-secondary"} 1`) ||
		!strings.Contains(metrics, `hotswap_requests_total{listener="api",method="POST",mode="bank-primary-bk-secondary",route="/trades",status="2xx"}`) {
		t.Errorf("metrics: %d\n%s", code, metrics)
	}
	var ready Readiness
	if code := get(t, at.Admin, "/readyz", &ready); code != http.StatusOK || !ready.Ready || ready.Mode != mode.BKPrimary || ready.Secondary == nil {
		t.Errorf("readiness: %d, %+v", code, ready)
	}
	stop()
	var state mode.State
	if get(t, other.Admin, "/mode", &state); state.Mode != mode.BKPrimary {
		t.Errorf("the other is in %s", state.Mode)
	}
}

// holdings gives trades, positions and balances as text.
func holdings(t *testing.T, c *bank.Client, accounts int) string {
	t.Helper()
	var out strings.Builder
	for i := range accounts {
		account := bank.ID(firstAccount + i)
		for _, state := range []string{"", bank.StateCanceled} {
			page := bank.Page{Size: 1000}
			for {
				list, err := c.AccountTrades(t.Context(), account, 20131007, state, page)
				if err != nil {
					t.Fatal(err)
				}
				for _, trade := range list.Data {
					fmt.Fprintln(&out, trade.TradeID, account, trade.Symbol, trade.Quantity, trade.Price, trade.RunningPosition)
				}
				if page.Token = list.Next; page.Token == "" {
					break
				}
			}
		}
		positions, err := c.Positions(t.Context(), account, true, bank.Page{})
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range positions.Data {
			fmt.Fprintln(&out, account, p.Symbol, p.Quantity, p.SettledQuantity)
		}
		balances, err := c.Balances(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(&out, account, balances)
	}
	return out.String()
}

func waitFor(t *testing.T, met func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited too long")
		}
	}
}

// TestBankOnlyNeedsNoBK: neither at the start nor later; a step is refused with the reason.
func TestBankOnlyNeedsNoBK(t *testing.T) {
	t.Parallel()
	b := startBank(t)
	for _, bk := range []string{"", "http://127.0.0.1:1"} {
		at, _ := startFacade(t, config(t, b, bk))
		c := clientOf(t, at.API, at.Operations)
		if _, err := c.CreateEntity(t.Context(), bank.Entity{EntityID: 7, ClientCode: "C", LegalName: "L"}); err != nil {
			t.Fatal(err)
		}
		if e, err := c.Entity(t.Context(), 7); err != nil || e.LegalName != "L" {
			t.Errorf("%+v, %v", e, err)
		}
		var fault Fault
		if code := post(t, at.Admin, "/mode", SwitchRequest{To: string(mode.BankPrimary), Who: "anna", Why: "test"}, &fault); code != http.StatusConflict || !strings.Contains(fault.Error, "BK") {
			t.Errorf("a step without BK: %d, %s", code, fault.Error)
		}
		if code := post(t, at.Admin, "/mode", SwitchRequest{To: string(mode.BKOnly), Who: "anna", Why: "test"}, &fault); code != http.StatusBadRequest {
			t.Errorf("a leap: %d, %s", code, fault.Error)
		}
		if code := post(t, at.Admin, "/mode", SwitchRequest{Who: "anna", Why: "test"}, &fault); code != http.StatusBadRequest {
			t.Errorf("nothing: %d, %s", code, fault.Error)
		}
		var ready Readiness
		if code := get(t, at.Admin, "/readyz", &ready); code != http.StatusOK || ready.Mode != mode.BankOnly || ready.Secondary != nil {
			t.Errorf("readiness: %d, %+v", code, ready)
		}
	}
}

func TestStartsInTheModeInForceOnly(t *testing.T) {
	t.Parallel()
	b := startBank(t)
	cfg := config(t, b, "")
	_, stop := startFacade(t, cfg)
	stop()
	cfg.Mode, cfg.BK = mode.BKOnly, "http://127.0.0.1:1"
	if err := Run(t.Context(), cfg, nil); !errors.Is(err, mode.ErrOtherMode) || !strings.Contains(err.Error(), "bank-only") || !strings.Contains(err.Error(), "bk-only") {
		t.Errorf("%v; want one that names both modes", err)
	}
}

func TestConfigReportsEverything(t *testing.T) {
	t.Parallel()
	err := Config{Mode: mode.BKOnly, Bank: "bank", QueueLimit: -1, Keys: []string{""}}.WithDefaults().Validate()
	for _, field := range []string{"Bank", "BankOperations", "BK", "Postgres", "Listen", "OperationsListen", "AdminListen", "Keys", "Replica", "QueueLimit"} {
		if err == nil || !strings.Contains(err.Error(), field+":") {
			t.Errorf("%s is not in %v", field, err)
		}
	}
}
