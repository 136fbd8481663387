package facade

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

// count asks the façade's database.
func count(t *testing.T, dsn, sql string, args ...any) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAnswerBreaksOff: Bank books, and its answer breaks off in the middle. The client is told that the outcome is unknown, and the accounts don't stay held.
func TestAnswerBreaksOff(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode = mode.BankPrimary
	way := newLossy(t, b.API)
	cfg.Bank = way.url
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	way.half.Store(true)
	if _, err := c.BookTrades(context.Background(), []bank.Trade{tradeOf(t, "half", firstAccount)}); bank.TypeOf(err) != bank.OutcomeUnknown {
		t.Errorf("%v, want outcome_unknown", err)
	}
	// A call that the façade can't read, too.
	if status, text := do(t, "POST", "http://"+at.API+"/trades", "{"); status != http.StatusGatewayTimeout || !strings.Contains(text, string(bank.OutcomeUnknown)) {
		t.Errorf("%d %s, want outcome_unknown", status, text)
	}
	way.half.Store(false)
	booked, err := c.BookTrades(t.Context(), []bank.Trade{tradeOf(t, "half", firstAccount)})
	if err != nil {
		t.Fatal(err)
	}
	switchTo(t, at.Admin, mode.BKPrimary)
	if trade, err := c.Trade(t.Context(), bank.TradeRef{AccountID: firstAccount, ClientTradeID: "half"}); err != nil || trade.TradeID != booked[0].TradeID {
		t.Errorf("BK has trade %s, %v; want %s", trade.TradeID, err, booked[0].TradeID)
	}
}

// TestBodyBreaksOff: a body that can't be read is no write.
func TestBodyBreaksOff(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode = mode.BankPrimary
	at, _ := startFacade(t, cfg)
	for address, path := range map[string]string{at.API: "/trades", at.Operations: "/replay"} {
		const head = "POST %s HTTP/1.1\r\nHost: b\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[{\r\nno length\r\n"
		if got := exchange(t, address, fmt.Sprintf(head, path), 10*time.Second); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.Contains(got, string(bank.MalformedRequest)) {
			t.Errorf("%s: %q", path, got)
		}
	}
}

// TestBackWaitsForOpenCalls: a step back to bank-only leaves no call behind whose outcome is not known.
func TestBackWaitsForOpenCalls(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode, cfg.Hold, cfg.SettleAfter = mode.BankPrimary, time.Second, patience
	way := newLossy(t, b.API)
	cfg.Bank = way.url
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	way.lose.Store(true)
	way.mute.Store(true)
	if _, err := c.BookTrades(context.Background(), []bank.Trade{tradeOf(t, "open", firstAccount)}); bank.TypeOf(err) != bank.OutcomeUnknown {
		t.Fatalf("%v, want outcome_unknown", err)
	}
	var fault Fault
	code := post(t, at.Admin, "/mode", SwitchRequest{To: string(mode.BankOnly), Who: "anna", Why: "test"}, &fault)
	if code != http.StatusConflict || !strings.Contains(fault.Error, "the outcome of 1 calls") {
		t.Errorf("%d, %s", code, fault.Error)
	}
	way.lose.Store(false)
	way.mute.Store(false)
	switchTo(t, at.Admin, mode.BankOnly)
	if n := count(t, cfg.Postgres, `SELECT count(*) FROM facade.intent`); n != 0 {
		t.Errorf("%d calls are open in bank-only", n)
	}
	if n := count(t, cfg.Postgres, `SELECT count(*) FROM facade.queue WHERE kind = 'trades'`); n != 1 {
		t.Errorf("the queue has had %d bookings", n)
	}
}

// TestPassedUploads: a file is remembered from before Bank gets it; one that Bank does not have is forgotten.
func TestPassedUploads(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	way := newLossy(t, b.API)
	cfg.Bank = way.url
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	passed := func() int { t.Helper(); return count(t, cfg.Postgres, `SELECT count(*) FROM facade.passed_upload`) }
	const file = "trade_id,account_id\n1,2\n"
	if _, err := c.Upload(t.Context(), bank.UploadCancel, "x.txt", strings.NewReader(file), time.Minute); bank.TypeOf(err) != bank.UnsupportedFile || passed() != 0 {
		t.Errorf("%v, %d remembered", err, passed())
	}
	way.half.Store(true)
	if _, err := c.Upload(t.Context(), bank.UploadCancel, "x.csv", strings.NewReader(file), time.Minute); err == nil || passed() != 1 {
		t.Errorf("%v, %d remembered", err, passed())
	}
	way.half.Store(false)
	if _, err := c.Upload(t.Context(), bank.UploadCancel, "x.csv", strings.NewReader(file), time.Minute); bank.TypeOf(err) != bank.FileExists || passed() != 1 {
		t.Errorf("%v, %d remembered", err, passed())
	}
	// Of before a façade was killed: more than are looked up at a time.
	count(t, cfg.Postgres, `WITH more AS (INSERT INTO facade.passed_upload (kind, upload_id) SELECT 'insert', md5(i::text) FROM generate_series(1, $1) AS i RETURNING 1)
		SELECT count(*) FROM more`, uploadsAtOnce+10)
	switchTo(t, at.Admin, mode.BankPrimary)
	if n := count(t, cfg.Postgres, `SELECT count(*) FROM facade.passed_upload WHERE kind = 'cancel' AND ended`); n != 1 || passed() != 1 {
		t.Errorf("%d of %d have ended", n, passed())
	}
}

// TestReadyWithoutItsDatabase: reads go on without the façade's database, so no replica goes out of service.
func TestReadyWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Lease = 2 * time.Second
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	parsed, err := pgx.ParseConfig(cfg.Postgres)
	if err != nil {
		t.Fatal(err)
	}
	name := pgx.Identifier{parsed.Database}.Sanitize()
	parsed.Database = "postgres"
	conn, err := pgx.ConnectConfig(t.Context(), parsed)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	allow := func(allowed bool) {
		t.Helper()
		if _, err := conn.Exec(context.Background(), fmt.Sprintf(`ALTER DATABASE %s ALLOW_CONNECTIONS %t`, name, allowed)); err != nil {
			t.Fatal(err)
		}
	}
	allow(false)
	defer allow(true) // before it is stopped: it gives its lease back
	if _, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = `+"'"+strings.Trim(name, `"`)+"'"); err != nil {
		t.Fatal(err)
	}
	var ready Readiness
	waitFor(t, func() bool { return get(t, at.Admin, "/readyz", &ready) != http.StatusOK || !ready.Writes })
	if code := get(t, at.Admin, "/readyz", &ready); code != http.StatusOK || !ready.Ready || ready.Writes || ready.Mode != mode.BankOnly {
		t.Errorf("%d, %+v", code, ready)
	}
	if _, err := c.Account(t.Context(), firstAccount); err != nil {
		t.Errorf("a read: %v", err)
	}
	allow(true)
	waitFor(t, func() bool { return get(t, at.Admin, "/readyz", &ready) == http.StatusOK && ready.Writes })
}
