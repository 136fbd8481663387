package bootstrap_test

import (
	"cmp"
	"context"
	"flag"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bootstrap"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/oddities"
)

var requests = flag.Int("requests", 2000, "requests that clients make at Bank in TestOddities: about as many trades")

// plant puts oddities into Bank. What looks for fit trades looks for those that replace others, which Bank itself never does.
func (w *world) plant(seed uint64) oddities.Planted {
	w.t.Helper()
	db, err := pgx.Connect(w.t.Context(), w.bank.DSN)
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(w.t.Context()))
	for _, sql := range []string{`CREATE INDEX replaces_for_test ON bank.trade (replaces)`, `ANALYZE bank.trade`, `ANALYZE bank.journal`} {
		if _, err := db.Exec(w.t.Context(), sql); err != nil {
			w.t.Fatal(err)
		}
	}
	planted, err := oddities.Plant(w.t.Context(), oddities.Config{DSN: w.bank.DSN, Seed: seed})
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := db.Exec(w.t.Context(), `DROP INDEX bank.replaces_for_test`); err != nil {
		w.t.Fatal(err)
	}
	return planted
}

// TestOddities: a Bank with all that old bugs have left is in BK but for the rows that can't be, and these are named one by one; then nothing differs but by them. In both modes the same
// rules fire for the same rows.
func TestOddities(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{bootstrap.Full, bootstrap.Opening} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			loadOddities(t, mode)
		})
	}
}

func loadOddities(t *testing.T, mode string) {
	t.Helper()
	w := newWorld(t, "")
	w.play(10, *requests)
	planted := w.plant(10)
	cfg := w.config()
	cfg.Mode = mode
	if *requests > 10_000 {
		cfg.ChunkRows, cfg.JournalRows = 0, 0 // as usual
	}
	report, err := w.run(cfg)
	if report == nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + text.String())
	if err != nil || !report.Clean() || report.Explained == 0 {
		t.Error(err)
	}
	if !maps.Equal(report.Counts.Fired, planted.Fired) {
		t.Errorf("rules fired\n%v, planted were\n%v", report.Counts.Fired, planted.Fired)
	}
	sameQuarantine(t, cfg, planted)
}

// sameQuarantine holds what is in quarantine against what was planted.
func sameQuarantine(t *testing.T, cfg bootstrap.Config, planted oddities.Planted) {
	t.Helper()
	b, err := bootstrap.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	held, err := b.Quarantine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var have, want []string
	for _, h := range held {
		have = append(have, h.ID()+" "+string(h.Rule))
	}
	for _, q := range planted.Quarantined {
		want = append(want, string(q.Table)+":"+q.Key+" "+string(q.Rule))
	}
	slices.Sort(have)
	slices.Sort(want)
	if !slices.Equal(have, want) {
		t.Errorf("in quarantine are\n%s\nplanted were\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

// amountsOff gives ids of trades in quarantine for amounts that are off, and what mends them.
func amountsOff(t *testing.T, b *bootstrap.Bootstrap, dsn string) map[string]map[string]string {
	t.Helper()
	held, err := b.Quarantine(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	db, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context()))
	mend := map[string]map[string]string{}
	for _, h := range held {
		if h.Rule != history.OtherAmounts {
			continue
		}
		var gross string
		if err := db.QueryRow(t.Context(), `SELECT trim_scale(quantity * price)::text FROM bank.trade WHERE trade_id = $1::text::bigint`, h.Key).Scan(&gross); err != nil {
			t.Fatal(err)
		}
		mend[h.ID()] = map[string]string{"gross_amount": gross}
	}
	if len(mend) < 2 {
		t.Fatal("not enough trades with amounts that are off")
	}
	return mend
}

// TestFix: rows in quarantine are mended, some before the load and some after it. What is tried again is what was mended.
func TestFix(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{bootstrap.Full, bootstrap.Opening} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			fix(t, mode)
		})
	}
}

func fix(t *testing.T, mode string) {
	t.Helper()
	w := newWorld(t, "")
	w.play(11, 2000)
	w.plant(11)
	cfg := w.config()
	cfg.Mode = mode
	dry := cfg
	dry.DryRun = true
	if _, err := w.run(dry); err != nil {
		t.Fatal(err)
	}
	b, err := bootstrap.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	mend := amountsOff(t, b, w.bank.DSN)
	ids := slices.SortedFunc(maps.Keys(mend), func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) })
	for id, set := range map[string]map[string]string{"trade:999999999": mend[ids[0]], ids[0]: {"nonsense": "1"}, "nothing": {"a": "b"}} {
		if err := b.Fix(t.Context(), id, set, "anna", "CHG-1"); err == nil {
			t.Errorf("fix %s %v was taken", id, set)
		}
	}
	if err := b.Fix(t.Context(), ids[0], mend[ids[0]], "anna", "CHG-1"); err != nil {
		t.Fatal(err)
	}
	done, err := b.Retry(t.Context())
	if err != nil || done.Tried != 1 || len(done.Held) != 0 {
		t.Fatalf("before the load: %+v, %v", done, err)
	}
	if len(amountsOff(t, b, w.bank.DSN)) != len(mend)-1 {
		t.Error("others were let out as well, or none")
	}
	report, err := w.run(cfg)
	if err != nil || !report.Clean() || !slices.Equal(report.Fixed, []bootstrap.Fixed{{ID: ids[0], Who: "anna", Why: "CHG-1"}}) {
		t.Fatalf("%+v, %v", report, err)
	}
	if err := b.Fix(t.Context(), ids[1], mend[ids[1]], "anna", "CHG-2"); err != nil {
		t.Fatal(err)
	}
	done, err = b.Retry(t.Context())
	if err != nil || done.Tried != 1 || done.Booked != 1 {
		t.Fatalf("after the load: %+v, %v", done, err)
	}
	if n := one(t, w.facade, `SELECT count(*) FROM facade.books_id WHERE kind = 'trade' AND bank_id = `+strings.TrimPrefix(ids[1], "trade:")); n != 1 {
		t.Error("it was not booked under its id")
	}
	if report, err = w.run(cfg); err != nil || !report.Clean() || report.Explained == 0 {
		t.Errorf("after both: %+v, %v", report, err)
	}
}
