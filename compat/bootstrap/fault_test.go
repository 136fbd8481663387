package bootstrap_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/api/bulk"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap"
	"github.com/bkledger/bk/compat/bootstrap/store"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/kafkatest"
)

// damaged does all but load, and damages a chunk of the journal.
func (w *world) damaged() (cfg bootstrap.Config, mend func()) {
	w.t.Helper()
	cfg = w.config()
	cfg.DryRun = true
	if _, err := w.run(cfg); err != nil {
		w.t.Fatal(err)
	}
	cfg.DryRun = false
	files, err := filepath.Glob(filepath.Join(cfg.Work, "stage", "*", "journal-*.copy"))
	if err != nil || len(files) == 0 {
		w.t.Fatal(files, err)
	}
	return cfg, flip(w.t, files[len(files)-1])
}

// TestDamagedChunk: a file that is not what was written is found by its hash, in each phase that reads it, and nothing of it is loaded.
func TestDamagedChunk(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.play(3, 300)
	cfg, mend := w.damaged()
	if _, err := w.run(cfg); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a damaged chunk of the journal: %v", err)
	}
	if n := one(t, w.bk, `SELECT count(*) FROM bk.journal`); n != 0 {
		t.Errorf("%d rows are in the journal", n)
	}
	mend()
	manifest := filepath.Join(cfg.Work, "MANIFEST.json")
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, []byte(strings.Replace(string(text), `"held_ms": `, `"held_ms": 1`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(cfg); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("a damaged manifest: %v", err)
	}
	if err := os.WriteFile(manifest, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if report, err := w.run(cfg); err != nil || !report.Clean() {
		t.Error("mended:", report, err)
	}
}

// TestDamagedBetween: likewise what a phase hands to the next one, when there is a stop between the two.
func TestDamagedBetween(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.play(9, 300)
	for phase, chunks := range map[string]string{"transform": filepath.Join("extract", "*", "*.csv"), "stage": filepath.Join("transform", "trade-*")} {
		cfg := w.config()
		cfg.DryRun = true
		var stop context.CancelFunc
		cfg.Progress = func(p bootstrap.Progress) {
			if p.Phase == phase && stop != nil {
				stop()
			}
		}
		b, err := bootstrap.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		ctx, end := context.WithCancel(t.Context())
		stop = end
		if _, err := b.Run(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("stopped before %s: %v", phase, err)
		}
		stop = nil
		files, err := filepath.Glob(filepath.Join(cfg.Work, chunks))
		if err != nil || len(files) == 0 {
			t.Fatal(phase, files, err)
		}
		mend := flip(t, files[0])
		if _, err := b.Run(t.Context()); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: %s is damaged: %v", phase, files[0], err)
		}
		mend()
		if _, err := b.Run(t.Context()); err != nil {
			t.Errorf("%s, mended: %v", phase, err)
		}
	}
}

// flip changes a byte in the middle of a file, and gives what changes it back.
func flip(t *testing.T, path string) (mend func()) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	change := func() {
		content[len(content)/2] ^= 1
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	change()
	return change
}

// TestOtherRules: a work store that other rules began is refused, unless it is to be planned anew.
func TestOtherRules(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.play(4, 200)
	cfg := w.config()
	cfg.DryRun = true
	if _, err := w.run(cfg); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cfg.Work, "plan.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var plan bootstrap.Plan
	if err := json.Unmarshal(text, &plan); err != nil {
		t.Fatal(err)
	}
	plan.Rules = "0"
	if text, err = json.Marshal(plan); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(cfg); !errors.Is(err, bootstrap.ErrRules) {
		t.Errorf("other rules: %v", err)
	}
	cfg.Replan = true
	if _, err := w.run(cfg); err != nil {
		t.Errorf("planned anew: %v", err)
	}
	cfg.Mode = bootstrap.Opening
	if _, err := w.run(cfg); !errors.Is(err, bootstrap.ErrPlan) {
		t.Errorf("another mode: %v", err)
	}
}

// TestInUse: neither a ledger nor a façade's database that has anything is loaded, and two bootstrappers are not at work at once.
func TestInUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.play(5, 200)
	cfg := w.config()
	db, err := pgx.Connect(t.Context(), w.facade)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context()))
	if _, err := db.Exec(t.Context(), `SELECT pg_advisory_lock($1)`, int64(0x626b626f6f74)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(cfg); !errors.Is(err, bootstrap.ErrRunning) {
		t.Errorf("beside another one: %v", err)
	}
	if _, err := db.Exec(t.Context(), `SELECT pg_advisory_unlock_all()`); err != nil {
		t.Fatal(err)
	}
	url, stop, err := w.startBK(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	on := stage.StartBooks(t, stage.BK{URL: url, DSN: w.bk}, "", nil)
	to, err := bank.NewClient(bank.ClientConfig{API: on.API, Operations: on.Operations})
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if err := to.Roll(t.Context(), 20131007); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(cfg); !errors.Is(err, bulk.ErrNotEmpty) {
		t.Errorf("a ledger that has entries: %v", err)
	}
}

// TestPublished: a ledger whose topic has events already is not loaded.
func TestPublished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.New(t).Addr())
	w.play(8, 200)
	cfg := w.config()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.broker))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(t.Context(), 4, 1, nil, "bk.events.v1"); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "bk.events.v1", Value: []byte("of another ledger")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.run(cfg); !errors.Is(err, bulk.ErrNotEmpty) {
		t.Errorf("its topic has an event: %v", err)
	}
	if n := one(t, w.bk, `SELECT count(*) FROM bk.journal`); n != 0 {
		t.Errorf("%d rows are in the journal", n)
	}
	cfg.Events = "bk.events.v2"
	if report, err := w.run(cfg); err != nil || !report.Clean() {
		t.Error("another topic:", report, err)
	}
}

// TestFacadeWaits: a façade does not begin on a database that is half loaded; after an abort it is as it was.
func TestFacadeWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.play(6, 200)
	cfg, mend := w.damaged()
	if _, err := w.run(cfg); !errors.Is(err, store.ErrDamaged) {
		t.Fatal(err)
	}
	mend()
	err := facade.Run(t.Context(), facade.Config{
		Bank: w.bank.API, BankOperations: w.bank.Operations, Postgres: w.facade, Mode: mode.BankOnly, Listen: local, OperationsListen: local, AdminListen: local, Replica: "early",
	}, nil)
	if err == nil || !strings.Contains(err.Error(), "is being loaded") {
		t.Errorf("a façade on what is half loaded: %v", err)
	}
	b, err := bootstrap.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"facade.bootstrap", "facade.bootstrap_chunk", "facade.books_entity", "facade.books_symbol", "facade.books_id"} {
		if n := one(t, w.facade, `SELECT count(*) FROM `+table); n != 0 {
			t.Errorf("%s has %d rows after an abort", table, n)
		}
	}
	if report, err := w.run(cfg); err != nil || !report.Clean() {
		t.Error("after the abort:", report, err)
	}
	if err := b.Abort(t.Context()); err == nil {
		t.Error("a load that has ended was aborted")
	}
}

// TestNothingThere: who only looks makes no work store.
func TestNothingThere(t *testing.T) {
	t.Parallel()
	work := filepath.Join(t.TempDir(), "typo")
	if _, err := bootstrap.Open(t.Context(), bootstrap.Config{Work: work, Look: true}); err == nil || !strings.Contains(err.Error(), work) {
		t.Errorf("a work store that is not there: %v", err)
	}
	if _, err := os.Stat(work); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there now: %v", err)
	}
}
