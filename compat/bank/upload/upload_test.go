package upload_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/upload"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience of tests on a slow machine.
const patience = 30 * time.Second

// database gives a pool on a database with the store's tables.
func database(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	sql := "CREATE SCHEMA files;"
	for _, migration := range upload.Migrations("files") {
		up, _, _ := strings.Cut(migration, "-- +goose Down")
		sql += up
	}
	if _, err := pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	return pool
}

func newStore(t *testing.T, pool *pgxpool.Pool) *upload.Store {
	t.Helper()
	store, err := upload.New(upload.Config{Pool: pool, Schema: "files", Log: slog.New(slog.DiscardHandler), Dir: t.TempDir(), MaxFile: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// work runs a worker until it is stopped, at the latest when the test ends.
func work(t *testing.T, store *upload.Store, books upload.Books) (stop func()) {
	t.Helper()
	worker, err := upload.NewWorker(store, books, upload.WorkerConfig{Poll: 5 * time.Millisecond, RetryMin: time.Millisecond, RetryMax: 50 * time.Millisecond, SaveRows: 3, Settle: 20 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		worker.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return stop
}

// books keep trades by the client's id; fault, if there is one, is asked before and after each call.
type books struct {
	mu       sync.Mutex
	trades   map[string]*bank.StoredTrade
	order    []string // of bookings and cancels, repeats left out
	calls    int
	inside   int
	together bool // two calls were inside at once
	fault    func(call, name string, done bool) error
}

func newBooks() *books { return &books{trades: map[string]*bank.StoredTrade{}} }

func (b *books) enter(call, name string) (func(error) error, error) {
	b.mu.Lock()
	b.calls++
	b.inside++
	b.together = b.together || b.inside > 1
	fault := b.fault
	b.mu.Unlock()
	leave := func(err error) error {
		if fault != nil && err == nil {
			err = fault(call, name, true)
		}
		b.mu.Lock()
		b.inside--
		b.mu.Unlock()
		return err
	}
	if fault != nil {
		if err := fault(call, name, false); err != nil {
			return nil, leave(err)
		}
	}
	return leave, nil
}

func (b *books) BookTrades(_ context.Context, trades []bank.Trade) ([]bank.Booked, error) {
	trade := trades[0]
	leave, err := b.enter("book", trade.ClientTradeID)
	if err != nil {
		return nil, err
	}
	b.mu.Lock()
	stored, ok := b.trades[trade.ClientTradeID]
	switch {
	case trade.AccountID == 404:
		err = bank.Errorf(bank.UnknownAccount, "trades[0].account_id: unknown")
	case ok && !stored.Same(&trade):
		err = bank.Errorf(bank.ClientIDConflict, "trades[0].client_trade_id: other content")
	case !ok:
		stored = &bank.StoredTrade{TradeID: bank.ID(len(b.trades) + 1), Trade: trade, State: bank.StateOpen}
		b.trades[trade.ClientTradeID] = stored
		b.order = append(b.order, trade.ClientTradeID)
	}
	b.mu.Unlock()
	if err = leave(err); err != nil {
		return nil, err
	}
	return []bank.Booked{{ClientTradeID: trade.ClientTradeID, TradeID: stored.TradeID}}, nil
}

func (b *books) find(ref bank.TradeRef) (*bank.StoredTrade, error) {
	for _, trade := range b.trades {
		if ref.TradeID == trade.TradeID || ref.ClientTradeID == trade.ClientTradeID && ref.AccountID == trade.AccountID {
			return trade, nil
		}
	}
	return nil, bank.Errorf(bank.TradeNotFound, "no trade %+v", ref)
}

func (b *books) CancelTrade(_ context.Context, ref bank.TradeRef) error {
	leave, err := b.enter("cancel", ref.ClientTradeID)
	if err != nil {
		return err
	}
	b.mu.Lock()
	trade, err := b.find(ref)
	switch {
	case err != nil:
	case trade.State == bank.StateCanceled:
		err = bank.Errorf(bank.TradeAlreadyCanceled, "cancelled already")
	default:
		trade.State = bank.StateCanceled
		b.order = append(b.order, "-"+trade.ClientTradeID)
	}
	b.mu.Unlock()
	return leave(err)
}

func (b *books) Trade(_ context.Context, ref bank.TradeRef) (bank.StoredTrade, error) {
	leave, err := b.enter("read", ref.ClientTradeID)
	if err != nil {
		return bank.StoredTrade{}, err
	}
	b.mu.Lock()
	defer func() { _ = leave(nil) }()
	defer b.mu.Unlock()
	trade, err := b.find(ref)
	if err != nil {
		return bank.StoredTrade{}, err
	}
	return *trade, nil
}

const header = "type,timestamp,client_trade_id,date,account_id,quantity,price,instrument.identifier,instrument.identifier_type,side.direction,target_account_id,user_data\n"

// file gives rows named prefix0, prefix1 and so on.
func file(prefix string, count int) string {
	text := strings.Builder{}
	text.WriteString(header)
	for i := range count {
		text.WriteString(row(fmt.Sprintf("%s%d", prefix, i), "10"))
	}
	return text.String()
}

func row(name, quantity string) string {
	return "transfer_trade,1381132800," + name + ",20131007,1," + quantity + ",2.50,2046251,sedol,buy,2,\"{\"\"a\"\": 1}\"\n"
}

func receive(t *testing.T, store *upload.Store, kind, name, content string) string {
	t.Helper()
	received, err := store.Receive(t.Context(), kind, name, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return received.UploadID
}

// completed waits for an upload's end and compares it.
func completed(t *testing.T, store *upload.Store, id, status string, processed, skipped int64, faults ...string) {
	t.Helper()
	var u bank.Upload
	for end := time.Now().Add(patience); !u.Completed; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited too long: %+v", u)
		}
		var err error
		if u, err = store.Upload(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, e := range u.Errors {
		got = append(got, fmt.Sprintf("%d %s", e.Row, e.Type))
	}
	if u.Status != status || u.TradesProcessed != processed || u.TradesSkipped != skipped || !slices.Equal(got, faults) || u.UploadID != id || u.UpdatedAt < u.CreatedAt {
		t.Fatalf("%+v; wanted %s, %d processed, %d skipped, %v", u, status, processed, skipped, faults)
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	if err := errors.Join(err, w.Close()); err != nil {
		panic(err)
	}
	return b.String()
}

func TestRowsAreBooked(t *testing.T) {
	t.Parallel()
	pool := database(t)
	store, books := newStore(t, pool), newBooks()
	content := header + row("a", "10") + row("b", "-1") + row("c", "1") + "short\n" + row("a", "10.0") + row("a", "11") + "x\"y,\n" + strings.Replace(row("d", "1"), ",1,1,2.5", ",404,1,2.5", 1)
	plain := receive(t, store, bank.UploadInsert, "A.CSV", content)
	if left, err := store.Unfinished(t.Context()); err != nil || len(left) != 1 || left[0].Status != bank.UploadPending || left[0].UploadID != plain {
		t.Fatalf("pending, but unfinished are %+v, %v", left, err)
	}
	work(t, store, books)
	completed(t, store, plain, bank.UploadDone, 3, 5, "2 malformed_trade", "4 malformed_trade", "6 client_trade_id_conflict", "7 malformed_trade", "8 unknown_account")
	completed(t, store, receive(t, store, bank.UploadInsert, "b.csv.gz", zipped(file("z", 2000))), bank.UploadDone, 2000, 0)
	completed(t, store, receive(t, store, bank.UploadInsert, "b.csv", zipped(file("y", 20))), bank.UploadDone, 20, 0) // by content, not by name
	if got := books.trades["a"]; string(got.UserData) != `{"a":1}` || got.Timestamp != 1381132800000 {
		t.Errorf("%+v", got)
	}
	if books.order[0] != "a" || books.order[1] != "c" || books.order[2] != "z0" || books.order[2001] != "z1999" || len(books.order) != 2022 {
		t.Errorf("order: %v", books.order)
	}
	var left int
	if err := pool.QueryRow(t.Context(), `SELECT count(*) FROM files.upload_part`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d parts are left, %v", left, err)
	}
	if left, err := store.Unfinished(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("all done, but unfinished are %+v, %v", left, err)
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	pool := database(t)
	store := newStore(t, pool)
	receive(t, store, bank.UploadInsert, "a.csv", file("a", 1))
	receive(t, store, bank.UploadCancel, "a.csv", file("a", 1)) // the other endpoint
	for _, c := range []struct {
		name, content string
		want          bank.Type
	}{
		{"b.csv", file("a", 1), bank.FileExists},
		{"b.txt", file("a", 1), bank.FileExists}, // precedence
		{"b.txt", header, bank.EmptyFile},
		{"b.csv", "", bank.EmptyFile},
		{"b.csv", "\n\n", bank.EmptyFile},
		{"b.csv.gz", zipped(header), bank.EmptyFile},
		{"b.txt", file("b", 1), bank.UnsupportedFile},
		{"csv", file("b", 1), bank.UnsupportedFile},
		{"b.csv", strings.Repeat("x", 1<<20+1), bank.TooLarge},
	} {
		if _, err := store.Receive(t.Context(), bank.UploadInsert, c.name, strings.NewReader(c.content)); bank.TypeOf(err) != c.want {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
	broken := errors.New("the client left")
	if _, err := store.Receive(t.Context(), bank.UploadInsert, "b.csv", io.MultiReader(strings.NewReader(header), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("a broken body: %v", err)
	}
	if _, err := store.Upload(t.Context(), "none"); bank.TypeOf(err) != bank.UploadNotFound {
		t.Errorf("unknown: %v", err)
	}
	other := newStore(t, pool)
	results := make(chan error)
	for i := range 8 {
		go func() {
			_, err := []*upload.Store{store, other}[i%2].Receive(t.Context(), bank.UploadInsert, "c.csv", strings.NewReader(file("c", 3)))
			results <- err
		}()
	}
	taken := 0
	for range 8 {
		if err := <-results; err == nil {
			taken++
		} else if bank.TypeOf(err) != bank.FileExists {
			t.Error(err)
		}
	}
	if taken != 1 {
		t.Errorf("taken %d times", taken)
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	store, books := newStore(t, database(t)), newBooks()
	work(t, store, books)
	whole := zipped(file("g", 5000))
	cut := receive(t, store, bank.UploadInsert, "cut.csv.gz", whole[:len(whole)/2])
	wrong := receive(t, store, bank.UploadInsert, "wrong.csv.gz", "\x1f\x8bno gzip at all\n1\n")
	completed(t, store, wrong, bank.UploadFailed, 0, 0, "1 malformed_request")
	columns := receive(t, store, bank.UploadCancel, "columns.csv", "trade,account\n1,2\n")
	completed(t, store, columns, bank.UploadFailed, 0, 0, "1 malformed_request")
	u, err := store.Upload(t.Context(), cut)
	if err != nil || u.Status != bank.UploadFailed || u.TradesProcessed < 100 || u.TradesProcessed != int64(len(books.order)) || len(u.Errors) != 1 || u.Errors[0].Row != u.TradesProcessed+1 {
		t.Errorf("cut off: %+v, %v; %d are booked", u, err, len(books.order))
	}
	bomb := receive(t, store, bank.UploadInsert, "bomb.csv.gz", zipped(header+strings.Repeat("x", 5<<20)))
	completed(t, store, bomb, bank.UploadFailed, 0, 0, "1 malformed_request")
}

func TestErrorsAreKeptForTheFirstThousand(t *testing.T) {
	t.Parallel()
	store, books := newStore(t, database(t)), newBooks()
	work(t, store, books)
	content := header + strings.Repeat("short\n", 1200) + row("a", "1")
	id := receive(t, store, bank.UploadInsert, "a.csv", content)
	faults := make([]string, bank.MaxUploadErrors)
	for i := range faults {
		faults[i] = fmt.Sprintf("%d malformed_trade", i+1)
	}
	completed(t, store, id, bank.UploadDone, 1, 1200, faults...)
}

// TestFailuresAreNotTheRows: what is not the row's own fault is tried again.
func TestFailuresAreNotTheRows(t *testing.T) {
	t.Parallel()
	store, books := newStore(t, database(t)), newBooks()
	failures := []error{errors.New("connection refused"), bank.Errorf(bank.Internal, "no"), bank.Errorf(bank.OutcomeUnknown, "who knows"), bank.Errorf(bank.Unauthorized, "key")}
	left := map[string]int{}
	books.fault = func(call, name string, done bool) error {
		key := fmt.Sprint(call, name, done)
		if left[key]++; left[key] <= len(failures) && strings.HasSuffix(name, "1") {
			return failures[left[key]-1]
		}
		return nil
	}
	work(t, store, books)
	completed(t, store, receive(t, store, bank.UploadInsert, "a.csv", file("a", 3)), bank.UploadDone, 3, 0)
	cancels := "account,trade_id,by_client_id\n1,a1,true\n1,a2,true\n1,a2,true\n1,9,\n1,3,false\n"
	completed(t, store, receive(t, store, bank.UploadCancel, "a.csv", cancels), bank.UploadDone, 2, 3, "3 trade_already_canceled", "4 trade_not_found", "5 trade_already_canceled")
	if want := []string{"a0", "a1", "a2", "-a1", "-a2"}; !slices.Equal(books.order, want) {
		t.Errorf("%v, want %v", books.order, want)
	}
}

// TestACrashAtEveryCall stops a worker hard, its progress unsaved, in the middle of each call; the next goes on, books nothing twice and counts every row once.
func TestACrashAtEveryCall(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{bank.UploadInsert, bank.UploadCancel} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			pool := database(t)
			store, books := newStore(t, pool), newBooks()
			content := file("a", 6)
			if kind == bank.UploadCancel {
				work(t, store, books)
				completed(t, store, receive(t, store, bank.UploadInsert, "a.csv", content), bank.UploadDone, 6, 0)
				if err := books.CancelTrade(t.Context(), bank.TradeRef{AccountID: 1, ClientTradeID: "a4"}); err != nil {
					t.Fatal(err)
				}
				content = "account_id,client_trade_id\n1,a0\n1,a1\n1,a2\n1,a2\n1,a3\n1,a4\n1,a5\n"
			}
			crashed := map[string]bool{}
			books.mu.Lock()
			books.fault = func(call, name string, done bool) error {
				books.mu.Lock()
				defer books.mu.Unlock()
				if key := fmt.Sprint(call, name, done); !crashed[key] {
					crashed[key] = true
					crash(t, pool)
				}
				return nil
			}
			books.mu.Unlock()
			if kind == bank.UploadInsert {
				work(t, store, books)
				completed(t, store, receive(t, store, kind, "a.csv", content), bank.UploadDone, 6, 0)
			} else {
				completed(t, store, receive(t, store, kind, "c.csv", content), bank.UploadDone, 5, 2, "4 trade_already_canceled", "6 trade_already_canceled")
			}
			want := []string{"a0", "a1", "a2", "a3", "a4", "a5"}
			if kind == bank.UploadCancel {
				want = append(want, "-a4", "-a0", "-a1", "-a2", "-a3", "-a5")
			}
			if !slices.Equal(books.order, want) {
				t.Errorf("%v, want %v", books.order, want)
			}
			if len(crashed) < 12 {
				t.Errorf("only %d crashes", len(crashed))
			}
		})
	}
}

// crash ends the connection of the worker that works: it can save no more, and another may begin.
func crash(t *testing.T, pool *pgxpool.Pool) {
	_, err := pool.Exec(context.Background(), `SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	if err != nil {
		t.Error(err)
	}
}

func TestOneWorksInOrderOfArrival(t *testing.T) {
	t.Parallel()
	pool := database(t)
	books := newBooks()
	stores := []*upload.Store{newStore(t, pool), newStore(t, pool), newStore(t, pool)}
	var want, ids []string
	for i := range 9 {
		ids = append(ids, receive(t, stores[i%3], bank.UploadInsert, "a.csv", file(fmt.Sprintf("%c", 'a'+i), 7)))
		for n := range 7 {
			want = append(want, fmt.Sprintf("%c%d", 'a'+i, n))
		}
	}
	var stops []func()
	for _, store := range stores {
		stops = append(stops, work(t, store, books))
	}
	completed(t, stores[0], ids[2], bank.UploadDone, 7, 0)
	stops[0]() // whoever worked, the others go on
	completed(t, stores[1], ids[5], bank.UploadDone, 7, 0)
	stops[1]()
	for _, id := range ids {
		completed(t, stores[2], id, bank.UploadDone, 7, 0)
	}
	if !slices.Equal(books.order, want) || books.together {
		t.Errorf("two at once: %t; %v", books.together, books.order)
	}
}

// TestOwnersHaveTheMigration compares the files of those who keep a store.
func TestOwnersHaveTheMigration(t *testing.T) {
	t.Parallel()
	for folder, schema := range map[string]string{"../../facade/schema/": "facade", "../legacy/sql/": "bank"} {
		for i, name := range []string{"upload.sql", "upload_held.sql"} {
			found, err := filepath.Glob(folder + "000??_" + name)
			if err != nil || len(found) != 1 {
				t.Errorf("%s of %s: %v, %v", name, folder, found, err)
				continue
			}
			if text, err := os.ReadFile(found[0]); err != nil || string(text) != upload.Migrations(schema)[i] {
				t.Errorf("%s is not number %d of Migrations(%q) (%v)", found[0], i, schema, err)
			}
		}
	}
}

func TestConfigs(t *testing.T) {
	t.Parallel()
	_, err := upload.New(upload.Config{Schema: "A;", MaxFile: -1})
	for _, name := range []string{"Pool", "Log", "Schema", "MaxFile"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	if err := (upload.WorkerConfig{Poll: -1, SaveRows: -1}).Validate(); err == nil || !strings.Contains(err.Error(), "Poll") || !strings.Contains(err.Error(), "SaveRows") {
		t.Error(err)
	}
}
