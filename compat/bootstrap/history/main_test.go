package history_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/api/bulk"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/schema"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

func system(name string, at contract.Target) shadow.System {
	return shadow.System{Name: name, API: at.API, Operations: at.Operations}
}

// extracted is Bank's database as chunks of CSV.
type extracted struct {
	place  source.Place
	chunks map[source.Table][][]byte
}

// extract reads all of Bank's database, in chunks of about so many rows.
func extract(t *testing.T, dsn string, size int64) extracted {
	t.Helper()
	db, err := source.Snapshot(t.Context(), source.DatabaseConfig{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	e := extracted{db.Place(), map[source.Table][][]byte{}}
	for _, table := range source.Tables() {
		ranges, err := db.Ranges(t.Context(), table, size, func(context.Context) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range ranges {
			var chunk bytes.Buffer
			if _, err := db.Read(t.Context(), r, &chunk); err != nil {
				t.Fatal(err)
			}
			e.chunks[table] = append(e.chunks[table], chunk.Bytes())
		}
	}
	return e
}

// rowsOf reads chunks one after the other.
func rowsOf[T any](table source.Table, chunks ...[]byte) history.Rows[T] {
	var at *source.Reader
	return func() (*T, error) {
		for {
			if at == nil {
				if len(chunks) == 0 {
					return nil, io.EOF
				}
				at, chunks = source.NewReader(table, bytes.NewReader(chunks[0]), nil), chunks[1:]
			}
			row, err := at.Next()
			if err == io.EOF {
				at = nil
				continue
			}
			if err != nil {
				return nil, err
			}
			return any(row).(*T), nil
		}
	}
}

// object is a run in memory.
type object struct{ bytes.Buffer }

func (*object) Close() error { return nil }

// creator makes runs in memory.
func creator(made map[history.Kind]*object) history.Create {
	return func(kind history.Kind) (io.WriteCloser, error) {
		made[kind] = &object{}
		return made[kind], nil
	}
}

// runsOf gives the runs that a transform made.
func runsOf(t testing.TB, made map[history.Kind]*object, done history.Transformed, err error) (runs []history.Run) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	for _, meta := range done.Runs {
		data := made[meta.Kind].Bytes()
		runs = append(runs, history.Run{RunMeta: meta, Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }})
	}
	return runs
}

// transform transforms all chunks at once, and gives the runs in some order.
func transform(t *testing.T, e extracted, backwards bool) []history.Run {
	t.Helper()
	var mu sync.Mutex
	var runs []history.Run
	var running sync.WaitGroup
	one := func(do func(history.Create) (history.Transformed, error)) {
		running.Go(func() {
			made := map[history.Kind]*object{}
			done, err := do(creator(made))
			mu.Lock()
			defer mu.Unlock()
			runs = append(runs, runsOf(t, made, done, err)...)
		})
	}
	for _, chunk := range e.chunks[source.Trades] {
		one(func(create history.Create) (history.Transformed, error) {
			return history.TransformTrades(t.Context(), rowsOf[source.Trade](source.Trades, chunk), create)
		})
	}
	for _, chunk := range e.chunks[source.Journal] {
		one(func(create history.Create) (history.Transformed, error) {
			return history.TransformJournal(t.Context(), rowsOf[source.JournalRow](source.Journal, chunk), create)
		})
	}
	for _, chunk := range e.chunks[source.CashMovements] {
		one(func(create history.Create) (history.Transformed, error) {
			return history.TransformCash(t.Context(), rowsOf[source.Cash](source.CashMovements, chunk), create)
		})
	}
	running.Wait()
	if backwards {
		slices.Reverse(runs)
	}
	return runs
}

// failing gives one row that can't be read.
func failing(bad *source.BadRow) history.Rows[source.Trade] {
	done := false
	return func() (*source.Trade, error) {
		if done {
			return nil, io.EOF
		}
		done = true
		return nil, bad
	}
}

// built is all that came of a stage.
type built struct {
	Report      history.Report
	Rows        map[string][][]string
	columns     map[string][]string
	Quarantined []history.Quarantined
	Repaired    []history.Repaired
	Adjusted    []history.Adjusted
	Manifest    bulk.Manifest
	chunks      [][]byte
}

func (b *built) Row(table string, columns, values []string) error {
	b.Rows[table], b.columns[table] = append(b.Rows[table], values), columns
	return nil
}

func (b *built) Quarantine(q history.Quarantined) error {
	b.Quarantined = append(b.Quarantined, q)
	return nil
}

func (b *built) Repair(r history.Repaired) error {
	b.Repaired = append(b.Repaired, r)
	return nil
}

func (b *built) Adjust(a history.Adjusted) error {
	b.Adjusted = append(b.Adjusted, a)
	return nil
}

// build stages what was extracted.
func build(t *testing.T, e extracted, runs []history.Run) *built {
	t.Helper()
	b := &built{Rows: map[string][][]string{}, columns: map[string][]string{}}
	b.Manifest.Epoch = 1
	builder, err := bulk.NewBuilder(bulk.BuilderConfig{Epoch: 1, ChunkRows: 1000, Sink: func(c bulk.Chunk) error {
		b.Manifest.Chunks = append(b.Manifest.Chunks, c.ChunkMeta)
		b.chunks = append(b.chunks, c.Data)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	b.Report, err = history.Stage(t.Context(), history.Input{
		Runs: runs, BusinessDate: e.place.BusinessDate,
		Entities:  rowsOf[source.Entity](source.Entities, e.chunks[source.Entities]...),
		Accounts:  rowsOf[source.Account](source.Accounts, e.chunks[source.Accounts]...),
		Positions: rowsOf[source.Position](source.Positions, e.chunks[source.Positions]...),
		Balances:  rowsOf[source.Balance](source.Balances, e.chunks[source.Balances]...),
		Uploads:   rowsOf[source.Upload](source.Uploads, e.chunks[source.Uploads]...),
		Errors:    rowsOf[source.UploadError](source.UploadErrors, e.chunks[source.UploadErrors]...),
		GivenUp:   rowsOf[source.GivenUp](source.UploadGivenUp, e.chunks[source.UploadGivenUp]...),
	}, builder, b)
	if err != nil {
		t.Fatal(err)
	}
	if b.Manifest.Summary, err = builder.Close(); err != nil {
		t.Fatal(err)
	}
	return b
}

// serve loads what was built into databases of their own, and serves Bank's API on it.
func serve(t *testing.T, b *built) contract.Target {
	t.Helper()
	dsn, facade := pgtest.New(t), pgtest.New(t)
	if err := migrations.Up(t.Context(), dsn, nil); err != nil {
		t.Fatal(err)
	}
	load(t, dsn, b)
	if err := schema.Up(t.Context(), facade, nil); err != nil {
		t.Fatal(err)
	}
	db, err := pgx.Connect(t.Context(), facade)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // nothing hangs on it
	for _, table := range history.Tables() {
		var csv []byte
		for _, row := range b.Rows[table] {
			values := make([]*string, len(row))
			for i := range row {
				values[i] = &row[i]
			}
			csv = source.AppendCSV(csv, values...)
		}
		if len(csv) == 0 {
			continue
		}
		columns := fmt.Sprint(b.columns[table])
		columns = string(bytes.ReplaceAll([]byte(columns[1:len(columns)-1]), []byte(" "), []byte(", ")))
		if _, err := db.PgConn().CopyFrom(t.Context(), bytes.NewReader(csv), fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT csv)", table, columns)); err != nil {
			t.Fatalf("%s: %v", table, err)
		}
	}
	at, stop := stage.Await(t, "BK", func(ctx context.Context, ready func(node.Addresses)) error {
		return node.Run(ctx, node.Config{Postgres: dsn, Listen: "127.0.0.1:0", MetricsListen: "127.0.0.1:0", PoolConnections: 16, Log: stage.Log(t)}, ready)
	})
	first := books.Epoch{First: int64(b.Manifest.Summary.Head) + 1, TradeBase: 1_000_000, CashBase: 1_000_000} // from here on BK books first
	return stage.StartBooks(t, stage.BK{URL: "http://" + at.API, DSN: dsn, Stop: stop}, facade, []books.Epoch{first})
}

func load(t *testing.T, dsn string, b *built) {
	t.Helper()
	loader, err := bulk.NewLoader(t.Context(), bulk.LoaderConfig{DSN: dsn, Manifest: b.Manifest})
	if err != nil {
		t.Fatal(err)
	}
	defer loader.Close()
	if err := loader.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, c := range b.Manifest.Chunks {
		o := bulk.Object{Name: fmt.Sprint(c.Number), SHA256: c.SHA256, Bytes: c.Bytes, Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(b.chunks[i])), nil
		}}
		if err := loader.Load(t.Context(), c.Number, o); err != nil {
			t.Fatal(err)
		}
	}
	if err := loader.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
}
