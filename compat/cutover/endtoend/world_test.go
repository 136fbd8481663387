package endtoend_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/compat/bankstream/owner"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/bankstream/state"
	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/facade"
	facadebooks "github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) {
	pgtest.Main(m)
	if built != "" {
		_ = os.RemoveAll(built) // it is in the folder for what is temporary
	}
}

const (
	local    = "127.0.0.1:0"
	day      = 20131007
	patience = 4 * time.Minute
	accounts = 30 // an account that is written to without a pause can't be compared
)

// world is all that runs.
type world struct {
	t                      *testing.T
	broker, bankDSN, bkDSN string
	bank                   contract.Target
	bk                     string
	facade                 stage.Facade
	stream                 string // URL of its admin listener
	ownDSN                 string // of a server that nobody else uses, where a test has one
	brake                  *brake
	trades                 atomic.Int64 // ids of clients' trades
}

// brake stands before the stream's translator, and holds it up.
type brake struct {
	bankstream.Translator
	mu   sync.Mutex
	held bool
}

// Apply implements bankstream.Translator.
func (b *brake) Apply(ctx context.Context, v state.View, r rehydrate.Record) ([]bank.Event, error) {
	b.mu.Lock()
	held := b.held
	b.mu.Unlock()
	if held {
		return nil, errors.New("the test holds the stream up")
	}
	return b.Translator.Apply(ctx, v, r)
}

func (b *brake) hold(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.held = on
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, in mode.Mode) *world {
	t.Helper()
	w := &world{t: t, broker: kafkatest.Own(t).Addr(), bankDSN: pgtest.New(t), bkDSN: pgtest.New(t)}
	at, _ := stage.Await(t, "Bank", func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{DSN: w.bankDSN, Connections: 8, Brokers: []string{w.broker}, Listen: local, OperationsListen: local, Log: stage.Log(t)}, ready)
	})
	w.bank = contract.Target{API: "http://" + at.API, Operations: "http://" + at.Operations}
	serving, _ := stage.Await(t, "BK", func(ctx context.Context, ready func(node.Addresses)) error {
		return node.Run(ctx, node.Config{Postgres: w.bkDSN, Brokers: []string{w.broker}, Listen: local, MetricsListen: local, PoolConnections: 16, Log: stage.Log(t)}, ready)
	})
	w.bk = "http://" + serving.API
	w.facade = stage.StartFacade(t, facade.Config{
		Bank: w.bank.API, BankOperations: w.bank.Operations, BK: w.bk, Brokers: []string{w.broker}, Mode: in, Stream: true, Hold: 5 * time.Second,
	})
	w.startStream()
	w.post(w.facade.Operations+"/entities", `{"entity_id": 1, "client_code": "ACME", "legal_name": "Acme Inc."}`)
	for i := range accounts {
		w.post(w.facade.Operations+"/accounts", fmt.Sprintf(`{"account_id": %d, "entity_id": 1, "name": "Ann"}`, 100018+i))
	}
	w.post(w.facade.Operations+"/business-date", fmt.Sprintf(`{"date": %d}`, day))
	for range 5 {
		w.post(w.facade.API+"/trades", w.trade())
	}
	return w
}

// startStream starts the stream, which owns Bank's topics where BK is the primary.
func (w *world) startStream() {
	t := w.t
	bk, err := client.New(w.bk)
	must(t, err)
	t.Cleanup(bk.Close)
	pool, err := pgxpool.New(t.Context(), w.facade.DSN)
	must(t, err)
	t.Cleanup(pool.Close)
	names, err := facadebooks.NewStream(facadebooks.StreamConfig{Client: bk, Pool: pool, Log: stage.Log(t)})
	must(t, err)
	t.Cleanup(names.Close)
	relay, err := bank.NewClient(bank.ClientConfig{API: w.bank.API, Operations: w.bank.Operations})
	must(t, err)
	t.Cleanup(relay.Close)
	own, err := owner.New(owner.Config{Pool: pool, Bank: relay, BK: owner.BK(bk), Brokers: []string{w.broker}, Group: bankstream.DefaultGroup, Log: stage.Log(t)})
	must(t, err)
	w.background("the relay's reconciler", own.Run)
	w.brake = &brake{Translator: rehydrate.New(names)}
	metrics := prometheus.NewRegistry()
	stream, err := bankstream.New(bankstream.Config{Translator: w.brake, Owner: own, Brokers: []string{w.broker}, Instance: "one", Metrics: metrics, BackoffMax: 200 * time.Millisecond, Log: stage.Log(t)})
	must(t, err)
	w.background("the stream", stream.Run)
	server := httptest.NewServer(stream.Handler(metrics))
	t.Cleanup(server.Close)
	w.stream = server.URL
}

// background runs something until the test ends.
func (w *world) background(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			w.t.Errorf("%s ended with: %v", name, err)
		}
	})
}

// trade is the body of a new one, of today or, now and then, of tomorrow.
func (w *world) trade() string {
	n := w.trades.Add(1)
	date := day
	if n%5 == 0 {
		date++
	}
	return fmt.Sprintf(`[{"type": "exchange_trade", "timestamp": 1381132800, "client_trade_id": "X%d", "date": %d, "account_id": %d, "quantity": "%d", "price": "167.41",
		"side": {"direction": "sell"}, "capacity": "agency", "mic": "XNYS", "exec_mpid": "ABCD", "instrument": {"identifier": "IBM", "identifier_type": "ticker", "country": "USA", "currency": "USD"}}]`, n, date, 100018+n%accounts, n)
}

func post(url, body string) error {
	answer, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode/100 != 2 {
		err = fmt.Errorf("%s: %s: %s", url, answer.Status, text)
	}
	return err
}

func (w *world) post(url, body string) {
	w.t.Helper()
	must(w.t, post(url, body))
}

// trading has a client trade until it is told to stop; it gives how many trades it made and the errors.
func (w *world) trading() (stop func() (booked int64, errs []error)) {
	ctx, cancel := context.WithCancel(context.Background())
	var booked int64
	var errs []error
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(200 * time.Millisecond):
			}
			if err := post(w.facade.API+"/trades", w.trade()); err != nil {
				errs = append(errs, err)
				continue
			}
			booked++
		}
	}()
	return func() (int64, []error) {
		cancel()
		<-done
		return booked, errs
	}
}

// sql runs statements at a database.
func (w *world) sql(dsn, statement string) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), dsn)
	must(w.t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // it was done
	_, err = conn.PgConn().Exec(w.t.Context(), statement).ReadAll()
	if err != nil {
		w.t.Fatalf("%s: %v", statement, err)
	}
}

// one gives a number of a database.
func (w *world) one(dsn, query string) (n int64) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), dsn)
	must(w.t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // it was read
	must(w.t, conn.QueryRow(w.t.Context(), query).Scan(&n))
	return n
}

// environment is the variables of the runbooks, as the environment has them.
func (w *world) environment() []string {
	return []string{
		"HOTSWAP_BANK=" + w.bank.API, "HOTSWAP_BANK_OPERATIONS=" + w.bank.Operations, "HOTSWAP_BK=" + w.bk, "HOTSWAP_FACADE=" + w.facade.Admin, "HOTSWAP_STREAM=" + w.stream,
		"HOTSWAP_BANK_DB=" + w.bankDSN, "HOTSWAP_FACADE_DB=" + w.facade.DSN, "HOTSWAP_BK_DB=" + w.bkDSN, "HOTSWAP_KAFKA=" + w.broker, "USER=anna",
	}
}

// built is the folder of a hotswap that was built for these tests.
var built string

// program builds hotswap, once.
var program = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("BK_TEST_HOTSWAP"); path != "" {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "cutover-hotswap-")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "hotswap")
	if out, err := exec.Command("go", "build", "-o", path, "../../../cmd/hotswap").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build hotswap: %w\n%s", err, out)
	}
	return path, nil
})

// console is what a program writes.
type console struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.Write(p)
}

func (c *console) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// running is a hotswap that runs.
type running struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  console
	done chan struct{}
}

func (w *world) begin(args ...string) *running {
	w.t.Helper()
	path, err := program()
	must(w.t, err)
	r := &running{t: w.t, cmd: exec.Command(path, args...), done: make(chan struct{})}
	r.cmd.Env = append(os.Environ(), w.environment()...)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	must(w.t, r.cmd.Start())
	go func() {
		defer close(r.done)
		_ = r.cmd.Wait() // the state has its code
	}()
	w.t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // it may have ended
		<-r.done
	})
	return r
}

// until waits for a text in what it writes.
func (r *running) until(text string) {
	r.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(r.out.String(), text); {
		select {
		case <-r.done:
			if !strings.Contains(r.out.String(), text) {
				r.t.Fatalf("it has ended without %q:\n%s", text, r.out.String())
			}
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			r.t.Fatalf("no %q within %s:\n%s", text, patience, r.out.String())
		}
	}
}

// ends waits for its end and its code.
func (r *running) ends(code int) string {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(patience):
		r.t.Fatalf("it does not end:\n%s", r.out.String())
	}
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		r.t.Fatalf("%v: exit code %d, and should be %d:\n%s", r.cmd.Args[1:], got, code, r.out.String())
	}
	return r.out.String()
}

func (w *world) inMode(want mode.Mode) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.facade.DSN)
	must(w.t, err)
	defer conn.Close(context.Background()) //nolint:errcheck // it was read
	var in string
	must(w.t, conn.QueryRow(w.t.Context(), `SELECT mode FROM facade.mode ORDER BY epoch DESC LIMIT 1`).Scan(&in))
	if in != string(want) {
		w.t.Fatalf("the façade is in %s, and should be in %s", in, want)
	}
}
