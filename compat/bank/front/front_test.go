package front_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
)

const trade = `{"type":"transfer_trade","timestamp":1381132800464,"client_trade_id":"%s","date":20131007,"account_id":1,"quantity":"10","price":"2.5",` +
	`"instrument":{"identifier":"AAPL","identifier_type":"sedol"},"side":{"direction":"buy"},"target_account_id":2,"user_data":"<b> &"}`

// system is a handler with a ledger behind it.
type system struct {
	t               *testing.T
	ledger          *memory
	files           *files
	log             *bytes.Buffer
	api, operations http.Handler
}

func serve(t *testing.T, keys ...string) *system {
	t.Helper()
	s := &system{t: t, ledger: &memory{date: 20131007}, files: &files{}, log: &bytes.Buffer{}}
	h, err := front.New(front.Config{Ledger: s.ledger, Uploads: s.files, Keys: keys, Log: slog.New(slog.NewTextHandler(s.log, nil)), MaxBody: 4096, MaxUpload: 8192})
	if err != nil {
		t.Fatal(err)
	}
	s.api, s.operations = h.API(), h.Operations()
	return s
}

func (s *system) call(handler http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	request := httptest.NewRequestWithContext(s.t.Context(), method, target, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	if got := recorder.Header().Get("Content-Type"); got != "application/json" {
		s.t.Errorf("%s %s: Content-Type %q", method, target, got)
	}
	return recorder
}

// files keeps what was received.
type files struct {
	mu   sync.Mutex
	kind string
	name string
	text []byte
}

func (f *files) Receive(_ context.Context, kind, name string, content io.Reader) (bank.NewUpload, error) {
	text, err := io.ReadAll(content)
	if err != nil {
		return bank.NewUpload{}, fmt.Errorf("receive: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.kind, f.name, f.text = kind, name, text
	return bank.NewUpload{UploadID: "abc", OrgID: 1, UserID: 1, Name: name}, nil
}

func (f *files) Upload(_ context.Context, id string) (bank.Upload, error) {
	if id != "abc" {
		return bank.Upload{}, bank.Errorf(bank.UploadNotFound, "no upload %q", id)
	}
	return bank.Upload{NewUpload: bank.NewUpload{UploadID: id}, Status: bank.UploadDone}, nil
}

// TestAnswers has a row for each route and each fault of shape.
func TestAnswers(t *testing.T) {
	t.Parallel()
	one, large := fmt.Sprintf(trade, "c1"), strings.Repeat(" ", 4097)
	for _, c := range []struct{ method, target, body, want string }{
		{"POST", "/trades", "[" + one + "]", `202 [{"client_trade_id":"c1","trade_id":"2"}]`},
		{"POST", "/trades?page_size=x&y=%zz", "[" + one + "]", `202 [`},
		{"POST", "/trades", "[" + one, `400 {"type":"malformed_request"`},
		{"POST", "/trades", "[]", `400 {"type":"too_many_trades"`},
		{"POST", "/trades", "[{}]", `400 {"type":"malformed_trade","message":"trades[0].type: missing"}`},
		{"POST", "/trades", large, `413 {"type":"too_large"`},
		{"GET", "/trades/1", "", `200 {"trade_id":"1","type":"transfer_trade","timestamp":1381132800464,"client_trade_id":"a/b"`},
		{"HEAD", "/trades/1", "", `200 `},
		{"GET", "/trades/2", "", `404 {"type":"trade_not_found"`},
		{"GET", "/trades/x", "", `400 {"type":"malformed_request"`},
		{"GET", "/trades/99999999999999999999", "", `400 {"type":"malformed_request"`},
		{"GET", "/trades?account_id=1&client_trade_id=a%2Fb", "", `200 {"trade_id":"1"`},
		{"GET", "/trades?account_id=1&client_trade_id=c2", "", `404 {"type":"trade_not_found"`},
		{"GET", "/trades?account_id=1", "", `400 {"type":"malformed_request","message":"client_trade_id: missing"}`},
		{"GET", "/trades?client_trade_id=a", "", `400 {"type":"malformed_request","message":"account_id`},
		{"GET", "/trades?account_id=1&client_trade_id=%00", "", `400 {"type":"malformed_request"`},
		{"GET", "/trades?a=%zz", "", `400 {"type":"malformed_request"`},
		{"DELETE", "/trades/1", "", `202 {}`},
		{"DELETE", "/trades/a%2Fb?is_client_trade_id=true&account_id=1", "", `202 {}`},
		{"DELETE", "/trades/a%2Fb?is_client_trade_id=true", "", `400 {"type":"missing_account_id"`},
		{"DELETE", "/trades/a%2Fb?is_client_trade_id=true&account_id=x", "", `400 {"type":"malformed_request"`},
		{"DELETE", "/trades/1?is_client_trade_id=perhaps", "", `400 {"type":"malformed_request"`},
		{"DELETE", "/trades/x", "", `400 {"type":"malformed_request"`},
		{"DELETE", "/trades/%ff?is_client_trade_id=true&account_id=1", "", `400 {"type":"malformed_request"`},
		{"PUT", "/trades/1", large, `405 {"type":"method_not_allowed"`},
		{"DELETE", "/trades", "", `405 {"type":"method_not_allowed"`},
		{"GET", "/none", large, `404 {"type":"not_found"`},
		{"GET", "/", "", `404 {"type":"not_found"`},
		{"GET", "/trades/", "", `404 {"type":"not_found"`},
		{"GET", "//trades/1", "", `404 {"type":"not_found"`},
		{"GET", "/accounts/1/../1", "", `404 {"type":"not_found"`},
		{"GET", "/cash", "", `404 {"type":"not_found"`},
		{"GET", "/entities", "", `200 {"data":[{"entity_id":"7","client_code":"c","legal_name":"l & <m>"}]}`},
		{"GET", "/entities/7", "", `200 {"entity_id":"7"`},
		{"GET", "/entities/8", "", `404 {"type":"entity_not_found"`},
		{"GET", "/accounts", "", `200 {"data":[{"account_id":"1","account_number":"1","entity_id":"7","name":"n"}]}`},
		{"GET", "/accounts/1", "", `200 {"account_id":"1"`},
		{"GET", "/accounts/01", "", `200 {"account_id":"1"`},
		{"GET", "/accounts/x", "", `400 {"type":"malformed_request"`},
		{"GET", "/accounts/9", "", `404 {"type":"account_not_found"`},
		{"GET", "/accounts/1/trades", "", `200 {"data":[{"trade_id":"1"`},
		{"GET", "/accounts/1/trades?date=20131008", "", `200 {"data":[]}`},
		{"GET", "/accounts/1/trades?date=20131032", "", `400 {"type":"malformed_request"`},
		{"GET", "/accounts/1/trades?state=gone", "", `400 {"type":"malformed_request"`},
		{"GET", "/accounts/1/trades?page_size=0", "", `400 {"type":"malformed_request"`},
		{"GET", "/accounts/1/trades?page_size=1001", "", `400 {"type":"malformed_request"`},
		{"GET", "/accounts/1/trades?page_size=x", "", `400 {"type":"malformed_request"`},
		{"GET", "/accounts/1/trades?page_token=x", "", `400 {"type":"malformed_request"`},
		{"GET", "/accounts/1/trades/5", "", `200 {"trade_id":"5","account_id":"1"`},
		{"GET", "/accounts/1/trades/x", "", `400 {"type":"malformed_request"`},
		{"GET", "/accounts/1/positions", "", `200 {"data":[{"account_id":"1","symbol":"AAPL","quantity":"0"},{"account_id":"1","symbol":"BRK/B","quantity":"0"}`},
		{"GET", "/accounts/1/positions?view=full", "", `200 {"data":[{"account_id":"1","symbol":"AAPL","quantity":"0","settled_quantity":"0"}`},
		{"GET", "/accounts/1/positions?view=half", "", `400 {"type":"malformed_request"`},
		{"GET", "/accounts/1/positions/BRK%2FB", "", `200 {"account_id":"1","symbol":"BRK/B","quantity":"0"}`},
		{"GET", "/accounts/1/positions/NONE", "", `404 {"type":"position_not_found"`},
		{"GET", "/accounts/1/balances", "", `200 {"data":[{"currency":"CAD"`},
		{"GET", "/accounts/1/journal", "", `200 {"data":[{"journal_id":"9"`},
		{"GET", "/business-date", "", `200 {"date":20131007}`},
		{"GET", "/uploads/abc", "", `200 {"upload_id":"abc"`},
		{"GET", "/uploads/abd", "", `404 {"type":"upload_not_found"`},
		{"POST", "/uploads/insert", "x", `400 {"type":"malformed_request"`},
		{"POST", "/uploads/insert", large, `400 {"type":"malformed_request"`}, // not too large here
		{"POST", "/uploads/other", "x", `405 {"type":"method_not_allowed"`},
		{"GET", "/uploads/insert", "", `405 {"type":"method_not_allowed"`},
	} {
		s := serve(t)
		s.ledger.entities = []bank.Entity{{EntityID: 7, ClientCode: "c", LegalName: "l & <m>"}}
		s.ledger.accounts = []bank.Account{bank.NewAccount{AccountID: 1, EntityID: 7, Name: "n"}.Account()}
		s.ledger.symbols = []string{"AAPL", "BRK/B"}
		s.call(s.api, "POST", "/trades", "["+fmt.Sprintf(trade, "a/b")+"]")
		response := s.call(s.api, c.method, c.target, c.body)
		got := fmt.Sprintf("%d %s", response.Code, response.Body)
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %s\n got %s\nwant %s", c.method, c.target, got, c.want)
		}
		if response.Code == 405 && response.Header().Get("Allow") == "" {
			t.Errorf("%s %s: no Allow", c.method, c.target)
		}
	}
}

func TestOperations(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, c := range []struct{ method, target, body, want string }{
		{"POST", "/entities", `{"entity_id":7,"client_code":"c","legal_name":"l"}`, `201 {"entity_id":"7","client_code":"c","legal_name":"l"}`},
		{"POST", "/entities", `{"entity_id":7,"client_code":"c","legal_name":"l"}`, `200 {"entity_id":"7"`},
		{"POST", "/entities", `{"entity_id":7}`, `400 {"type":"malformed_request","message":"client_code: missing"}`},
		{"POST", "/accounts", `{"account_id":"5","entity_id":7,"name":"n"}`, `201 {"account_id":"5","account_number":"5","entity_id":"7","name":"n"}`},
		{"POST", "/cash", `{"client_id":"c","account_id":1,"currency":"USD","amount":"5","kind":"deposit"}`, `202 {"cash_id":"12"}`},
		{"POST", "/cash", `{"client_id":"lost","account_id":1,"currency":"USD","amount":"5","kind":"deposit"}`, `504 {"type":"outcome_unknown"`},
		{"POST", "/cash", `{"client_id":"panic","account_id":1,"currency":"USD","amount":"5","kind":"deposit"}`, `500 {"type":"internal","message":"internal error"}`},
		{"POST", "/cash", `{}`, `400 {"type":"malformed_request"`},
		{"POST", "/business-date", `{"date":20131008}`, `202 {"date":20131008}`},
		{"POST", "/business-date", `{"date":20131099}`, `400 {"type":"malformed_request"`},
		{"POST", "/replay", `{"trade_id":5,"canceled_at":1381132800464}`, `202 {}`},
		{"GET", "/replay", ``, `200 {"last_trade_id":"5","last_cash_id":"6","last_event_id":"7"}`},
		{"GET", "/entities", ``, `405 {"type":"method_not_allowed"`},
		{"GET", "/trades/1", ``, `404 {"type":"not_found"`},
	} {
		response := s.call(s.operations, c.method, c.target, c.body)
		if got := fmt.Sprintf("%d %s", response.Code, response.Body); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s %s\n got %s\nwant %s", c.method, c.target, got, c.want)
		}
	}
	if !strings.Contains(s.log.String(), "of memory") {
		t.Errorf("the panic is not in the log: %s", s.log)
	}
	if len(s.ledger.replays) != 1 || s.ledger.replays[0].CanceledAt != 1381132800464 {
		t.Errorf("replays: %+v", s.ledger.replays)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := serve(t, "first", "second")
	for header, want := range map[string]int{"": 401, "Bearer": 401, "Bearer third": 401, "Basic first": 401, "Bearer first": 200, "bearer second": 200, "Bearer first second": 401} {
		if got := s.call(s.api, "GET", "/business-date", "", "Authorization", header); got.Code != want {
			t.Errorf("%q: %d, want %d", header, got.Code, want)
		}
	}
	for _, target := range []string{"/none", "/trades/x"} { // before anything else
		if got := s.call(s.api, "PUT", target, strings.Repeat("x", 5000)); got.Code != 401 || !strings.Contains(got.Body.String(), "unauthorized") {
			t.Errorf("%s: %d %s", target, got.Code, got.Body)
		}
	}
	if got := s.call(s.operations, "GET", "/replay", ""); got.Code != 401 {
		t.Errorf("operations: %d", got.Code)
	}
}

// walk gives the symbols or ids on the pages of a list.
func (s *system) walk(first string, rows func(*httptest.ResponseRecorder) ([]string, string)) (walked []string) {
	s.t.Helper()
	target := first
	for range 100 {
		response := s.call(s.api, "GET", target, "")
		if response.Code != 200 {
			s.t.Fatalf("%s: %d %s", target, response.Code, response.Body)
		}
		names, token := rows(response)
		walked = append(walked, names...)
		if token == "" {
			return walked
		}
		target = first + "&page_token=" + token
	}
	s.t.Fatal("a walk without end")
	return nil
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.ledger.symbols = []string{"A", "B B", "BRK/B", "C", "D"}
	for i := range 5 {
		s.call(s.api, "POST", "/trades", "["+fmt.Sprintf(trade, fmt.Sprint(i))+"]")
	}
	positions := func(r *httptest.ResponseRecorder) (names []string, token string) {
		list := decode[bank.List[bank.Position]](t, r)
		for _, p := range list.Data {
			names = append(names, p.Symbol)
		}
		return names, list.Next
	}
	for _, size := range []string{"1", "2", "5", "1000"} {
		if got := s.walk("/accounts/1/positions?page_size="+size, positions); strings.Join(got, ",") != "A,B B,BRK/B,C,D" {
			t.Errorf("pages of %s: %q", size, got)
		}
	}
	trades := func(r *httptest.ResponseRecorder) (names []string, token string) {
		list := decode[bank.List[bank.AccountTrade]](t, r)
		for _, row := range list.Data {
			names = append(names, row.TradeID.String())
		}
		return names, list.Next
	}
	// A roll in the middle of a walk, even of its first page: it stays with the day that it began with.
	s.ledger.during = func() {
		if len(s.ledger.trades) == 5 {
			s.ledger.trades = append(s.ledger.trades, s.ledger.trades[0])
			s.ledger.trades[5].TradeID = 6
		} else if s.ledger.date == 20131007 {
			s.ledger.date = 20131008
		}
	}
	if got := s.walk("/accounts/1/trades?page_size=2", trades); strings.Join(got, ",") != "1,2,3,4,5,6" {
		t.Errorf("trades: %q", got)
	}
	s.ledger.during, s.ledger.date = nil, 20131007
	_, token := trades(s.call(s.api, "GET", "/accounts/1/trades?page_size=2", ""))
	for _, target := range []string{"/accounts/2/trades?", "/accounts/1/trades?state=open&", "/accounts/1/trades?date=20131007&", "/accounts/1/positions?", "/accounts?", "/accounts/1/journal?"} {
		if got := s.call(s.api, "GET", target+"page_token="+token, ""); got.Code != 400 || !strings.Contains(got.Body.String(), "malformed_request") {
			t.Errorf("a token of another list, %s: %d %s", target, got.Code, got.Body)
		}
	}
	for _, bad := range []string{token[:len(token)-3], token + "AAAA", "A" + token[1:], "%20", "AAAAAAAAAAA"} {
		if got := s.call(s.api, "GET", "/accounts/1/trades?page_token="+bad, ""); got.Code != 400 {
			t.Errorf("token %q: %d", bad, got.Code)
		}
	}
}

func TestCausesStayInside(t *testing.T) {
	t.Parallel()
	s := serve(t)
	for _, fail := range []error{errors.New("the password is wrong"), fmt.Errorf("x: %w", bank.Errorf(bank.Internal, "the password is wrong"))} {
		s.log.Reset()
		s.ledger.fail = fail
		got := s.call(s.api, "GET", "/business-date", "")
		if got.Code != 500 || got.Body.String() != `{"type":"internal","message":"internal error"}` || !strings.Contains(s.log.String(), "password") {
			t.Errorf("%d %s; log %s", got.Code, got.Body, s.log)
		}
	}
}

func TestUploads(t *testing.T) {
	t.Parallel()
	s := serve(t)
	form := func(field, text string) (body, contentType string) {
		var b bytes.Buffer
		w := multipart.NewWriter(&b)
		other, err := w.CreateFormField("other")
		if err == nil {
			_, err = other.Write([]byte("x"))
		}
		part, errOfFile := w.CreateFormFile(field, "n.csv")
		if errOfFile == nil {
			_, errOfFile = part.Write([]byte(text))
		}
		if err := errors.Join(err, errOfFile, w.Close()); err != nil {
			t.Fatal(err)
		}
		return b.String(), w.FormDataContentType()
	}
	body, contentType := form("file", "some,text\n")
	got := s.call(s.api, "POST", "/uploads/cancel", body, "Content-Type", contentType)
	if got.Code != 202 || !strings.Contains(got.Body.String(), `"upload_id":"abc","org_id":1,"user_id":1,"name":"n.csv"`) || s.files.kind != "cancel" || string(s.files.text) != "some,text\n" {
		t.Errorf("%d %s, %+v", got.Code, got.Body, s.files)
	}
	if got := s.call(s.api, "POST", "/uploads/insert", body[:len(body)-20], "Content-Type", contentType); got.Code != 400 || !strings.Contains(got.Body.String(), "malformed_request") {
		t.Errorf("cut off: %d %s", got.Code, got.Body)
	}
	body, contentType = form("data", "x")
	if got := s.call(s.api, "POST", "/uploads/insert", body, "Content-Type", contentType); got.Code != 400 || !strings.Contains(got.Body.String(), "malformed_request") {
		t.Errorf("no file: %d %s", got.Code, got.Body)
	}
	body, contentType = form("file", strings.Repeat("x", 9000))
	if got := s.call(s.api, "POST", "/uploads/insert", body, "Content-Type", contentType); got.Code != 413 {
		t.Errorf("announced as too large: %d %s", got.Code, got.Body)
	}
	request := httptest.NewRequestWithContext(t.Context(), "POST", "/uploads/insert", io.MultiReader(strings.NewReader(body))) // of unknown length
	request.Header.Set("Content-Type", contentType)
	recorder := httptest.NewRecorder()
	s.api.ServeHTTP(recorder, request)
	if recorder.Code != 413 || !strings.Contains(recorder.Body.String(), "too_large") {
		t.Errorf("found to be too large: %d %s", recorder.Code, recorder.Body)
	}
}

// TestServer speaks both protocols over a socket, with the client of package bank.
func TestServer(t *testing.T) {
	t.Parallel()
	s := serve(t, "key")
	s.ledger.accounts = []bank.Account{bank.NewAccount{AccountID: 1, EntityID: 7, Name: "n"}.Account()}
	s.ledger.symbols = []string{"BRK/B", "SPX 100"}
	listen := func(handler http.Handler) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := front.Server(handler)
		go func() { _ = server.Serve(listener) }() // ends with Close
		t.Cleanup(func() { _ = server.Close() })
		return "http://" + listener.Addr().String()
	}
	api, operations := listen(s.api), listen(s.operations)
	for version, setProtocol := range map[int]func(*http.Protocols){1: func(p *http.Protocols) { p.SetHTTP1(true) }, 2: func(p *http.Protocols) { p.SetUnencryptedHTTP2(true) }} {
		protocols := new(http.Protocols)
		setProtocol(protocols)
		transport := &http.Transport{Protocols: protocols}
		t.Cleanup(transport.CloseIdleConnections)
		var seen int
		client, err := bank.NewClient(bank.ClientConfig{API: api, Operations: operations, Key: "key", HTTP: &http.Client{Transport: spy{transport, &seen}}})
		if err != nil {
			t.Fatal(err)
		}
		useClient(t, s, client)
		if seen != version {
			t.Errorf("HTTP/%d was spoken, not %d", seen, version)
		}
	}
}

// spy notes which version of HTTP was answered with.
type spy struct {
	http.RoundTripper
	seen *int
}

func (s spy) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := s.RoundTripper.RoundTrip(r)
	if err == nil {
		*s.seen = response.ProtoMajor
	}
	return response, err
}
