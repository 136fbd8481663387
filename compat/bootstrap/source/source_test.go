package source_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/await"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func now(context.Context) error { return nil }

func db(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	return conn
}

func play(t *testing.T, at stage.Bank) {
	t.Helper()
	played, err := shadow.Play(t.Context(), shadow.Traffic{Target: shadow.System{Name: "Bank", API: at.API, Operations: at.Operations}, Seed: 5, Requests: 400, Accounts: 12, Rolls: 4})
	if err != nil || played.Surprised > 0 {
		t.Fatal(played, err)
	}
}

// readable is what both sources have.
type readable interface {
	Ranges(context.Context, source.Table, int64, func(context.Context) error) ([]source.Range, error)
	Read(context.Context, source.Range, io.Writer) (int64, error)
}

// rows reads a whole table, in chunks, as rows by key.
func rows(t *testing.T, from readable, table source.Table, size int64) map[string]source.Row {
	t.Helper()
	ranges, err := from.Ranges(t.Context(), table, size, now)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]source.Row{}
	for _, r := range ranges {
		var chunk bytes.Buffer
		n, err := from.Read(t.Context(), r, &chunk)
		if err != nil {
			t.Fatal(err)
		}
		reader := source.NewReader(table, &chunk, nil)
		for {
			row, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(r, err)
			}
			if all[row.Key()] != nil {
				t.Fatalf("%s %s is there twice", table, row.Key())
			}
			all[row.Key()] = row
		}
		if reader.Rows() != n {
			t.Errorf("%s: %d rows are there, %d were written", r, reader.Rows(), n)
		}
	}
	return all
}

// TestSnapshot: what is read is what was there at the place, however small the chunks, and whatever is done meanwhile.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	at := stage.StartBank(t)
	play(t, at)
	snapshot, err := source.Snapshot(t.Context(), source.DatabaseConfig{DSN: at.DSN})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	conn := db(t, at.DSN)
	counts := map[source.Table]int{}
	for _, table := range source.Tables() {
		var n int
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM bank.`+string(table)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		counts[table] = n
	}
	place := snapshot.Place()
	var last int64
	if err := conn.QueryRow(t.Context(), `SELECT max(event_id) FROM bank.outbox`).Scan(&last); err != nil || place.EventID != last || place.BusinessDate == 0 || place.HeldMS <= 0 {
		t.Errorf("%+v, Bank's last event is %d: %v", place, last, err)
	}
	first := rows(t, snapshot, source.Trades, 50)
	if _, err := conn.Exec(t.Context(), `UPDATE bank.trade SET state = 'settled' WHERE state = 'open'`); err != nil { // as a roll would
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `DELETE FROM bank.journal WHERE journal_id % 2 = 0`); err != nil {
		t.Fatal(err)
	}
	for _, table := range source.Tables() {
		if have := len(rows(t, snapshot, table, 50)); have != counts[table] {
			t.Errorf("%s: %d rows of %d", table, have, counts[table])
		}
	}
	for key, row := range rows(t, snapshot, source.Trades, 7) {
		if have, want := told(row), told(first[key]); have != want {
			t.Fatalf("trade %s:\n%s\n%s", key, have, want)
		}
	}
}

// TestBusy: a barrier does not wait for ever, and nobody waits behind it for longer.
func TestBusy(t *testing.T) {
	t.Parallel()
	at := stage.StartBank(t)
	play(t, at)
	at.Stop() // it would work the upload off
	conn := db(t, at.DSN)
	busy := func(name, begin, end string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), begin); err != nil {
			t.Fatal(err)
		}
		if _, err := source.Snapshot(t.Context(), source.DatabaseConfig{DSN: at.DSN, Barrier: 50 * time.Millisecond}); !errors.Is(err, source.ErrBusy) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := conn.Exec(t.Context(), end); err != nil {
			t.Fatal(err)
		}
	}
	busy("work under way", `SELECT pg_advisory_lock_shared(x'62616e6b64617465'::bigint)`, `SELECT pg_advisory_unlock_all()`)
	busy("a roll that was interrupted", `UPDATE bank.business_date SET rolling_to = 20991231`, `UPDATE bank.business_date SET rolling_to = 0`)
	busy("an upload", `INSERT INTO bank.upload (kind, upload_id, name, created_at, updated_at) VALUES ('insert', 'x', 'x', 1, 1)`, `UPDATE bank.upload SET status = 'failed'`)
	snapshot, err := source.Snapshot(t.Context(), source.DatabaseConfig{DSN: at.DSN})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	if err := snapshot.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := conn.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hotswap-bootstrap' AND backend_xmin IS NOT NULL AND datname = current_database()`); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "a snapshot whose session is gone says so", func() bool { return errors.Is(snapshot.Alive(t.Context()), source.ErrGone) })
}

// TestAPI: Bank's API gives what its database has, but for what it has no way to say.
func TestAPI(t *testing.T) {
	t.Parallel()
	at := stage.StartBank(t)
	play(t, at)
	client, err := bank.NewClient(bank.ClientConfig{API: at.API, Operations: at.Operations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	snapshot, err := source.Snapshot(t.Context(), source.DatabaseConfig{DSN: at.DSN})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	quiet, err := source.Quiesced(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if a, d := quiet.Place(), snapshot.Place(); a.EventID != d.EventID || a.BusinessDate != d.BusinessDate {
		t.Errorf("%+v, %+v", a, d)
	}
	for _, table := range []source.Table{source.Entities, source.Accounts, source.Trades, source.Journal, source.Positions, source.Balances} {
		by, of := rows(t, quiet, table, 100), rows(t, snapshot, table, 100)
		if len(of) == 0 {
			t.Errorf("%s: no rows", table)
		}
		for key, row := range of {
			if trade, ok := row.(*source.Trade); ok {
				trade.Running, trade.TargetRunning = nil, nil
			}
			if j, ok := row.(*source.JournalRow); ok && j.CashID != nil {
				cash := -j.JournalID
				j.CashID = &cash
			}
			if zero(row) && by[key] == nil {
				continue
			}
			if have, want := told(by[key]), told(row); have != want {
				t.Fatalf("%s %s:\n%s\n%s", table, key, have, want)
			}
		}
	}
	moved := rows(t, quiet, source.CashMovements, 100)
	for _, row := range rows(t, snapshot, source.Journal, 100) {
		if j := row.(*source.JournalRow); j.CashID != nil {
			c, ok := moved[(-j.JournalID).String()].(*source.Cash)
			if !ok || c.AccountID != j.AccountID || !c.Amount.Equal(j.TDAmount.Abs()) {
				t.Errorf("cash of journal row %d: %+v", j.JournalID, c)
			}
		}
	}
	if err := quiet.Alive(t.Context()); err != nil {
		t.Error(err)
	}
	date, err := client.BusinessDate(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Roll(t.Context(), date+1); err != nil {
		t.Fatal(err)
	}
	if err := quiet.Alive(t.Context()); !errors.Is(err, source.ErrGone) {
		t.Errorf("a Bank that is not quiet: %v", err)
	}
}

// zero tells of a row that the API leaves out.
func zero(row source.Row) bool {
	switch r := row.(type) {
	case *source.Position:
		return r.Quantity.IsZero() && r.SettledQuantity.IsZero()
	case *source.Balance:
		return r.SettledCash.IsZero() && r.UnsettledCredits.IsZero() && r.UnsettledDebits.IsZero()
	}
	return false
}

// told spells a row, amounts and what is pointed to included.
func told(row source.Row) string {
	var b strings.Builder
	switch r := row.(type) {
	case *source.Trade:
		c := *r
		fmt.Fprint(&b, number(c.TargetAccountID), number(c.CanceledAt), number(c.ReplacedBy), number(c.Replaces))
		c.TargetAccountID, c.CanceledAt, c.ReplacedBy, c.Replaces = nil, nil, nil, nil
		fmt.Fprint(&b, " ", c.Running == nil, " ", c.TargetRunning == nil)
		c.Running, c.TargetRunning = nil, nil
		fmt.Fprintf(&b, "%v", c)
	case *source.JournalRow:
		c := *r
		fmt.Fprint(&b, number(c.TradeID), number(c.CashID))
		c.TradeID, c.CashID = nil, nil
		fmt.Fprintf(&b, "%v", c)
	default:
		fmt.Fprintf(&b, "%v", row)
	}
	return b.String()
}

func number[T ~int64](p *T) int64 {
	if p == nil {
		return -1
	}
	return int64(*p)
}

// TestReader: texts come as they are, null is not the empty text, and a row that can't be read does not end the chunk.
func TestReader(t *testing.T) {
	t.Parallel()
	texts := []string{"", `"`, `a,b`, "a\r\nb", "\n", `\N`, `\.`, "ä€😀", " x ", `""`, strings.Repeat(`"x,`, 100_000)}
	conn := db(t, pgtest.New(t))
	if _, err := conn.Exec(t.Context(), `CREATE TEMP TABLE entity (entity_id bigint, client_code text, legal_name text)`); err != nil {
		t.Fatal(err)
	}
	var own []byte
	for i, text := range texts {
		if _, err := conn.Exec(t.Context(), `INSERT INTO entity VALUES ($1, $2, $3)`, i, text, text+"!"); err != nil {
			t.Fatal(err)
		}
		id, more := fmt.Sprint(i), text+"!"
		own = source.AppendCSV(own, &id, &text, &more)
	}
	var chunk bytes.Buffer
	if _, err := conn.PgConn().CopyTo(t.Context(), &chunk, `COPY (SELECT * FROM entity ORDER BY entity_id) TO STDOUT (FORMAT csv)`); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"Postgres'": chunk.Bytes(), "ours": own} {
		reader := source.NewReader(source.Entities, bytes.NewReader(content), nil)
		for i, text := range texts {
			row, err := reader.Next()
			if err != nil {
				t.Fatal(name, err)
			}
			if e := row.(*source.Entity); int(e.EntityID) != i || e.ClientCode != text || e.LegalName != text+"!" {
				t.Errorf("%s: %q instead of %q", name, e.ClientCode, text)
			}
		}
		if _, err := reader.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: %v behind the last", name, err)
		}
	}
	reader := source.NewReader(source.Balances, strings.NewReader("5,USD,NaN,0,0\n6,USD,1,,0\n7,USD,1.50,0,0\n8,USD,x,0,0\n"), func(key string) map[string]string {
		if key == "8/USD" {
			return map[string]string{"settled_cash": "8"}
		}
		return nil
	})
	var have []string
	for {
		row, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if bad := (*source.BadRow)(nil); errors.As(err, &bad) {
			have = append(have, bad.Key+" "+bad.Field)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		have = append(have, row.Key()+" "+row.(*source.Balance).SettledCash.String())
	}
	if want := "[5/USD settled_cash 6/USD unsettled_debits 7/USD 1.5 8/USD 8]"; fmt.Sprint(have) != want {
		t.Errorf("%v instead of %s", have, want)
	}
	if _, err := source.NewReader(source.Entities, strings.NewReader("1,\"a"), nil).Next(); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a chunk that ends within a text: %v", err)
	}
}

// TestThrottle: readers stand while a measure is above its limit, and go on when it is not.
func TestThrottle(t *testing.T) {
	t.Parallel()
	var took atomic.Int64
	var looks atomic.Int64
	throttle := source.NewThrottle(time.Millisecond, nil, source.Measure{Name: "it", Limit: time.Second, Read: func(context.Context) (time.Duration, error) {
		looks.Add(1)
		return time.Duration(took.Load()), nil
	}})
	if err := throttle.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	took.Store(int64(2 * time.Second))
	ctx, end := context.WithCancel(t.Context())
	defer end()
	go throttle.Run(ctx)
	await.Until(t, "readers are slowed down", func() bool {
		pause, why := throttle.State()
		return pause > 10*time.Second && strings.Contains(why, "it is 2s, above 1s")
	})
	passed := make(chan error, 1)
	go func() { passed <- throttle.Wait(t.Context()) }()
	seen := looks.Load()
	await.Until(t, "twenty more looks", func() bool { return looks.Load() >= seen+20 })
	select {
	case err := <-passed:
		t.Fatalf("a reader went on while it was too slow: %v", err)
	default:
	}
	took.Store(0)
	select {
	case err := <-passed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("a reader stands though all is well")
	}
	dsn := pgtest.New(t)
	for _, m := range []source.Measure{source.DatabaseLatency(dsn, time.Second), source.ReplicationLag(dsn, time.Second)} {
		if d, err := m.Read(t.Context()); err != nil || d < 0 || d > time.Minute {
			t.Errorf("%s: %s, %v", m.Name, d, err)
		}
	}
}
