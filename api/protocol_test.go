package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/bkledger/bk/api"
	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/gen/bk/v1/bkv1connect"
)

// jsonError is the body of an error as curl shows it.
type jsonError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Details []struct {
		Type  string `json:"type"`
		Debug struct{ Reason, Field, Message string }
	} `json:"details"`
}

// post sends a body by HTTP/1.1, as curl does.
func (b *books) post(t *testing.T, procedure, contentType, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+procedure, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.ProtoMajor != 1 {
		t.Errorf("HTTP/%d", res.ProtoMajor)
	}
	return res.StatusCode, answer
}

const tradeJSON = `{"key": "curl", "trade_date": 20131007, "trade": {"type": "TRADE_TYPE_EXCHANGE", "executed_at": "2013-10-07T08:00:00.464Z",
	"account": {"code": "cust:100018"}, "direction": "DIRECTION_BUY", "quantity": "100", "price": "167.41",
	"instrument": {"type": "IDENTIFIER_TYPE_TICKER", "value": "AAPL", "country": "USA", "currency": "USD"},
	"capacity": "CAPACITY_AGENCY", "mic": "XNYS", "execMpid": "ABCD"}}`

func TestJSONByPlainHTTP(t *testing.T) {
	t.Parallel()
	b := serve(t)
	status, body := b.post(t, bkv1connect.BookingServiceBookTradeProcedure, "application/json", tradeJSON)
	var booked struct {
		Receipt struct {
			EntryID string `json:"entry_id"`
			TradeID string `json:"trade_id"`
			Token   string `json:"token"`
		}
	}
	if err := json.Unmarshal(body, &booked); status != http.StatusOK || err != nil || booked.Receipt.EntryID == "" || booked.Receipt.EntryID != booked.Receipt.TradeID {
		t.Fatalf("%d %s", status, body)
	}
	status, body = b.post(t, bkv1connect.QueryServiceListBalancesProcedure, "application/json",
		`{"account": {"code": "cust:100018"}, "instrument_kind": "INSTRUMENT_KIND_SECURITY", "at_least": "`+booked.Receipt.Token+`"}`)
	if status != http.StatusOK || !strings.Contains(string(body), `"trade_date":"100"`) {
		t.Errorf("balances: %d %s", status, body)
	}

	for _, row := range []struct {
		name, procedure, body         string
		status                        int
		code, reason, field, contains string
	}{
		{"no JSON", bkv1connect.BookingServiceBookTradeProcedure, `{"key": `, 400, "invalid_argument", "malformed_request", "", "not JSON"},
		{"empty", bkv1connect.BookingServiceBookTradeProcedure, ``, 400, "invalid_argument", "malformed_request", "", "empty"},
		{"misspelled field", bkv1connect.BookingServiceBookTradeProcedure, strings.Replace(tradeJSON, "trade_date", "trade_day", 1), 400, "invalid_argument", "malformed_request", "", "trade_day"},
		{"number of a wrong type", bkv1connect.BookingServiceBookTradeProcedure, strings.Replace(tradeJSON, "20131007", `"x"`, 1), 400, "invalid_argument", "malformed_request", "", "int32 field"},
		{"unknown enum", bkv1connect.BookingServiceBookTradeProcedure, strings.Replace(tradeJSON, "DIRECTION_BUY", "HOLD", 1), 400, "invalid_argument", "malformed_request", "", "HOLD"},
		{"bad amount", bkv1connect.BookingServiceBookTradeProcedure, strings.Replace(tradeJSON, "167.41", "1e3", 1), 400, "invalid_argument", "invalid_field", "trade.price", ""},
		{"unknown account", bkv1connect.BookingServiceBookTradeProcedure, strings.Replace(strings.Replace(tradeJSON, "100018", "5", 1), "curl", "other", 1), 404, "not_found", "unknown_account", "trade.account", ""},
		{"conflict", bkv1connect.BookingServiceBookTradeProcedure, strings.Replace(tradeJSON, "167.41", "167.42", 1), 409, "already_exists", "key_conflict", "key", ""},
		{"too large", bkv1connect.BookingServiceBookTradeProcedure, `{"key": "` + strings.Repeat("x", 8<<20) + `"}`, 429, "resource_exhausted", "too_large", "", "8388608"},
		{"much too large", bkv1connect.BookingServiceBookTradeProcedure, `{"key": "` + strings.Repeat("x", 10<<20) + `"}`, 429, "resource_exhausted", "too_large", "", "8388608"},
	} {
		t.Run(row.name, func(t *testing.T) {
			status, body := b.post(t, row.procedure, "application/json", row.body)
			var e jsonError
			if err := json.Unmarshal(body, &e); err != nil || status != row.status || e.Code != row.code || e.Message == "" || len(e.Details) != 1 {
				t.Fatalf("%d %.300s, want %d %s", status, body, row.status, row.code)
			}
			d := e.Details[0]
			if d.Type != "bk.v1.ErrorDetail" || d.Debug.Reason != row.reason || d.Debug.Field != row.field || !strings.Contains(d.Debug.Message, row.contains) {
				t.Errorf("detail %+v, want %s of %q", d, row.reason, row.field)
			}
			if row.field != "" && !strings.HasPrefix(e.Message, row.field+": ") {
				t.Errorf("message %q", e.Message)
			}
		})
	}
}

// What reaches no call is answered by status alone; error.proto names the cases.
func TestBelowTheCalls(t *testing.T) {
	t.Parallel()
	b := serveEmpty(t)
	for _, row := range []struct {
		method, path, contentType string
		status                    int
	}{
		{http.MethodPost, "/bk.v1.BookingService/Nothing", "application/json", 404},
		{http.MethodGet, bkv1connect.BookingServiceBookTradeProcedure, "application/json", 405},
		{http.MethodPost, bkv1connect.BookingServiceBookTradeProcedure, "text/plain", 415},
		{http.MethodPost, bkv1connect.BookingServiceBookStreamProcedure, "application/connect+json", 505},
	} {
		req, err := http.NewRequestWithContext(t.Context(), row.method, b.url+row.path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", row.contentType)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != row.status {
			t.Errorf("%s %s as %s: %d, not %d", row.method, row.path, row.contentType, res.StatusCode, row.status)
		}
	}
}

func TestMalformedProtobuf(t *testing.T) {
	t.Parallel()
	b := serveEmpty(t)
	for name, body := range map[string]string{"cut": "\x0a\xff\xff", "bad UTF-8 in metadata": "\x1a\x07\x0a\x02\xff\xfe\x12\x01x", "wire type": "\x0f"} {
		status, answer := b.post(t, bkv1connect.BookingServiceBookTradeProcedure, "application/proto", body)
		var e jsonError
		if err := json.Unmarshal(answer, &e); err != nil || status != 400 || len(e.Details) != 1 || e.Details[0].Debug.Reason != "malformed_request" {
			t.Errorf("%s: %d %s", name, status, answer)
		}
	}
	// A caller that sends the codec's own mark gets the same.
	status, answer := b.post(t, bkv1connect.BookingServiceBookTradeProcedure, "application/proto", "\xfa\xff\xff\xff\x0f\x01\x01")
	if status != 400 || !bytes.Contains(answer, []byte("malformed_request")) {
		t.Errorf("mark: %d %s", status, answer)
	}
}

func TestGRPCAndGRPCWeb(t *testing.T) {
	t.Parallel()
	b := serve(t)
	for name, option := range map[string]connect.ClientOption{"gRPC": connect.WithGRPC(), "gRPC-Web": connect.WithGRPCWeb(), "JSON": connect.WithProtoJSON()} {
		c, err := client.New(b.url, option)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if res, err := c.Booking.BookTrade(t.Context(), connect.NewRequest(buying(name))); err != nil || res.Msg.Receipt.TradeId == 0 {
			t.Errorf("%s: %v", name, err)
		}
		bad := buying(name + " bad")
		bad.Trade.Price = "x"
		_, err = c.Booking.BookTrade(t.Context(), connect.NewRequest(bad))
		refused(t, err, invalid, "invalid_field", "trade.price")
		large := buying(name)
		large.Key = strings.Repeat("x", 8<<20)
		_, err = c.Booking.BookTrade(t.Context(), connect.NewRequest(large))
		refused(t, err, connect.CodeResourceExhausted, "too_large", "")
		watch, err := c.Query.WatchJournal(t.Context(), connect.NewRequest(&bkv1.WatchJournalRequest{}))
		if err != nil || !watch.Receive() || len(watch.Msg().Entries) == 0 {
			t.Errorf("%s: watch: %v", name, err)
		}
		if err == nil {
			watch.Close()
		}
	}
}

func TestReflection(t *testing.T) {
	t.Parallel()
	b := serveEmpty(t)
	reflection := grpcreflect.NewClient(http2Client(), b.url, connect.WithGRPC())
	stream := reflection.NewStream(t.Context())
	defer stream.Close()
	names, err := stream.ListServices()
	if err != nil || len(names) != 5 {
		t.Fatalf("%v, %v", names, err)
	}
	for _, name := range names {
		if files, err := stream.FileContainingSymbol(name); err != nil || len(files) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	b := serveEmpty(t)
	check := connect.NewClient[healthv1.HealthCheckRequest, healthv1.HealthCheckResponse](http2Client(), b.url+"/grpc.health.v1.Health/Check", connect.WithGRPC())
	status := func(service string) healthv1.HealthCheckResponse_ServingStatus {
		res, err := check.CallUnary(t.Context(), connect.NewRequest(&healthv1.HealthCheckRequest{Service: service}))
		if err != nil {
			t.Error(err)
			return -1
		}
		return res.Msg.Status
	}
	for _, service := range []string{"", bkv1connect.BookingServiceName, bkv1connect.QueryServiceName} {
		if s := status(service); s != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("%q is %s", service, s)
		}
	}
	_, err := check.CallUnary(t.Context(), connect.NewRequest(&healthv1.HealthCheckRequest{Service: "nobody"}))
	refused(t, err, nothere, "unknown_service", "")
	list := connect.NewClient[healthv1.HealthListRequest, healthv1.HealthListResponse](http2Client(), b.url+"/grpc.health.v1.Health/List", connect.WithGRPC())
	if all, err := list.CallUnary(t.Context(), connect.NewRequest(&healthv1.HealthListRequest{})); err != nil || len(all.Msg.Statuses) != 6 ||
		all.Msg.Statuses[bkv1connect.BookingServiceName].GetStatus() != healthv1.HealthCheckResponse_SERVING {
		t.Errorf("list: %v, %v", all, err)
	}
	watch := connect.NewClient[healthv1.HealthCheckRequest, healthv1.HealthCheckResponse](http2Client(), b.url+"/grpc.health.v1.Health/Watch", connect.WithGRPC())
	stream, err := watch.CallServerStream(t.Context(), connect.NewRequest(&healthv1.HealthCheckRequest{}))
	if err != nil || !stream.Receive() || stream.Msg().Status != healthv1.HealthCheckResponse_SERVING {
		t.Fatalf("watch: %v", err)
	}
	b.server.Drain()
	if !stream.Receive() || stream.Msg().Status != healthv1.HealthCheckResponse_NOT_SERVING || stream.Receive() {
		t.Errorf("after the drain: %v", stream.Msg())
	}
	if s := status(""); s != healthv1.HealthCheckResponse_NOT_SERVING {
		t.Errorf("after the drain: %s", s)
	}
}

func http2Client() *http.Client {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	small := &http.HTTP2Config{MaxReceiveBufferPerConnection: 64 << 10, MaxReceiveBufferPerStream: 64 << 10}
	return &http.Client{Transport: &http.Transport{Protocols: &protocols, HTTP2: small}}
}

func TestConfigurationErrorsComeAllAtOnce(t *testing.T) {
	t.Parallel()
	_, err := api.New(api.Config{Limits: api.Limits{StreamWindow: -1, MessageBytes: 1}})
	for _, part := range []string{"journal", "projections", "stream window", "message bytes"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name the %s", err, part)
		}
	}
}
