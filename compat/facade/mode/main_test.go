package mode

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// patience of tests on a slow machine.
const patience = 30 * time.Second

func database(t *testing.T) string {
	t.Helper()
	dsn := pgtest.New(t)
	if err := schema.Up(t.Context(), dsn, nil); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// steps are hooks; nil ones do nothing.
type steps struct {
	ready, drain func(ctx context.Context) error
	enter        func(ctx context.Context, epoch int64) (Bases, error)
}

func (s *steps) Ready(ctx context.Context, step Step) error {
	if s.ready == nil || step.From.Mode == "" {
		return nil
	}
	return s.ready(ctx)
}

func (s *steps) Drain(ctx context.Context, _ Step) error {
	if s.drain == nil {
		return nil
	}
	return s.drain(ctx)
}

func (s *steps) Enter(ctx context.Context, _ pgx.Tx, step Step) (Bases, error) {
	if step.Renews() {
		step.From.TradeID = max(step.From.TradeID, step.TradeID)
		return step.From.Bases, nil
	}
	if s.enter == nil || step.From.Mode == "" || step.Killed {
		return step.From.Bases, nil
	}
	return s.enter(ctx, step.From.Epoch+1)
}

func config(dsn, name string) Config {
	return Config{
		Postgres: dsn, Name: name, Steps: &steps{}, Fence: 1, Lease: 1500 * time.Millisecond, Settle: 200 * time.Millisecond, Hold: 600 * time.Millisecond,
		Patience: patience, Poll: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler),
	}
}

// start runs a keeper until the test ends, or until it is stopped.
func start(t *testing.T, cfg Config) (k *Keeper, stop func()) {
	t.Helper()
	k, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Open(t.Context()); err != nil {
		k.Close()
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
		k.Close()
	})
	t.Cleanup(stop)
	until(t, func() bool { return k.Gate().Open })
	return k, stop
}

func until(t *testing.T, met func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !met(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited too long")
		}
	}
}

func ask(to Mode) Request { return Request{To: to, Who: "anna", Why: "test"} }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checker sees all tickets of all replicas.
type checker struct {
	mu     sync.Mutex
	open   map[int64]int
	taken  map[int64]int
	faults []string
}

func newChecker() *checker { return &checker{open: map[int64]int{}, taken: map[int64]int{}} }

func (c *checker) took(t *Ticket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for epoch, n := range c.open {
		if epoch != t.Epoch && n > 0 {
			c.faults = append(c.faults, "tickets of two epochs are open at once")
		}
	}
	c.open[t.Epoch]++
	c.taken[t.Epoch]++
}

// ends gives a ticket back.
func (c *checker) ends(t *Ticket) {
	c.mu.Lock()
	c.open[t.Epoch]--
	c.mu.Unlock()
	t.End()
}

func (c *checker) allOpen() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.open {
		n += o
	}
	return n
}

func (c *checker) verify(t *testing.T) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, f := range c.faults {
		t.Error(f)
	}
	if len(c.taken) == 0 {
		t.Error("no ticket was taken")
	}
}

// line is a way to the database that can freeze, in one direction or both, or break for good.
type line struct {
	dsn      string
	listener net.Listener

	mu       sync.Mutex
	thawed   map[string]chan struct{} // by direction, closed while data flows
	conns    []net.Conn
	stopping bool
}

const (
	upstream   = "upstream"
	downstream = "downstream"
)

func newLine(t *testing.T, dsn string) *line {
	t.Helper()
	u, err := url.Parse(dsn)
	must(t, err)
	to := u.Host
	l := &line{thawed: map[string]chan struct{}{}}
	l.thaw()
	l.listener, err = net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	u.Host = l.listener.Addr().String()
	l.dsn = u.String()
	t.Cleanup(l.stop)
	go func() {
		for {
			in, err := l.listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			go l.copy(upstream, out, in)
			go l.copy(downstream, in, out)
		}
	}()
	return l
}

func (l *line) copy(direction string, to, from net.Conn) {
	defer to.Close()
	l.mu.Lock()
	l.conns = append(l.conns, from)
	if l.stopping {
		from.Close()
	}
	l.mu.Unlock()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		l.mu.Lock()
		flows := l.thawed[direction]
		l.mu.Unlock()
		<-flows
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}

// freeze keeps back the data of the directions.
func (l *line) freeze(directions ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range directions {
		l.thawed[d] = make(chan struct{})
	}
}

// thaw lets them go.
func (l *line) thaw() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range []string{upstream, downstream} {
		if c := l.thawed[d]; c != nil {
			select {
			case <-c:
				continue
			default:
				close(c)
			}
			continue
		}
		l.thawed[d] = make(chan struct{})
		close(l.thawed[d])
	}
}

// stop breaks all connections, as the end of a process does, and takes no new ones.
func (l *line) stop() {
	l.listener.Close()
	l.mu.Lock()
	l.stopping = true
	for _, c := range l.conns {
		c.Close()
	}
	l.mu.Unlock()
	l.thaw()
}

var errTest = errors.New("the hook says no")
