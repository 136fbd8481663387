package bulk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/api/bulk"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/migrations/await"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/migrations/testlog"
)

func chunkKey(number int) string { return fmt.Sprintf("journal/%06d", number) }

// write puts a journal's chunks into a folder.
func (b *built) write(t testing.TB) (folder string) {
	t.Helper()
	folder = t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "journal"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range b.chunks {
		if err := os.WriteFile(filepath.Join(folder, chunkKey(c.Number)), c.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func object(folder string, number int) bulk.Object {
	name := filepath.Join(folder, chunkKey(number))
	return bulk.Object{Name: name, Open: func(context.Context) (io.ReadCloser, error) { return os.Open(name) }}
}

// loadAll loads from a folder, from beginning to end.
func loadAll(ctx context.Context, cfg bulk.LoaderConfig, folder string) error {
	l, err := bulk.NewLoader(ctx, cfg)
	if err != nil {
		return err
	}
	defer l.Close()
	if err := l.Begin(ctx); err != nil {
		return err
	}
	if err := loadChunks(ctx, l, cfg.Manifest, func(n int) bulk.Object { return object(folder, n) }); err != nil {
		return err
	}
	return l.Finish(ctx)
}

func loadChunks(ctx context.Context, l *bulk.Loader, m bulk.Manifest, object func(number int) bulk.Object) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2)
	for _, c := range m.Chunks {
		group.Go(func() error { return l.Load(ctx, c.Number, object(c.Number)) })
	}
	return group.Wait()
}

func newLoader(t testing.TB, dsn string, m bulk.Manifest) *bulk.Loader {
	t.Helper()
	l, err := bulk.NewLoader(t.Context(), bulk.LoaderConfig{DSN: dsn, Manifest: m, Who: "the test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// number asks the database for one.
func number(t testing.TB, dsn, sql string, args ...any) (n int64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if err := conn.QueryRow(t.Context(), sql, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// whole checks that the journal is what was built.
func (b *built) whole(t *testing.T, dsn string) {
	t.Helper()
	rows := journalRows(t, dsn)
	i := 0
	for _, c := range b.chunks {
		for _, want := range rowsOf(t, c.Data) {
			if i >= len(rows) || rows[i].Seq != want.Seq || rows[i].Hash != want.Hash || !bytes.Equal(rows[i].Payload, want.Payload) {
				t.Fatalf("row %d is not what was built (%d rows)", want.Seq, len(rows))
			}
			i++
		}
	}
	if i != len(rows) {
		t.Errorf("%d rows instead of %d", len(rows), i)
	}
}

// TestLoad: a server meets a ledger that was loaded: it leads, its books hold, projections and stream are those of the journal, a repeat is a repeat, a settled trade can be cancelled,
// and the day goes on.
func TestLoad(t *testing.T) {
	t.Parallel()
	steps := history(3, 1200)
	b := buildAll(t, steps, 200)
	dsn, folder, broker := pgtest.New(t), b.write(t), kafkatest.New(t)
	var told sync.Map
	cfg := bulk.LoaderConfig{DSN: dsn, Manifest: b.manifest, Progress: func(done, total uint64) { told.Store(done, total) },
		Published: func(context.Context) (bool, error) { return false, nil }}
	if err := loadAll(t.Context(), cfg, folder); err != nil {
		t.Fatal(err)
	}
	if total, ok := told.Load(uint64(b.manifest.Summary.Rows)); !ok || total != uint64(b.manifest.Summary.Rows) {
		t.Error("nobody said that all rows are verified")
	}
	b.whole(t, dsn)
	if n := number(t, dsn, `SELECT count(*) FROM pg_inherits WHERE inhparent = 'bk.bulk_journal'::regclass`); n != 0 {
		t.Errorf("%d partitions are left over", n)
	}

	server := startNode(t, node.Config{Postgres: dsn, Brokers: []string{broker.Addr()}})
	await.Until(t, "it leads, and has published all", func() bool {
		s := server.status(t)
		return s.Leading && s.Publisher.GetSequence() == int64(b.manifest.Summary.Head) && s.Publisher.GetLag() == 0
	})
	var settled string
	for i, s := range steps {
		if s.command.GetTrade() == nil || b.outcomes[i].reason != "" {
			continue
		}
		if got := s.take(t, server); !got.repeat || got.entry != b.outcomes[i].entry || got.trade != b.outcomes[i].trade {
			t.Fatalf("%s again: %+v, was %+v", s.command.Key, got, b.outcomes[i])
		}
		settled = s.command.Key
	}
	cancel := step{command: &bkv1.Command{Key: "cancel it", Command: &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: &bkv1.Target{Key: settled}}}}}
	if got := cancel.take(t, server); got.reason != "" && got.reason != "trade_already_canceled" {
		t.Errorf("cancel %s: %+v", settled, got)
	}
	if got := (step{account: &bkv1.Account{Id: 100099, Code: "cust:100099"}}).take(t, server); got.reason != "" {
		t.Errorf("a new account: %+v", got)
	}
	step{roll: 20131024}.take(t, server)
	await.Until(t, "all is published", func() bool { return server.status(t).Publisher.GetLag() == 0 })
	server.verified(t)
	server.stop()

	again := newLoader(t, dsn, b.manifest) // the same once more is done already
	if err := errors.Join(again.Begin(t.Context()), again.Load(t.Context(), 1, object(folder, 1)), again.Finish(t.Context())); err != nil {
		t.Error(err)
	}
	if err := again.Abort(t.Context()); !errors.Is(err, bulk.ErrNotEmpty) {
		t.Errorf("a load that is done is aborted: %v", err)
	}
	other := buildAll(t, history(4, 50), 200)
	if err := newLoader(t, dsn, other.manifest).Begin(t.Context()); !errors.Is(err, bulk.ErrNotEmpty) {
		t.Errorf("a second load: %v", err)
	}
}

// TestServersStandBy: a server that leads an empty ledger is fenced by a load; it and one that is started meanwhile stand by, see nothing of what is loaded, and go on when it is done.
func TestServersStandBy(t *testing.T) {
	t.Parallel()
	b := buildAll(t, history(5, 300), 100)
	dsn, folder := pgtest.New(t), b.write(t)
	log := &testlog.Lines{}
	first := startNode(t, node.Config{Postgres: dsn, Log: log.Logger()})
	await.Until(t, "the first leads", func() bool { return first.status(t).Leading })
	l := newLoader(t, dsn, b.manifest)
	if err := l.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.Load(t.Context(), 2, object(folder, 2)); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "the first gives up", func() bool { return !first.status(t).Leading })
	second := startNode(t, node.Config{Postgres: dsn, Log: log.Logger()})
	if err := l.Load(t.Context(), 1, object(folder, 1)); err != nil {
		t.Fatal(err)
	}
	await.Until(t, "both say why", func() bool { return log.Count("a bulk load holds this ledger (by the test)") >= 2 })
	for _, server := range []*running{first, second} {
		s := server.status(t)
		if s.Leading || s.Head != "0:0" {
			t.Errorf("status %+v", s)
		}
		_, err := server.Query.GetEntry(t.Context(), connect.NewRequest(&bkv1.GetEntryRequest{By: &bkv1.GetEntryRequest_Id{Id: 1}}))
		if connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("entry 1 of a half journal: %v", err)
		}
		_, err = server.Directory.CreateAccount(t.Context(), connect.NewRequest(&bkv1.CreateAccountRequest{Account: &bkv1.Account{Id: 1, Code: "cust:1"}}))
		if connect.CodeOf(err) != connect.CodeUnavailable {
			t.Errorf("booked while loading: %v", err)
		}
	}
	if err := l.Finish(t.Context()); err == nil || !strings.Contains(err.Error(), "chunk 3 is not loaded yet") {
		t.Fatalf("finished without chunk 3: %v", err)
	}
	if err := loadChunks(t.Context(), l, b.manifest, func(n int) bulk.Object { return object(folder, n) }); err != nil {
		t.Fatal(err)
	}
	if err := l.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.whole(t, dsn)
	await.Until(t, "one of them leads", func() bool { return first.status(t).Leading || second.status(t).Leading })
	leader := first
	if second.status(t).Leading {
		leader = second
	}
	leader.verified(t)
}

// TestNotEmpty: what a load is refused for, and that it leaves no trace.
func TestNotEmpty(t *testing.T) {
	t.Parallel()
	b := buildAll(t, history(6, 100), 100)
	dsn := pgtest.New(t)
	server := startNode(t, node.Config{Postgres: dsn})
	await.Until(t, "it leads", func() bool { return server.status(t).Leading })
	if got := (step{account: &bkv1.Account{Id: 7, Code: "cust:7"}}).take(t, server); got.reason != "" {
		t.Fatal(got)
	}
	epoch := number(t, dsn, `SELECT epoch FROM bk.shard`)
	if err := newLoader(t, dsn, b.manifest).Begin(t.Context()); !errors.Is(err, bulk.ErrNotEmpty) {
		t.Errorf("a ledger with an entry: %v", err)
	}
	if now := number(t, dsn, `SELECT epoch FROM bk.shard`); now != epoch || !server.status(t).Leading {
		t.Errorf("the epoch was %d, is %d", epoch, now)
	}

	published, err := bulk.NewLoader(t.Context(), bulk.LoaderConfig{DSN: pgtest.New(t), Manifest: b.manifest, Published: func(context.Context) (bool, error) { return true, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer published.Close()
	if err := published.Begin(t.Context()); !errors.Is(err, bulk.ErrNotEmpty) {
		t.Errorf("a ledger that was published: %v", err)
	}
	if err := published.Load(t.Context(), 1, bulk.Object{}); !errors.Is(err, bulk.ErrNotBegun) {
		t.Errorf("loaded without Begin: %v", err)
	}
}
