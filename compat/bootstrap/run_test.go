package bootstrap_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/bootstrap"
)

// TestQuietBank: all of a Bank at which nobody trades is in BK, and Bank's API on BK answers as Bank does. Doing it again does nothing.
func TestQuietBank(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	played := w.play(1, 1500)
	cfg := w.config()
	dry := cfg
	dry.DryRun = true
	if report, err := w.run(dry); err != nil || report != nil {
		t.Fatal(report, err)
	}
	if n := one(t, w.facade, `SELECT count(*) FROM information_schema.schemata WHERE schema_name = 'facade'`); n != 0 {
		t.Error("a dry run has made tables in the façade's database")
	}
	if n := one(t, w.bk, `SELECT count(*) FROM bk.bulk_load`); n != 0 {
		t.Error("a dry run has begun a load")
	}
	report, err := w.run(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := report.Write(&text); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + text.String())
	if !report.Clean() || report.Trial.Holdings == 0 || report.Explained != 0 || len(report.Quarantine) != 0 || report.Compared["journal rows"] == 0 {
		t.Errorf("%+v", report)
	}
	rows := one(t, w.bk, `SELECT count(*) FROM bk.journal`)
	if again, err := w.run(cfg); err != nil || !again.Clean() {
		t.Error(again, err)
	}
	if n := one(t, w.bk, `SELECT count(*) FROM bk.journal`); n != rows {
		t.Errorf("a second run has made %d entries of %d", n, rows)
	}
	w.same(played)

	b, err := bootstrap.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	status, err := b.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range status.Phases {
		if !p.Ended || p.Done != p.Chunks {
			t.Errorf("%+v", p)
		}
	}
	other := cfg
	other.Work = t.TempDir()
	if _, err := w.run(other); !errors.Is(err, bootstrap.ErrNotFresh) {
		t.Errorf("another load into the same databases: %v", err)
	}
}

// TestQuiesced: where nobody gives us Bank's database, its API is read while it is quiet, in both modes.
func TestQuiesced(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{bootstrap.Full, bootstrap.Opening} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "")
			w.play(12, 400)
			cfg := w.config()
			cfg.Mode, cfg.Quiesced, cfg.BankDB, cfg.Compare = mode, true, "", nil
			report, err := w.run(cfg)
			if err != nil || !report.Clean() || report.Trial.Holdings == 0 || report.Place.Source != "api" || len(report.Quarantine) != 0 {
				t.Error(report, err)
			}
		})
	}
}
