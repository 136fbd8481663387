package legacy_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/bank/upload"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

// running is a Bank that serves.
type running struct {
	legacy.Addresses
	end  context.CancelFunc
	done chan error
}

func run(t *testing.T, cfg legacy.Config) *running {
	t.Helper()
	cfg.Listen, cfg.OperationsListen, cfg.Log = "127.0.0.1:0", "127.0.0.1:0", slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{end: cancel, done: make(chan error, 1)}
	ready := make(chan legacy.Addresses, 1)
	go func() { r.done <- legacy.Run(ctx, cfg, func(at legacy.Addresses) { ready <- at }) }()
	t.Cleanup(r.end)
	select {
	case r.Addresses = <-ready:
	case err := <-r.done:
		t.Fatal(err)
	}
	return r
}

func (r *running) stop(t *testing.T) {
	t.Helper()
	r.end()
	if err := <-r.done; err != nil {
		t.Error(err)
	}
}

func call(t *testing.T, method, url, kind string, body io.Reader) (status int, text string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	request.Header.Set("Authorization", "Bearer k")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(content)
}

func TestService(t *testing.T) {
	t.Parallel()
	cfg := legacy.Config{DSN: pgtest.New(t), Brokers: []string{kafkatest.New(t).Addr()}, Keys: []string{"k"}}
	r := run(t, cfg)
	api, operations := "http://"+r.API, "http://"+r.Operations
	for _, c := range []struct {
		method, url, body string
		status            int
		want              string
	}{
		{"GET", operations + "/healthz", "", 200, "alive"},
		{"GET", operations + "/readyz", "", 200, "ready"},
		{"POST", operations + "/entities", `{"entity_id":1,"client_code":"c","legal_name":"l"}`, 201, ""},
		{"POST", operations + "/accounts", `{"account_id":7,"entity_id":1,"name":"n"}`, 201, ""},
		{"POST", operations + "/business-date", `{"date":20131007}`, 202, ""},
		{"GET", api + "/business-date", "", 200, `{"date":20131007}`},
		{"GET", api + "/accounts/7", "", 200, `{"account_id":"7","account_number":"7","entity_id":"1","name":"n"}`},
		{"GET", operations + "/metrics", "", 200, "bank_events_published_total"},
	} {
		status, text := call(t, c.method, c.url, "application/json", strings.NewReader(c.body))
		if status != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.url, status, text)
		}
	}

	// An upload that is worked off by the next Bank, where this one left it.
	const rows = 1000
	file := &bytes.Buffer{}
	fmt.Fprintln(file, "type,timestamp,client_trade_id,date,account_id,quantity,price,instrument.identifier,instrument.identifier_type,instrument.country,instrument.currency,side.direction,capacity,mic,exec_mpid")
	for i := range rows {
		fmt.Fprintf(file, "exchange_trade,1381132800,u%d,20131007,7,1,1,XYZ,ticker,USA,USD,buy,agency,ARCX,CLST\n", i)
	}
	form := &bytes.Buffer{}
	parts := multipart.NewWriter(form)
	part, err := parts.CreateFormFile("file", "trades.csv")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(file.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
	status, text := call(t, "POST", api+"/uploads/insert", parts.FormDataContentType(), form)
	var taken bank.NewUpload
	if err := json.Unmarshal([]byte(text), &taken); err != nil || status != 202 {
		t.Fatalf("%d %s, %v", status, text, err)
	}
	pool, err := pgxpool.New(t.Context(), cfg.DSN)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	count := func() (n int) {
		if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM bank.trade`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	await(t, func() bool { return count() > 50 })
	r.stop(t)
	if n := count(); n == rows {
		t.Error("the upload was through before the restart: the test has tested nothing")
	}
	r = run(t, cfg)
	defer r.stop(t)
	var u bank.Upload
	await(t, func() bool {
		_, text := call(t, "GET", "http://"+r.API+"/uploads/"+taken.UploadID, "", nil)
		if err := json.Unmarshal([]byte(text), &u); err != nil {
			t.Fatal(err)
		}
		return u.Completed
	})
	want(t, "trades", count(), rows)
	want(t, "processed", u.TradesProcessed, rows)
	want(t, "skipped", u.TradesSkipped, 0)
	if err := legacy.Check(t.Context(), pool); err != nil {
		t.Error(err)
	}
}

func TestServiceConfig(t *testing.T) {
	t.Parallel()
	err := legacy.Run(t.Context(), legacy.Config{Connections: 1, Partitions: -1, Listen: "nowhere"}, func(legacy.Addresses) {})
	for _, name := range []string{"DSN", "Connections", "Partitions", "Listen"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
}

func TestUploadMigration(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile("sql/00002_upload.sql")
	if err != nil {
		t.Fatal(err)
	}
	if string(content) != upload.Migrations("bank")[0] {
		t.Error("sql/00002_upload.sql is not what package upload asks for")
	}
}
