package owner_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/compat/bankstream/owner"
	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

const (
	patience = 90 * time.Second // on a busy machine
	local    = "127.0.0.1:0"
	accounts = 6
)

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childEnv); ok {
		os.Exit(replica(text))
	}
	pgtest.Main(m)
}

// childEnv tells this test binary to be a replica of the façade that is going to be killed.
const childEnv = "BK_OWNER_TEST_CHILD"

func replica(text string) int {
	var cfg facade.Config
	err := json.Unmarshal([]byte(text), &cfg)
	if err == nil {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		err = facade.Run(context.Background(), cfg, func(at facade.Addresses) { _ = json.NewEncoder(os.Stdout).Encode(at) })
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// world is a Bank with its relay, BK, Kafka, replicas of the façade that come and go, and instances of the stream.
type world struct {
	t        *testing.T
	broker   string
	bankDSN  string
	bankAt   [2]string // addresses of Bank's listeners, which stay
	stopBank func()
	bank     *bank.Client // not through the gate
	gate     *gate
	base     facade.Config
	pool     *pgxpool.Pool
	bk       *client.Client
	facade   atomic.Pointer[bank.Client] // that clients call

	mu   sync.Mutex
	done map[string]bool // what clients have done: "opened NAME", "canceled NAME", "withdrawal NAME"
	rest atomic.Int64    // of a client, behind each write, in nanoseconds: there are others on this machine
	date atomic.Int64    // of trades; 0: 20131008
}

// gate stands before Bank's operations: it can be shut for calls of the relay, and tells of those that were answered.
type gate struct {
	*httptest.Server
	shut     atomic.Bool
	answered atomic.Pointer[func(bank.RelaySetting)] // before the caller has the answer
}

func newGate(t *testing.T, to string) *gate {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/relay" {
			proxy.ServeHTTP(w, r)
			return
		}
		if g.shut.Load() {
			panic(http.ErrAbortHandler)
		}
		answer := httptest.NewRecorder()
		proxy.ServeHTTP(answer, r)
		if tell := g.answered.Load(); tell != nil && r.Method == http.MethodPut && answer.Code == http.StatusOK {
			var relay bank.Relay
			if err := json.Unmarshal(answer.Body.Bytes(), &relay); err == nil {
				(*tell)(relay.RelaySetting)
			}
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	g.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(g.Close)
	return g
}

func newWorld(t *testing.T) *world {
	t.Helper()
	broker := kafkatest.New
	if os.Getenv(kafkatest.HomeEnv) != "" { // tests would share one, and Bank's topics have the same names in each
		broker = kafkatest.Own
	}
	return newWorldOn(t, broker(t).Addr())
}

func newWorldOn(t *testing.T, broker string) *world {
	t.Helper()
	w := &world{t: t, broker: broker, bankDSN: pgtest.New(t), bankAt: [2]string{local, local}, done: map[string]bool{}}
	w.rest.Store(int64(3 * time.Millisecond))
	w.startBank()
	w.bank = w.client(bank.ClientConfig{API: "http://" + w.bankAt[0], Operations: "http://" + w.bankAt[1]})
	w.gate = newGate(t, "http://"+w.bankAt[1])
	dsn := pgtest.New(t)
	bk, _ := stage.Await(t, "BK", func(ctx context.Context, ready func(node.Addresses)) error {
		return node.Run(ctx, node.Config{Postgres: dsn, Brokers: []string{w.broker}, Partitions: 4, Listen: local, MetricsListen: local, PoolConnections: 16, Log: stage.Log(t)}, ready)
	})
	w.base = facade.Config{
		Bank: "http://" + w.bankAt[0], BankOperations: w.gate.URL, BK: "http://" + bk.API, Brokers: []string{w.broker}, Postgres: pgtest.New(t), Stream: true, Connections: 8,
		Listen: local, OperationsListen: local, AdminListen: local,
		Lease: 2 * time.Second, // a killed replica is gone soon
		Hold:  3 * time.Second, // on a busy machine
	}
	var err error
	if w.pool, err = pgxpool.New(t.Context(), w.base.Postgres); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.pool.Close)
	if w.bk, err = client.New(w.base.BK); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.bk.Close)
	return w
}

func (w *world) startBank() {
	w.t.Helper()
	at, stop := stage.Await(w.t, "Bank", func(ctx context.Context, ready func(legacy.Addresses)) error {
		return legacy.Run(ctx, legacy.Config{DSN: w.bankDSN, Brokers: []string{w.broker}, Partitions: 3, Connections: 16, Listen: w.bankAt[0], OperationsListen: w.bankAt[1], Log: stage.Log(w.t)}, ready)
	})
	w.bankAt, w.stopBank = [2]string{at.API, at.Operations}, stop
}

func (w *world) client(cfg bank.ClientConfig) *bank.Client {
	w.t.Helper()
	c, err := bank.NewClient(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(c.Close)
	return c
}

// replica starts a façade in this process, and sends the clients to it.
func (w *world) replica(name string, in mode.Mode) stage.Facade {
	w.t.Helper()
	cfg := w.base
	cfg.Replica, cfg.Mode = name, in
	f := stage.StartFacade(w.t, cfg)
	w.facade.Store(w.client(bank.ClientConfig{API: f.API, Operations: f.Operations}))
	return f
}

// victim starts a façade in a process of its own, and sends the clients to it; kill ends it with SIGKILL.
func (w *world) victim(name string) (f stage.Facade, kill func()) {
	w.t.Helper()
	cfg := w.base
	cfg.Replica = name
	text, err := json.Marshal(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		w.t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), childEnv+"="+string(text))
	cmd.Stderr = w.t.Output()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill() // its end is seen below
		_, _ = io.Copy(io.Discard, stdout)
		_ = cmd.Wait() // says that it was killed
	})
	w.t.Cleanup(kill)
	var at facade.Addresses
	if err := json.NewDecoder(stdout).Decode(&at); err != nil {
		w.t.Fatalf("the replica %s is not ready: %v", name, err)
	}
	w.facade.Store(w.client(bank.ClientConfig{API: "http://" + at.API, Operations: "http://" + at.Operations}))
	return stage.Facade{Admin: "http://" + at.Admin, DSN: cfg.Postgres}, kill
}

func (w *world) owner() *owner.Owner {
	w.t.Helper()
	o, err := owner.New(owner.Config{
		Pool: w.pool, Bank: w.client(bank.ClientConfig{API: w.base.Bank, Operations: w.gate.URL}), BK: owner.BK(w.bk), Brokers: []string{w.broker}, Group: bankstream.DefaultGroup,
		Poll: 50 * time.Millisecond, Log: stage.Log(w.t),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// stream runs an instance of the stream until stop, or the test's end.
func (w *world) stream(name string) (o *owner.Owner, stop func()) {
	w.t.Helper()
	o = w.owner()
	look, err := books.NewStream(books.StreamConfig{Client: w.bk, Pool: w.pool, Log: stage.Log(w.t)})
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := bankstream.New(bankstream.Config{
		Translator: rehydrate.New(look), Owner: o, Brokers: []string{w.broker}, Instance: name, SessionTimeout: 6 * time.Second, TransactionTimeout: 10 * time.Second, Log: stage.Log(w.t),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := s.Run(ctx); err != nil {
			w.t.Errorf("the stream %s: %v", name, err)
		}
	})
	running.Go(func() {
		if err := o.Run(ctx); err != nil {
			w.t.Errorf("the owner %s: %v", name, err)
		}
	})
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
		look.Close()
	})
	w.t.Cleanup(stop)
	return o, stop
}

func (w *world) to(f stage.Facade, m mode.Mode) {
	w.t.Helper()
	if err := f.Switch(w.t.Context(), m); err != nil {
		w.t.Fatal(err)
	}
}

// await asks until the answer is yes.
func (w *world) await(what string, ask func(context.Context) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	for !ask(ctx) {
		if ctx.Err() != nil || w.t.Failed() {
			w.t.Fatalf("%s: not within %s", what, patience)
		}
		time.Sleep(20 * time.Millisecond) // the pace of asking
	}
}

// do calls whichever façade there is, again and again while none answers, or the outcome is open.
func (w *world) do(ctx context.Context, call func(context.Context, *bank.Client) error) error {
	for {
		one, cancel := context.WithTimeout(ctx, 20*time.Second)
		err := call(one, w.facade.Load())
		cancel()
		switch bank.TypeOf(err) {
		case "", bank.OutcomeUnknown, bank.Internal:
			if err == nil || ctx.Err() != nil {
				return err
			}
			time.Sleep(20 * time.Millisecond) // the pace of asking again
		default:
			return err
		}
	}
}

func (w *world) note(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done[what] = true
}

func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.done)
}

// open makes the accounts.
func (w *world) open() {
	w.t.Helper()
	ctx := w.t.Context()
	err := w.do(ctx, func(ctx context.Context, c *bank.Client) error {
		_, err := c.CreateEntity(ctx, bank.Entity{EntityID: 1, ClientCode: "C", LegalName: "L"})
		return err
	})
	for id := bank.ID(1); id <= accounts; id++ {
		err = errors.Join(err, w.do(ctx, func(ctx context.Context, c *bank.Client) error {
			_, err := c.CreateAccount(ctx, bank.NewAccount{AccountID: id, EntityID: 1, Name: "A"})
			return err
		}))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}
