package queue

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// line is a way to the database on which answers can get lost.
type line struct {
	dsn string

	mu    sync.Mutex
	mute  bool // what the database says is swallowed
	conns []net.Conn
}

func newLine(t *testing.T, dsn string) *line {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	to := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u.Host = listener.Addr().String()
	l := &line{dsn: u.String()}
	t.Cleanup(func() {
		listener.Close()
		l.cut()
	})
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			l.mu.Lock()
			l.conns = append(l.conns, in)
			l.mu.Unlock()
			go func() { _, _ = io.Copy(out, in) }() // the database's end stays open, as that of a way that is gone without a word
			go func() {
				_, _ = io.Copy(answers{l, in}, out)
				in.Close()
			}()
		}
	}()
	return l
}

type answers struct {
	line *line
	to   net.Conn
}

func (a answers) Write(p []byte) (int, error) {
	a.line.mu.Lock()
	mute := a.line.mute
	a.line.mu.Unlock()
	if mute {
		return len(p), nil
	}
	return a.to.Write(p)
}

func (l *line) muted(yes bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mute = yes
}

// cut breaks the connections on the client's side.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		conn.Close()
	}
	l.conns = nil
}

// The answer to an intent's commit is lost: Bank is not asked, so the intent goes, and the next call on the account, here or on another replica, does not wait for the
// time that a call may take. The session that wrote it still has the account's lock, as nobody has told the database that its client is gone.
func TestLostCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	other := w.config("b")
	other.CallTimeout, other.SettleAfter = time.Hour, time.Hour
	watching := w.open(other)
	// The commit takes a while: time to lose the answer.
	for _, sql := range []string{
		`CREATE FUNCTION facade.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.replica = 'slow' THEN PERFORM pg_sleep(0.3); END IF; RETURN NULL; END $$`,
		`CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON facade.intent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION facade.slow()`,
	} {
		if _, err := watching.pool.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	way := newLine(t, w.dsn)
	cfg := other
	cfg.Postgres, cfg.Replica = way.dsn, "slow"
	q := w.open(cfg)
	count := func(sql string) (n int) {
		if err := watching.pool.QueryRow(ctx, sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, next := range []*Queue{q, watching} {
		began := make(chan error, 1)
		go func() {
			_, err := q.Begin(context.Background(), 1, Trades([]bank.Trade{transfer(1, 2, "lost")}))
			began <- err
		}()
		eventually(t, "it commits", func() bool {
			return count(`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'`) == 1
		})
		way.muted(true)
		eventually(t, "it is written", func() bool { return count(`SELECT count(*) FROM facade.intent`) == 1 })
		way.cut()
		way.muted(false)
		if err := <-began; err == nil {
			t.Fatal("a call began whose intent's answer was lost")
		}
		patient, cancel := context.WithTimeout(ctx, 30*time.Second)
		h, err := next.Begin(patient, 1, Trades([]bank.Trade{trade(1, "next")}))
		cancel()
		if err != nil {
			t.Fatalf("the next call on the account: %v", err)
		}
		if err := h.Refused(ctx); err != nil {
			t.Fatal(err)
		}
		eventually(t, "nothing is left", func() bool {
			return count(`SELECT (SELECT count(*) FROM facade.intent) + (SELECT count(*) FROM facade.intent_key) + (SELECT count(*) FROM facade.queue)`) == 0
		})
	}
}

// While a roll is under way, here or on another replica, calls wait for its end with one connection for all of a replica; beyond a bound they are refused. Then all go on.
func TestCallsWaitForRoll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	cfg := w.config("a")
	cfg.Calls, cfg.MaxWaiting, cfg.CallTimeout = 4, 20, 20*time.Second
	q, other := w.open(cfg), w.open(w.config("b"))
	for _, rolling := range []*Queue{q, other} {
		roll, err := rolling.Begin(ctx, 1, Roll(20131007))
		if err != nil {
			t.Fatal(err)
		}
		var calls sync.WaitGroup
		for i := range cfg.MaxWaiting {
			calls.Go(func() {
				h, err := q.Begin(ctx, 1, Trades([]bank.Trade{trade(bank.ID(100+i), fmt.Sprint(i))}))
				if err != nil {
					t.Error(err)
					return
				}
				if err := h.Refused(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		eventually(t, "all wait, and one connection", func() bool {
			held := 1 // the scout's
			if rolling == q {
				held++
			}
			return q.waiting.Load() == int64(cfg.MaxWaiting) && q.calls.Stat().AcquiredConns() == int32(held)
		})
		if _, err := q.Begin(ctx, 1, Trades([]bank.Trade{trade(200, "x")})); err == nil || !strings.Contains(err.Error(), "20 calls wait already") {
			t.Errorf("one too many: %v", err)
		}
		if err := roll.Refused(ctx); err != nil {
			t.Fatal(err)
		}
		calls.Wait()
	}
}
