package history_test

import (
	"bytes"
	"flag"
	"reflect"
	"testing"

	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
)

var (
	requests = flag.Int("requests", 800, "requests that TestFullHistory makes")
	seed     = flag.Uint64("seed", 1, "seed of what is drawn")
)

// TestFullHistory: a Bank that has done everything for some days, many clients at once, is loaded; then Bank's API on BK answers as Bank does.
func TestFullHistory(t *testing.T) {
	t.Parallel()
	old := stage.StartBank(t)
	played, err := shadow.Play(t.Context(), shadow.Traffic{Target: system("Bank", old.Target), Seed: *seed, Requests: *requests, Accounts: 24, Rolls: 8})
	if err != nil || played.Surprised > 0 {
		t.Fatal(played, err)
	}
	e := extract(t, old.DSN, 200)
	b := build(t, e, transform(t, e, false))
	t.Logf("%+v", b.Report)
	for rule, n := range b.Report.Fired {
		if rule.Effect() != history.AsIs {
			t.Errorf("the rule %s fired %d times on what is sound", rule, n)
		}
	}
	for _, q := range b.Quarantined[:min(3, len(b.Quarantined))] {
		t.Errorf("in quarantine: %s %s, %s: %s: %s", q.Table, q.Key, q.Rule, q.Reason, q.Row)
	}
	for _, r := range b.Repaired[:min(3, len(b.Repaired))] {
		t.Errorf("repaired: %+v", r)
	}
	for _, a := range b.Adjusted[:min(3, len(b.Adjusted))] {
		t.Errorf("adjusted: %+v", a)
	}
	again := build(t, e, transform(t, e, true))
	if !reflect.DeepEqual(again.Manifest, b.Manifest) || !reflect.DeepEqual(again.Rows, b.Rows) || !reflect.DeepEqual(again.Report, b.Report) {
		t.Error("the same input gives other output")
	}
	for i := range b.chunks {
		if !bytes.Equal(b.chunks[i], again.chunks[i]) {
			t.Fatalf("chunk %d of the journal differs", i)
		}
	}
	loaded := serve(t, b)
	bk := system("BK", loaded)
	comparison := played.Comparison(system("Bank", old.Target), bk, 0)
	compared, err := shadow.Compare(t.Context(), comparison)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(compared)
	if compared.Differing > 0 || compared.Counts[shadow.KindTrade] != len(played.Trades) {
		t.Errorf("%d differences in %d trades of %d", compared.Differing, compared.Counts[shadow.KindTrade], len(played.Trades))
	}
	if compared.Counts[shadow.KindCash] == 0 {
		t.Error("no cash movement was asked for again")
	}
	askAgain(t, e, b, loaded.API)
}
