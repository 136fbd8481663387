package facade

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

func do(t *testing.T, method, url, body string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, res, &text), text
}

// TestAnswersOfADualMode: with Bank as the primary a client gets Bank's own words, whatever it asks for.
func TestAnswersOfADualMode(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode = mode.BankPrimary
	at, _ := startFacade(t, cfg)
	define(t, clientOf(t, at.API, at.Operations))
	api, operations := "http://"+at.API, "http://"+at.Operations
	one := string(appendTrade(nil, tradeOf(t, "one", firstAccount)))
	for _, c := range []struct {
		method, url, body string
		status            int
		want              string
	}{
		{"POST", api + "/trades", "[" + one + "]", 202, `"client_trade_id":"one"`},
		{"POST", api + "/trades", "[" + one + "]", 202, `"client_trade_id":"one"`},
		{"POST", api + "/trades", "[" + strings.Replace(one, `"100"`, `"101"`, 1) + "]", 409, "client_trade_id_conflict"},
		{"POST", api + "/trades", "[" + strings.Replace(strings.Replace(one, `"100"`, `"-1"`, 1), "one", "two", 1) + "]", 400, "malformed_trade"},
		{"POST", api + "/trades", "{", 400, "malformed_request"},
		{"POST", api + "/trades", "[" + strings.Repeat(" ", maxBody) + "]", 413, "too_large"},
		{"POST", api + "/trades", "[]", 400, "too_many_trades"},
		{"POST", api + "/trades/1", "", 405, "method_not_allowed"},
		{"POST", api + "/nothing", "x", 404, "not_found"},
		{"DELETE", api + "/trades/999999", "", 404, "trade_not_found"},
		{"DELETE", api + "/trades/none?is_client_trade_id=true&account_id=100018", "", 404, "trade_not_found"},
		{"DELETE", api + "/trades/none?is_client_trade_id=true", "", 400, "missing_account_id"},
		{"DELETE", api + "/trades/one?is_client_trade_id=true&account_id=100018", "", 202, "{}"},
		{"DELETE", api + "/trades/one?is_client_trade_id=true&account_id=100018", "", 409, "trade_already_canceled"},
		{"POST", operations + "/cash", `{"client_id": "c", "account_id": 100018, "currency": "USD", "amount": "5", "kind": "deposit"}`, 202, "cash_id"},
		{"POST", operations + "/cash", `{"client_id": "d", "account_id": 1, "currency": "USD", "amount": "5", "kind": "deposit"}`, 422, "unknown_account"},
		{"POST", operations + "/business-date", `{"date": 20131007}`, 202, "20131007"},
		{"POST", operations + "/business-date", `{"date": 20131006}`, 400, "malformed_request"},
		{"GET", api + "/accounts/100018/balances", "", 200, `"trade_cash":"5"`},
	} {
		if status, text := do(t, c.method, c.url, c.body); status != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s %s %.60q: %d %s; want %d %s", c.method, c.url, c.body, status, text, c.status, c.want)
		}
	}
	switchTo(t, at.Admin, mode.BKPrimary)
	if status, text := do(t, "GET", api+"/accounts/100018/balances", ""); status != 200 || !strings.Contains(text, `"trade_cash":"5"`) {
		t.Errorf("BK: %d %s", status, text)
	}
	var listed []any
	if code := get(t, at.Admin, "/queue", &listed); code != http.StatusOK || len(listed) != 0 {
		t.Errorf("left in the queue: %d, %v", code, listed)
	}
}

// TestUploads: a file is worked off in the dual mode, holds no step up once it has ended, and is known in every mode after it.
func TestUploads(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode = mode.BankPrimary
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	header := "type,timestamp,client_trade_id,date,account_id,quantity,price,instrument.identifier,instrument.identifier_type,instrument.country,instrument.currency,side.direction,capacity,mic,exec_mpid\n"
	row := "exchange_trade,1381132800464,NAME,20131007,100018,100,10.5,IBM,ticker,USA,USD,buy,agency,XNYS,ABCD\n"
	file := header + strings.Replace(row, "NAME", "u1", 1) + strings.Replace(row, "100018", "x", 1) + strings.Replace(row, "NAME", "u2", 1)
	taken, err := c.Upload(t.Context(), bank.UploadInsert, "trades.csv", strings.NewReader(file), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		state, err := c.UploadState(t.Context(), taken.UploadID)
		return err == nil && state.Completed && state.TradesProcessed == 2 && state.TradesSkipped == 1
	})
	for _, to := range []mode.Mode{mode.BKPrimary, mode.BankPrimary, mode.BankOnly} {
		switchTo(t, at.Admin, to)
		if trade, err := c.Trade(t.Context(), bank.TradeRef{AccountID: firstAccount, ClientTradeID: "u2"}); err != nil || trade.State != bank.StateOpen {
			t.Errorf("in %s: %s, %v", to, trade.State, err)
		}
		if state, err := c.UploadState(t.Context(), taken.UploadID); err != nil || !state.Completed {
			t.Errorf("in %s: %+v, %v", to, state, err)
		}
		// In bank-only, too, where Bank has never seen it.
		if _, err := c.Upload(t.Context(), bank.UploadInsert, "again.csv", strings.NewReader(file), time.Minute); bank.TypeOf(err) != bank.FileExists {
			t.Errorf("in %s: %v, want file_exists", to, err)
		}
	}
	// One that is Bank's stays known.
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	if _, err := io.WriteString(z, header+strings.Replace(row, "NAME", "u3", 1)); err != nil {
		t.Fatal(err)
	}
	z.Close()
	theirs, err := c.Upload(t.Context(), bank.UploadInsert, "trades.csv.gz", bytes.NewReader(zipped.Bytes()), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		state, err := c.UploadState(t.Context(), theirs.UploadID)
		return err == nil && state.Completed && state.TradesProcessed == 1
	})
}

// TestLostAnswer: Bank books, and the answer does not come; the client is told so, and the queue finds out and goes on.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode = mode.BankPrimary
	way := newLossy(t, b.API)
	cfg.Bank = way.url
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	way.lose.Store(true)
	_, err := c.BookTrades(context.Background(), []bank.Trade{tradeOf(t, "lost", firstAccount)})
	if bank.TypeOf(err) != bank.OutcomeUnknown {
		t.Fatalf("%v, want outcome_unknown", err)
	}
	way.lose.Store(false)
	booked, err := c.BookTrades(t.Context(), []bank.Trade{tradeOf(t, "lost", firstAccount)}) // waits for the first to be resolved
	if err != nil {
		t.Fatal(err)
	}
	switchTo(t, at.Admin, mode.BKPrimary)
	trade, err := c.Trade(t.Context(), bank.TradeRef{AccountID: firstAccount, ClientTradeID: "lost"})
	if err != nil || trade.TradeID != booked[0].TradeID {
		text, _ := json.Marshal(trade)
		t.Errorf("BK has %s, %v; want trade %s", text, err, booked[0].TradeID)
	}
}
