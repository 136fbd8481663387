package journal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/migrations/pgtest"
)

func owner(t testing.TB, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func exec(t testing.TB, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// retry books a command again and again until the journal says what became of it.
func retry(ctx context.Context, j *journal.Journal, c func() *ledger.Command) (journal.Receipt, int, error) {
	for attempt := 0; ; attempt++ {
		o := j.Book(ctx, []*ledger.Command{c()}, journal.BookOptions{})[0]
		if o.Err == nil || ledger.AsRejection(o.Err) != nil || ctx.Err() != nil {
			return o.Receipt, attempt, o.Err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// underLoad books from several callers that retry, while disturb does its worst, and then checks that everything acknowledged is
// there once and nothing twice.
func underLoad(t *testing.T, r *running, disturb func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var acknowledged sync.Map
	var stop atomic.Bool
	var retries atomic.Int64
	var wg sync.WaitGroup
	for caller := range 8 {
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				key := fmt.Sprintf("%d-%d", caller, i)
				receipt, n, err := retry(ctx, r.Journal, func() *ledger.Command { return trade(key, "3") })
				if err != nil {
					t.Errorf("%s: %v", key, err)
					return
				}
				retries.Add(int64(n))
				acknowledged.Store(key, receipt.Entry.ID)
			}
		})
	}
	disturb()
	before := r.Head().Seq
	eventually(t, "booking again", func() bool { return r.Head().Seq > before+100 })
	stop.Store(true)
	wg.Wait()
	ids := map[string]ledger.ID{}
	for _, e := range entries(t, r) {
		if _, twice := ids[e.Key]; twice && e.Key != "" {
			t.Errorf("%s is booked twice", e.Key)
		}
		ids[e.Key] = e.ID
	}
	n := 0
	acknowledged.Range(func(key, id any) bool {
		n++
		if ids[key.(string)] != id {
			t.Errorf("%s was acknowledged as %d and is %d", key, id, ids[key.(string)])
		}
		return true
	})
	t.Logf("%d entries acknowledged, %d retries", n, retries.Load())
}

func TestWriterSessionsKilled(t *testing.T) {
	t.Parallel()
	for _, connections := range []int{1, 2} {
		dsn := pgtest.New(t)
		r := startLedger(t, journal.Config{DSN: dsn, Connections: connections})
		conn := owner(t, dsn)
		underLoad(t, r, func() {
			for range 10 {
				before, epoch := r.Head().Seq, r.Epoch()
				eventually(t, "progress", func() bool { return r.Head().Seq > before+20 })
				exec(t, conn, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'bk-writer%' AND datname = current_database()`)
				eventually(t, "a new term", func() bool { return r.Epoch() > epoch })
			}
		})
	}
}

func TestPostgresKilled(t *testing.T) {
	t.Parallel()
	cluster := pgtest.Cluster(t)
	r := startLedger(t, journal.Config{DSN: cluster.DSN()})
	underLoad(t, r, func() {
		for range 3 {
			before := r.Head().Seq
			eventually(t, "progress", func() bool { return r.Head().Seq > before+50 })
			if err := cluster.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := cluster.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestLostCommitAnswer cuts the connection after the server has committed and before its answer is back: the entry is there, and the caller must be
// told so, not that it failed.
func TestLostCommitAnswer(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	proxy := newCutter(t, dsn)
	r := startLedger(t, journal.Config{DSN: proxy.dsn})
	book(t, r, trade("warm", "1")) // opens the house accounts
	for i := range 5 {
		epoch := r.Epoch()
		proxy.cut.Store(atAnswer)
		key := fmt.Sprint("lost-", i)
		receipt := book(t, r, trade(key, "1")) // no retry: the journal itself finds out
		if receipt.Repeat {
			t.Errorf("%s is said to be a repeat", key)
		}
		if r.Epoch() == epoch {
			t.Error("the connection was not cut")
		}
		proxy.cut.Store(nowhere)
		eventually(t, "leading again", r.Leading)
		if again := book(t, r, trade(key, "1")); !again.Repeat || again.Entry.ID != receipt.Entry.ID {
			t.Errorf("%s again: %+v", key, again)
		}
		proxy.cut.Store(atEnd) // and once before all rows are there: not booked, and the caller is told that
		key = fmt.Sprint("refused-", i)
		o := r.Book(t.Context(), []*ledger.Command{trade(key, "1")}, journal.BookOptions{})[0]
		if !errors.Is(o.Err, journal.ErrNotLeader) {
			t.Errorf("%s: %v", key, o.Err)
		}
		proxy.cut.Store(nowhere)
		eventually(t, "leading again", r.Leading)
		if fresh := book(t, r, trade(key, "1")); fresh.Repeat {
			t.Errorf("%s was booked although the answer was no", key)
		}
	}
	entries(t, r)
}

// cutter is a Postgres proxy that cuts a connection in the middle of an append.
type cutter struct {
	dsn string
	cut atomic.Int32
}

// Places of a cut.
const (
	nowhere  int32 = iota
	atEnd          // the end of the rows doesn't come to the server
	atAnswer       // the server has committed, and its answer doesn't come to the client
)

func newCutter(t testing.TB, dsn string) *cutter {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	target := u.Host
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	u.Host = listener.Addr().String()
	query := u.Query()
	query.Set("sslmode", "disable")
	u.RawQuery = query.Encode()
	c := &cutter{dsn: u.String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			go c.pass(client, server)
		}
	}()
	return c
}

func (c *cutter) pass(client, server net.Conn) {
	cut := func() { _ = client.Close(); _ = server.Close() }
	var appends atomic.Bool // it is a committer's
	go func() {
		defer cut()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil || appends.Load() && c.cut.Load() == atAnswer && bytes.Contains(buf[:n], []byte("COMMIT\x00")) {
				return
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	defer cut()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		if bytes.Contains(buf[:n], []byte("COPY bk.journal")) {
			appends.Store(true)
		}
		if appends.Load() && c.cut.Load() == atEnd && bytes.HasSuffix(buf[:n], []byte("c\x00\x00\x00\x04")) {
			return
		}
		if _, err := server.Write(buf[:n]); err != nil {
			return
		}
	}
}

func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	first := startLedger(t, journal.Config{DSN: dsn, Owner: "first", Lease: 2 * time.Second})
	second := start(t, journal.Config{DSN: dsn, Owner: "second", Lease: 2 * time.Second})
	o := second.Book(t.Context(), []*ledger.Command{trade("k", "1")}, journal.BookOptions{})[0]
	if !errors.Is(o.Err, journal.ErrNotLeader) {
		t.Errorf("the standby answers %v", o.Err)
	}
	booked := book(t, first, trade("k", "1"))
	eventually(t, "the standby sees the entry", func() bool { return second.Head().Seq >= booked.Entry.ID.Seq() })
	if _, known := second.Directory().Account(ledger.AccountRef{ID: 100001}); !known {
		t.Error("the standby does not know the accounts")
	}
	first.Stop(t)
	eventually(t, "the standby leads", second.Leading)
	if again := book(t, second, trade("k", "1")); !again.Repeat {
		t.Error("the new writer does not know the key")
	}
	book(t, second, trade("k2", "1"))
	entries(t, second)
}

// TestHangingWriterIsFenced lets a writer hang in the middle of an append: the standby ends its sessions and takes over, and what
// hung is not booked.
func TestHangingWriterIsFenced(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	first := startLedger(t, journal.Config{DSN: dsn, Owner: "first", Lease: time.Second})
	book(t, first, trade("warm", "1"))
	second := start(t, journal.Config{DSN: dsn, Owner: "second", Lease: time.Second})
	conn := owner(t, dsn)
	// A lock on the journal makes the next COPY hang, one on the lease the writer's sign of life.
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"LOCK TABLE bk.journal IN SHARE MODE", "SELECT 1 FROM bk.lease FOR UPDATE"} {
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	hanging := first.BookAsync(t.Context(), []*ledger.Command{trade("hangs", "1")}, journal.BookOptions{})
	eventually(t, "the first is no writer any more", func() bool { return !first.Leading() })
	watch := owner(t, dsn)
	eventually(t, "the hanging session has been ended", func() bool { // what got its lock before that would be booked
		var n int
		err := watch.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'active' AND query LIKE '%COPY bk.journal%'
			AND pid <> pg_backend_pid()`).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n == 0
	})
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "one of them leads", func() bool { return first.Leading() || second.Leading() })
	if o := hanging.Wait(t.Context())[0]; !errors.Is(o.Err, journal.ErrNotLeader) {
		t.Errorf("what hung is answered with %v", o.Err)
	}
	leader := first
	if second.Leading() {
		leader = second
	}
	if fresh := book(t, leader, trade("hangs", "1")); fresh.Repeat {
		t.Error("what hung was booked all the same")
	}
	entries(t, leader)
}

// TestFencedWriterCantAppend raises the epoch under a writer's feet.
func TestFencedWriterCantAppend(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	r := startLedger(t, journal.Config{DSN: dsn})
	book(t, r, trade("warm", "1"))
	head, epoch := r.Head().Seq, r.Epoch()
	exec(t, owner(t, dsn), "UPDATE bk.shard SET epoch = epoch + 1, owner = 'another'")
	o := r.Book(t.Context(), []*ledger.Command{trade("k", "1")}, journal.BookOptions{})[0]
	if !errors.Is(o.Err, journal.ErrNotLeader) {
		t.Errorf("the fenced writer answers %v", o.Err)
	}
	eventually(t, "a term above the intruder's", func() bool { return r.Epoch() > epoch+1 })
	if got := r.Head().Seq; got != head {
		t.Errorf("the fenced writer appended %d entries", got-head)
	}
	if fresh := book(t, r, trade("k", "1")); fresh.Repeat {
		t.Error("the fenced append was booked")
	}
}

func TestTailCutStopsTheWriter(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	r := startLedger(t, journal.Config{DSN: dsn})
	for i := range 5 {
		book(t, r, trade(fmt.Sprint(i), "1"))
	}
	r.Stop(t)
	exec(t, owner(t, dsn), "DELETE FROM bk.journal WHERE seq = (SELECT max(seq) FROM bk.journal)")
	j, err := journal.Open(t.Context(), journal.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Run(t.Context()); !errors.Is(err, journal.ErrTailCut) {
		t.Errorf("Run gives %v", err)
	}
}

func TestGapIsFound(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	r := startLedger(t, journal.Config{DSN: dsn})
	book(t, r, trade("k", "1"))
	r.Stop(t)
	exec(t, owner(t, dsn), "DELETE FROM bk.journal WHERE seq = 3")
	j, err := journal.Open(t.Context(), journal.Config{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if got, err := j.Read(t.Context(), 0, 100); !errors.Is(err, journal.ErrGap) {
		t.Errorf("Read gives %d entries, %v", len(got), err)
	}
}

// TestApplicationRole: the role of all sessions can add to the journal and read it, and neither update nor delete.
func TestApplicationRole(t *testing.T) {
	t.Parallel()
	r := startLedger(t, journal.Config{})
	for _, sql := range []string{
		"UPDATE bk.journal SET payload = ''", "DELETE FROM bk.journal", "TRUNCATE bk.journal", "DROP TABLE bk.journal",
		"UPDATE bk.journal_000000 SET payload = ''", "DELETE FROM bk.journal_000000", "DELETE FROM bk.shard", "ALTER TABLE bk.journal DISABLE TRIGGER ALL",
	} {
		if _, err := r.Pool().Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), "42501") {
			t.Errorf("%s: %v", sql, err)
		}
	}
}

// TestDrain: what was accepted before the stop is booked and answered.
func TestDrain(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	r := startLedger(t, journal.Config{DSN: dsn})
	var pending []*journal.Pending
	for i := range 3000 {
		pending = append(pending, r.BookAsync(t.Context(), []*ledger.Command{trade(fmt.Sprint(i), "1")}, journal.BookOptions{Wait: true}))
	}
	r.Stop(t)
	for i, p := range pending {
		select {
		case <-p.Done():
		default:
			t.Fatalf("command %d has no answer after the stop", i)
		}
		if o := p.Wait(t.Context())[0]; o.Err != nil {
			t.Errorf("command %d: %v", i, o.Err)
		}
	}
}

// TestStandbysDoNotFight: when a writer is gone, one of several standbys takes over, once, and the others leave it alone while it loads.
func TestStandbysDoNotFight(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	first := startLedger(t, journal.Config{DSN: dsn, Lease: time.Second})
	book(t, first, trade("k", "1"))
	epoch := first.Epoch()
	others := make([]*running, 3)
	for i := range others {
		others[i] = start(t, journal.Config{DSN: dsn, Owner: fmt.Sprint("standby ", i), Lease: time.Second})
	}
	conn := owner(t, dsn)
	exec(t, conn, "UPDATE bk.lease SET beat = now() - interval '1 hour'") // as after a long outage
	first.Stop(t)
	var leader *running
	eventually(t, "one of the standbys leads", func() bool {
		for _, o := range others {
			if o.Leading() {
				leader = o
			}
		}
		return leader != nil
	})
	if again := book(t, leader, trade("k", "1")); !again.Repeat {
		t.Error("the new writer does not know the key")
	}
	var lives int
	eventually(t, "the writer's next signs of life", func() bool {
		var beat time.Time
		if err := conn.QueryRow(t.Context(), "SELECT beat FROM bk.lease").Scan(&beat); err != nil {
			t.Fatal(err)
		}
		book(t, leader, trade(fmt.Sprint(lives, beat), "1"))
		lives++
		return lives > 200
	})
	if got := leader.Epoch(); got != epoch+1 {
		t.Errorf("epoch %d, want %d: the shard was taken over more than once", got, epoch+1)
	}
}
