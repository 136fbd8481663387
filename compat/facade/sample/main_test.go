package sample

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// allowance of tests on a slow machine.
const allowance = 30 * time.Second

func database(t *testing.T) *pgxpool.Pool {
	t.Helper()
	dsn := pgtest.New(t)
	must(t, schema.Up(t.Context(), dsn, nil))
	return connect(t, dsn)
}

func connect(t *testing.T, dsn string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), dsn)
	must(t, err)
	t.Cleanup(pool.Close)
	return pool
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, met func() bool) {
	t.Helper()
	for end := time.Now().Add(allowance); !met(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited too long")
		}
	}
}

// system answers with whatever it is told to.
type system struct {
	asked atomic.Int64
	mu    sync.Mutex
	reply http.HandlerFunc
}

func says(status int, body string) *system {
	s := &system{}
	s.say(status, body)
	return s
}

func (s *system) say(status int, body string) {
	s.does(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

func (s *system) does(reply http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply = reply
}

func (s *system) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked.Add(1)
	s.mu.Lock()
	reply := s.reply
	s.mu.Unlock()
	reply(w, r)
}

// all is the state in which Bank answers, BK follows, and every read is sampled.
func all() mode.State {
	return mode.State{Epoch: mode.Epoch{Epoch: 7, Mode: mode.BankPrimary}, Sampling: 1}
}

func config(t *testing.T, pool *pgxpool.Pool, primary, secondary http.Handler) Config {
	return Config{
		Pool: pool, Replica: "test", Bank: primary, BK: secondary, Timeout: allowance, Settle: 100 * time.Millisecond, Registry: prometheus.NewRegistry(),
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func start(t *testing.T, cfg Config) *Sampler {
	t.Helper()
	s, err := New(cfg)
	must(t, err)
	run(t, s)
	return s
}

func run(t *testing.T, s *Sampler) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return stop
}

// read does what the façade does with a client's read.
func (s *Sampler) read(primary http.Handler, state mode.State, target string) (wanted bool) {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	r.Header.Set("Authorization", "Bearer secret-key")
	wanted = s.Wants(r, state)
	w := httptest.NewRecorder()
	primary.ServeHTTP(w, r)
	if wanted {
		s.Compare(r, state, w.Code, w.Header(), w.Body.Bytes())
	}
	return wanted
}

// waits until n comparisons have ended, all in the same way.
func (s *Sampler) ends(t *testing.T, how result, n int64) {
	t.Helper()
	until(t, func() bool {
		total := int64(0)
		for _, count := range s.Stats().Results {
			total += count
		}
		return total >= n
	})
	if got := s.Stats().Results; got[string(how)] != n || len(got) != 1 {
		t.Fatalf("%v instead of %s: %d", got, how, n)
	}
}

// kept waits for n divergences, the latest first.
func (s *Sampler) kept(t *testing.T, n int) (list []Divergence) {
	t.Helper()
	until(t, func() bool {
		var err error
		list, err = s.List(t.Context(), Filter{})
		must(t, err)
		return len(list) >= n
	})
	if len(list) != n {
		t.Fatalf("%d divergences instead of %d: %v", len(list), n, list)
	}
	return list
}

func brief(d Divergence) string {
	return fmt.Sprintf("%s %s %s|%s", d.Kind, d.Path, d.Primary, d.Secondary)
}

// gather gives counters and gauges by name and labels.
func gather(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	must(t, err)
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			name := family.GetName()
			for _, label := range metric.GetLabel() {
				name += " " + label.GetValue()
			}
			values[name] = metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return values
}
