package facade

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/upload"
	"github.com/bkledger/bk/compat/facade/mode"
)

// startStubborn gives the URL of a way to Bank on which bookings that name a client's id fail for ever.
func startStubborn(t *testing.T, address, client string) string {
	t.Helper()
	through := newProxy(&url.URL{Scheme: "http", Host: address}, newTransport(), logTo(t))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == "/trades" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				panic(http.ErrAbortHandler)
			}
			if bytes.Contains(body, []byte(client)) {
				answerError(w, bank.Errorf(bank.Internal, "a poisoned row"))
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestGiveUp: a row that never goes through holds up its upload and every step, and whoever operates the façade sees which it is and why, and can give it up.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode, cfg.Bank = mode.BankPrimary, startStubborn(t, b.API, "u2")
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	file := "type,timestamp,client_trade_id,date,account_id,quantity,price,instrument.identifier,instrument.identifier_type,instrument.country,instrument.currency,side.direction,capacity,mic,exec_mpid\n"
	for _, name := range []string{"u1", "u2", "u3"} {
		file += "exchange_trade,1381132800464," + name + ",20131007,100018,100,10.5,IBM,ticker,USA,USD,buy,agency,XNYS,ABCD\n"
	}
	taken, err := c.Upload(t.Context(), bank.UploadInsert, "trades.csv", strings.NewReader(file), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	var status Status
	waitFor(t, func() bool {
		get(t, at.Admin, "/status", &status)
		return len(status.Uploads) == 1 && status.Uploads[0].Held != nil && status.Uploads[0].Held.Attempts > 1
	})
	if u := status.Uploads[0]; u.UploadID != taken.UploadID || u.Held.Row != 2 || u.Held.Type != "internal" || u.Processed != 1 {
		t.Errorf("%+v, %+v", u, u.Held)
	}
	res, err := http.Get("http://" + at.Admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || !strings.Contains(string(text), "hotswap_uploads_unfinished 1") || strings.Contains(string(text), "hotswap_upload_row_failures 0") {
		t.Errorf("%s, %v", text, err)
	}
	var fault Fault
	if code := post(t, at.Admin, "/mode", SwitchRequest{To: string(mode.BKPrimary), Who: "anna", Why: "test"}, &fault); code != http.StatusConflict ||
		!strings.Contains(fault.Error, "row 2") || !strings.Contains(fault.Error, "give-up") {
		t.Errorf("a step: %d, %s", code, fault.Error)
	}
	path := "/uploads/" + taken.UploadID + "/rows/"
	for _, refused := range []struct {
		path string
		ask  GiveUpRequest
		want int
	}{
		{path + "2/give-up", GiveUpRequest{Who: "anna"}, http.StatusBadRequest},
		{path + "x/give-up", GiveUpRequest{Who: "anna", Why: "CHG-1"}, http.StatusBadRequest},
		{path + "3/give-up", GiveUpRequest{Who: "anna", Why: "CHG-1"}, http.StatusConflict},
		{"/uploads/none/rows/2/give-up", GiveUpRequest{Who: "anna", Why: "CHG-1"}, http.StatusConflict},
	} {
		if code := post(t, at.Admin, refused.path, refused.ask, &fault); code != refused.want || fault.Error == "" {
			t.Errorf("%s: %d, %s", refused.path, code, fault.Error)
		}
	}
	if code := post(t, at.Admin, path+"2/give-up", GiveUpRequest{Who: "anna", Why: "CHG-1"}, &struct{}{}); code != http.StatusOK {
		t.Fatalf("give up: %d", code)
	}
	waitFor(t, func() bool {
		state, err := c.UploadState(t.Context(), taken.UploadID)
		return err == nil && state.Completed && state.TradesProcessed == 2 && state.TradesSkipped == 1 && len(state.Errors) == 1 && state.Errors[0].Row == 2 && state.Errors[0].Type == "internal"
	})
	var all Uploads
	if get(t, at.Admin, "/uploads", &all); len(all.Unfinished) != 0 || len(all.GivenUp) != 1 || all.GivenUp[0].Who != "anna" || all.GivenUp[0].Row != 2 {
		t.Errorf("%+v", all)
	}
	switchTo(t, at.Admin, mode.BKPrimary)
	if _, err := c.Trade(t.Context(), bank.TradeRef{AccountID: firstAccount, ClientTradeID: "u2"}); bank.TypeOf(err) != bank.TradeNotFound {
		t.Errorf("the row that was given up: %v", err)
	}
}

// TestSlowClients: those that send a file too slowly are told so, and the room that they had goes to the others that wait for it.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	u := &uploads{dir: t.TempDir(), pace: upload.Pace{Bytes: 1 << 10, Within: time.Second}, spools: make(chan struct{}, 2), log: logTo(t)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if next, end := u.spool(w, r); next != nil {
			defer end()
			if _, err := io.Copy(w, next.Body); err != nil {
				t.Error(err)
			}
		}
	}))
	t.Cleanup(server.Close)
	send := func(body io.Reader) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/uploads/insert", body)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		var text string
		return decode(t, res, &text), text
	}
	var clients sync.WaitGroup
	for range 2 {
		from, to := io.Pipe()
		t.Cleanup(func() { to.CloseWithError(errors.New("over")) })
		clients.Go(func() {
			code, text := send(from)
			var fault bank.Error
			if err := json.Unmarshal([]byte(text), &fault); err != nil || code != http.StatusBadRequest || fault.Type != bank.MalformedRequest || !strings.Contains(fault.Message, "too slowly") {
				t.Errorf("a slow client: %d %s, %v", code, text, err)
			}
		})
		if _, err := to.Write([]byte("a few bytes")); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, func() bool { return len(u.spools) == cap(u.spools) })
	if code, text := send(strings.NewReader("all of it")); code != http.StatusOK || text != "all of it" {
		t.Errorf("one that waited: %d %s", code, text)
	}
	clients.Wait()
}
