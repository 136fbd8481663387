package bulk_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/api/bulk"
	"github.com/bkledger/bk/api/bulk/auroratest"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/migrations/await"
	"github.com/bkledger/bk/migrations/pgtest"
)

// TestTwoLoaders: the second is refused while the first lives, whatever it loads; when the first is gone, the same load goes on, another one does not, and after an abort it does. A loader
// that was overtaken can do nothing any more.
func TestTwoLoaders(t *testing.T) {
	t.Parallel()
	b, other := buildAll(t, history(7, 300), 100), buildAll(t, history(8, 300), 100)
	dsn, folder, otherFolder := pgtest.New(t), b.write(t), other.write(t)
	first := newLoader(t, dsn, b.manifest)
	if err := first.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Load(t.Context(), 1, object(folder, 1)); err != nil {
		t.Fatal(err)
	}
	second, foreign := newLoader(t, dsn, b.manifest), newLoader(t, dsn, other.manifest)
	if err := second.Begin(t.Context()); !errors.Is(err, bulk.ErrBusy) {
		t.Errorf("the same load twice at once: %v", err)
	}
	if err := foreign.Begin(t.Context()); !errors.Is(err, bulk.ErrBusy) {
		t.Errorf("two loads at once: %v", err)
	}
	if err := bulk.Abort(t.Context(), dsn, 0, ""); !errors.Is(err, bulk.ErrBusy) {
		t.Errorf("aborted under the loader: %v", err)
	}
	// Its session is cut, and with it the lock; the process doesn't know.
	if n := number(t, dsn, `SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND classid = 25196
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`); n != 1 {
		t.Fatalf("%d sessions hold the lock", n)
	}
	await.Until(t, "the second takes over", func() bool {
		err := second.Begin(t.Context())
		if err != nil && !errors.Is(err, bulk.ErrBusy) {
			t.Fatal(err)
		}
		return err == nil
	})
	if !second.Loaded(1) || second.Loaded(2) {
		t.Error("the second does not know what is in")
	}
	if err := first.Load(t.Context(), 2, object(folder, 2)); !errors.Is(err, bulk.ErrFenced) {
		t.Errorf("the first loads on: %v", err)
	}
	if err := first.Finish(t.Context()); !errors.Is(err, bulk.ErrFenced) {
		t.Errorf("the first finishes: %v", err)
	}
	second.Close()
	if err := foreign.Begin(t.Context()); !errors.Is(err, bulk.ErrOtherLoad) {
		t.Errorf("another load over one that is open: %v", err)
	}
	if err := foreign.Abort(t.Context()); !errors.Is(err, bulk.ErrOtherLoad) {
		t.Errorf("another load's loader aborts it: %v", err)
	}
	if err := bulk.Abort(t.Context(), dsn, 0, "anna"); err != nil {
		t.Fatal(err)
	}
	if n := number(t, dsn, `SELECT count(*) FROM bk.bulk_journal`); n != 0 {
		t.Errorf("%d rows are left after the abort", n)
	}
	if err := loadAll(t.Context(), bulk.LoaderConfig{DSN: dsn, Manifest: other.manifest}, otherFolder); err != nil {
		t.Fatal(err)
	}
	other.whole(t, dsn)
	if err := bulk.Abort(t.Context(), dsn, 0, "anna"); !errors.Is(err, bulk.ErrNotEmpty) {
		t.Errorf("a load that is done is aborted: %v", err)
	}
}

// TestDamage: a chunk with a changed byte, a short one and a long one fail, and leave nothing; rows that were changed after they were loaded are found before anybody is let in.
func TestDamage(t *testing.T) {
	t.Parallel()
	b := buildAll(t, history(9, 400), 100)
	dsn, folder := pgtest.New(t), b.write(t)
	l := newLoader(t, dsn, b.manifest)
	if err := l.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	data := b.chunks[1].Data
	flipped := bytes.Clone(data)
	flipped[len(flipped)/2] ^= 1
	for name, bad := range map[string][]byte{"flipped": flipped, "short": data[:len(data)-7], "long": append(bytes.Clone(data), 0), "empty": nil, "another": b.chunks[0].Data} {
		err := l.Load(t.Context(), 2, bulk.Object{Name: name, Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(bad)), nil }})
		if !errors.Is(err, bulk.ErrDamaged) || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "chunk 2") {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("the disk can't be read")
	err := l.Load(t.Context(), 2, bulk.Object{Name: "x", Open: func(context.Context) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(data[:5000]), failing{broken})), nil
	}})
	if !errors.Is(err, broken) {
		t.Errorf("a disk that can't be read: %v", err)
	}
	if n := number(t, dsn, `SELECT count(*) FROM bk.bulk_journal`); n != 0 || l.Loaded(2) {
		t.Errorf("%d rows of damaged chunks are in", n)
	}
	if err := loadChunks(t.Context(), l, b.manifest, func(n int) bulk.Object { return object(folder, n) }); err != nil {
		t.Fatal(err)
	}
	for _, harm := range []struct{ what, do, undo string }{
		{"a payload", `UPDATE bk.bulk_journal SET payload = set_byte(payload, 9, get_byte(payload, 9) # 1) WHERE seq = 150`, ""},
		{"a missing row", `UPDATE bk.bulk_journal SET seq = seq + 1000000 WHERE seq = 333`, `UPDATE bk.bulk_journal SET seq = seq - 1000000 WHERE seq = 1000333`},
		{"a row behind the end", `INSERT INTO bk.bulk_journal SELECT shard, seq + 5000000, epoch, key_hash, subject, hash, payload FROM bk.bulk_journal WHERE seq = 3`,
			`DELETE FROM bk.bulk_journal WHERE seq = 5000003`},
	} {
		execute(t, dsn, harm.do)
		if err := l.Finish(t.Context()); !errors.Is(err, bulk.ErrBroken) {
			t.Errorf("%s: %v", harm.what, err)
		}
		if harm.undo == "" {
			harm.undo = harm.do
		}
		execute(t, dsn, harm.undo)
	}
	if n := number(t, dsn, `SELECT count(*) FROM bk.journal`); n != 0 {
		t.Errorf("the journal has %d rows", n)
	}
	if err := l.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.whole(t, dsn)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func execute(t testing.TB, dsn, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// TestAurora: the server reads the objects itself, by the statement that is meant for Aurora.
func TestAurora(t *testing.T) {
	t.Parallel()
	b := buildAll(t, history(10, 400), 100)
	dsn, folder := pgtest.New(t), b.write(t)
	bucket := auroratest.Install(t, dsn)
	for _, c := range b.chunks {
		bucket.Put(t, chunkKey(c.Number), c.Data)
	}
	at := func(n int, o bulk.Object) bulk.Object {
		o.Name, o.Bucket, o.Key, o.Region = chunkKey(n), bucket.Name, chunkKey(n), bucket.Region
		return o
	}
	l, err := bulk.NewLoader(t.Context(), bulk.LoaderConfig{DSN: dsn, Manifest: b.manifest, Copier: bulk.Aurora{}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What can be read from here is hashed before; what can't is found by its rows, or by the chain in the end.
	bad := bytes.Clone(b.chunks[2].Data)
	bad[len(bad)-20] ^= 1
	err = l.Load(t.Context(), 3, at(3, bulk.Object{Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(bad)), nil }}))
	if !errors.Is(err, bulk.ErrDamaged) {
		t.Errorf("a damaged object: %v", err)
	}
	bucket.Put(t, chunkKey(3), b.chunks[len(b.chunks)-1].Data)
	if err := l.Load(t.Context(), 3, at(3, bulk.Object{})); !errors.Is(err, bulk.ErrDamaged) {
		t.Errorf("an object with other rows: %v", err)
	}
	bucket.Put(t, chunkKey(3), b.chunks[2].Data)
	if err := os.Remove(bucket.Path(chunkKey(2))); err != nil {
		t.Fatal(err)
	}
	if err := l.Load(t.Context(), 2, at(2, bulk.Object{})); err == nil || !strings.Contains(err.Error(), "404") || !strings.Contains(err.Error(), chunkKey(2)) {
		t.Errorf("an object that is not there: %v", err)
	}
	bucket.Put(t, chunkKey(2), b.chunks[1].Data)
	if err := loadChunks(t.Context(), l, b.manifest, func(n int) bulk.Object { return at(n, object(folder, n)) }); err != nil {
		t.Fatal(err)
	}
	if err := l.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.whole(t, dsn)
	if n := number(t, dsn, `SELECT rows_uploaded + files_uploaded FROM aws_s3.query_export_to_s3('SELECT seq, hash FROM bk.journal ORDER BY seq', `+bucket.URI("out/journal.csv")+
		`, options := 'FORMAT csv')`); n != b.manifest.Summary.Rows+1 {
		t.Errorf("%d rows and files were written", n)
	}
	text, err := os.ReadFile(bucket.Path("out/journal.csv"))
	if err != nil || bytes.Count(text, []byte("\n")) != int(b.manifest.Summary.Rows) {
		t.Errorf("the export has %d lines (%v)", bytes.Count(text, []byte("\n")), err)
	}
}

// TestKilled kills the loader's process again and again; the next one goes on. In the end it is the journal, once. One load is aborted on the way.
func TestKilled(t *testing.T) {
	t.Parallel()
	b := buildAll(t, history(11, 2000), 60)
	dsn, folder := pgtest.New(t), b.write(t)
	kills, ended := 0, false
	for most := 12; !ended; most-- {
		process, exited := startChild(t, job{DSN: dsn, Folder: folder, Manifest: b.manifest})
		kill := make(<-chan time.Time)
		if most > 0 {
			kill = time.After(time.Duration(30+rand.IntN(600)) * time.Millisecond) // where it hits is chance
		}
		select {
		case err := <-exited:
			ended = true
			if err != nil {
				t.Fatal(err)
			}
		case <-kill:
			if err := process.Kill(); err != nil {
				t.Fatal(err)
			}
			<-exited
			kills++
			await.Until(t, "Postgres has noticed", func() bool {
				return number(t, dsn, `SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bk-bulk/0' AND datname = current_database()`) == 0
			})
			if n, most := number(t, dsn, `SELECT count(*) FROM bk.journal`), number(t, dsn, `SELECT coalesce(sum(bulk_chunk.rows), 0)::bigint FROM bk.bulk_chunk JOIN bk.bulk_load ON id = load AND state <> 'aborted'`); n != 0 && n != most {
				t.Fatalf("half of the journal is there: %d of %d rows", n, most)
			}
			if kills == 4 {
				if err := bulk.Abort(t.Context(), dsn, 0, "the test"); err != nil && !errors.Is(err, bulk.ErrNotEmpty) {
					t.Fatal(err)
				}
			}
		}
	}
	t.Logf("%d kills", kills)
	b.whole(t, dsn)
	if n := number(t, dsn, `SELECT count(*) FROM bk.bulk_chunk JOIN bk.bulk_load ON id = load AND state = 'done'`); n != int64(len(b.chunks)) {
		t.Errorf("%d chunks are in instead of %d", n, len(b.chunks))
	}
	server := startNode(t, node.Config{Postgres: dsn})
	await.Until(t, "it leads", func() bool { return server.status(t).Leading })
	server.verified(t)
}

// TestRights: what the role of servers and loaders can't do, with the functions of the owner or without.
func TestRights(t *testing.T) {
	t.Parallel()
	b := buildAll(t, history(12, 100), 1000)
	dsn, folder := pgtest.New(t), b.write(t)
	l := newLoader(t, dsn, b.manifest)
	if err := l.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := loadChunks(t.Context(), l, b.manifest, func(n int) bulk.Object { return object(folder, n) }); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "SET ROLE bk_app"); err != nil {
		t.Fatal(err)
	}
	refused := func(sql, why string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), sql); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", sql, err)
		}
	}
	refused(`SELECT bk.bulk_discard()`, "a bulk load is open")
	refused(`SELECT bk.bulk_publish(0::smallint, (SELECT epoch FROM bk.shard))`, "no bulk load that is verified")
	refused(`SELECT bk.bulk_publish(0::smallint, 0)`, "is not 0 any more")
	for _, table := range []string{"bk.journal", "bk.bulk_journal", "bk.bulk_chunk", "bk.bulk_load"} {
		refused(`DELETE FROM `+table, "permission denied")
	}
	for _, table := range []string{"bk.journal", "bk.bulk_journal"} {
		refused(`UPDATE `+table+` SET seq = seq + 1`, "permission denied")
		refused(`TRUNCATE `+table, "permission denied")
	}
	if err := l.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused(`UPDATE bk.bulk_load SET state = 'loading'; UPDATE bk.bulk_load SET state = 'verifying'; SELECT bk.bulk_publish(0::smallint, (SELECT epoch FROM bk.shard))`, "bk.journal is not empty")
	if _, err := conn.Exec(t.Context(), `SELECT bk.bulk_discard()`); err != nil {
		t.Error(err)
	}
	b.whole(t, dsn)
}
