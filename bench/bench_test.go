package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/migrations/pgtest"
)

// childVariable makes this test binary the child of the benchmark.
const childVariable = "BK_BENCH_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := Child(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	pgtest.Main(m)
}

// TestRun checks that the figures of a small run fit each other. How large they are is not a test's business.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of a whole benchmark")
	}
	t.Setenv(childVariable, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const entries = 2000
	steps := 0
	r, err := Run(t.Context(), Config{
		Dir: t.TempDir(), Entries: entries, Rounds: 1, OpenLoop: 300 * time.Millisecond, Overload: time.Second, Child: []string{self},
		Progress: func(done, total int, doing string) {
			if done != steps || done >= total || doing == "" {
				t.Errorf("step %d of %d after %d: %q", done, total, steps, doing)
			}
			steps++
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.Settings["fsync"] != "on" || r.Settings["synchronous_commit"] != "on" {
		t.Errorf("not durable: %v", r.Settings)
	}
	if r.PayloadBytes < 100 || r.PayloadBytes > 1000 {
		t.Errorf("a payload of %.0f bytes", r.PayloadBytes)
	}
	checkSides(t, r, entries)
	checkOpenLoop(t, r)
	checkOverload(t, r)
	checkOutputs(t, r)
}

func checkSides(t *testing.T, r *Report, entries int) {
	best := map[string]Side{}
	finals := 0
	for _, s := range r.Sides {
		runs := r.Rounds
		if s.Final {
			runs *= finalRounds
			finals++
		}
		if s.Entries == 0 || s.Entries > entries || len(s.Rounds) != runs || len(s.Trials) != r.Rounds || near(s.EntriesPerSecond, median(s.Rounds)) != nil {
			t.Errorf("%s, %s: %d entries, %v/s by round, %v by trial, %v/s", s.Way, s.Config, s.Entries, s.Rounds, s.Trials, s.EntriesPerSecond)
		}
		if s.P50 <= 0 || s.P50 > s.P99 || s.P99 > s.P999 || s.P999 > s.Max {
			t.Errorf("%s, %s: latencies %+v", s.Way, s.Config, s.Latencies)
		}
		if s.ToRaw <= 0 || s.CPU.Load <= 0 {
			t.Errorf("%s, %s: %v of raw COPY, %+v", s.Way, s.Config, s.ToRaw, s.CPU)
		}
		if s.Best {
			if _, twice := best[s.Way]; twice {
				t.Errorf("two configurations of %s are the best", s.Way)
			}
			best[s.Way] = s
		}
	}
	if finals != len(contenders) {
		t.Errorf("%d sides were in the finals", finals)
	}
	for _, s := range r.Sides {
		if median(s.Trials) > median(best[s.Way].Trials) {
			t.Errorf("%s, %s is better than the best", s.Way, s.Config)
		}
	}
	ratio := func(a, b string) float64 {
		var ratios []float64
		for i := range best[a].Rounds {
			ratios = append(ratios, best[a].Rounds[i]/best[b].Rounds[i])
		}
		return median(ratios)
	}
	for _, f := range []struct {
		name      string
		got, want float64
	}{
		{"engine", r.EntriesPerSecond, best[wayEngine].EntriesPerSecond}, {"raw COPY", r.RawCopyPerSecond, best[wayRaw].EntriesPerSecond},
		{"engine to raw COPY", r.EngineToRaw, ratio(wayEngine, wayRaw)}, {"engine to INSERT", r.EngineToInsert, ratio(wayEngine, wayInsert64)},
		{"Connect to raw COPY", r.ConnectToRaw, ratio(wayBatch100, wayRaw)}, {"stream to INSERT", r.StreamToInsert, ratio(wayStream, wayInsert64)},
	} {
		if err := near(f.got, f.want); err != nil {
			t.Errorf("%s: %v", f.name, err)
		}
	}
}

func checkOpenLoop(t *testing.T, r *Report) {
	if want := new(bench).openLoops(); len(r.OpenLoop) != len(want) {
		t.Fatalf("%d open loops", len(r.OpenLoop))
	}
	for _, o := range r.OpenLoop {
		if o.Offered == 0 || o.Accepted+o.Refused != o.Offered || o.P50 <= 0 || o.P50 > o.Max {
			t.Errorf("open loop: %+v", o)
		}
		if want := r.capacity(o.Way, o.GroupSize) * o.PartOfCapacity; near(o.OfferedPerSecond, want) != nil || want <= 0 {
			t.Errorf("open loop: %v/s were offered, not %v", o.OfferedPerSecond, want)
		}
	}
}

func checkOverload(t *testing.T, r *Report) {
	o := r.Overload
	if o.Offered == 0 || o.Accepted == 0 || o.Accepted+o.Refused != o.Offered || o.MaxInFlight == 0 || o.QueueMilliseconds <= 0 {
		t.Errorf("overload: %+v", o)
	}
	if o.FromCall.P50 > o.P50 {
		t.Errorf("overload: from the call %v ms, from the schedule %v", o.FromCall.P50, o.P50)
	}
	if o.ResidentEnd > 0 && near(o.MemoryRatio, float64(o.ResidentEnd)/float64(o.ResidentSampled)) != nil || o.ResidentPeak < o.ResidentEnd {
		t.Errorf("overload: memory %+v", o)
	}
	if len(r.Acceptance) < 5 {
		t.Errorf("%d lines of acceptance", len(r.Acceptance))
	}
	for _, a := range r.Acceptance {
		if a.Holds != (a.Value > 0 && a.Value >= a.AtLeast && (a.AtMost == 0 || a.Value <= a.AtMost)) {
			t.Errorf("%+v", a)
		}
	}
}

func checkOutputs(t *testing.T, r *Report) {
	var out bytes.Buffer
	if err := r.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(out.Bytes(), &keys); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		"entries_per_second", "raw_copy_per_second", "engine_to_raw_copy", "connect_to_raw_copy", "engine_to_single_insert",
		"p50_ms", "p99_ms", "p999_ms", "stream_to_single_insert",
	} {
		if v, ok := keys[key].(float64); !ok || v <= 0 {
			t.Errorf("%s is %v", key, keys[key])
		}
	}
	out.Reset()
	if err := r.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, a := range r.Acceptance {
		if !strings.Contains(out.String(), a.What) {
			t.Errorf("the text does not say: %s", a.What)
		}
	}
	for _, s := range r.Sides {
		if !strings.Contains(out.String(), s.Way+": "+s.Config) {
			t.Errorf("the table lacks %s, %s", s.Way, s.Config)
		}
	}
	out.Reset()
	if err := r.WriteSVG(&out); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(&out); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal("the plot is no XML: ", err)
		}
	}
	out.Reset()
	if err := r.WriteHTML(&out); err != nil || !strings.Contains(out.String(), "<svg") || !strings.Contains(out.String(), "<pre>") {
		t.Errorf("the page lacks the plot or the table: %v", err)
	}
}

func near(got, want float64) error {
	if math.Abs(got-want) > 1e-9*math.Abs(want) {
		return fmt.Errorf("%v, not %v", got, want)
	}
	return nil
}

func TestRowsAreTheEngines(t *testing.T) {
	t.Parallel()
	dsn := pgtest.New(t)
	e, err := startEngine(t.Context(), journal.Config{DSN: dsn}, workload{})
	if err != nil {
		t.Fatal(err)
	}
	const n = 250
	for _, group := range (workload{}).groups(n, 100) {
		if err := failure(e.Book(t.Context(), group, journal.BookOptions{Wait: true})); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.close(); err != nil {
		t.Fatal(err)
	}
	r, err := capture(t.Context(), dsn, e.before)
	if err != nil {
		t.Fatal(err)
	}
	if r.measured() != n {
		t.Fatalf("%d rows, not %d", r.measured(), n)
	}
	var joined []byte
	for _, stream := range r.streams(0, len(r.ends), 100) {
		body, ok := bytes.CutPrefix(stream, copyHeader)
		body, end := bytes.CutSuffix(body, copyTrailer)
		if !ok || !end {
			t.Fatal("a stream lacks its header or its end")
		}
		joined = append(joined, body...)
	}
	if !bytes.Equal(joined, r.data) {
		t.Error("the streams are not the rows")
	}

	// The same rows, written by COPY and one by one, are a journal that a reader takes.
	copied := pgtest.New(t)
	b := &bench{rows: r, cluster: &cluster{}}
	tally, err := b.rawCopy(n/2, 100, 2)(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	if err := tally.check(t.Context(), copied); err != nil || tally.entries != n/2 {
		t.Errorf("%d rows copied: %v", tally.entries, err)
	}
	j, err := journal.Open(t.Context(), journal.Config{DSN: copied})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	entries, err := j.Read(t.Context(), uint64(e.before), n)
	if err != nil || len(entries) != n/2 || entries[0].Key != (workload{}).trade(0).Key {
		t.Errorf("%d entries read back: %v", len(entries), err)
	}
	inserted := pgtest.New(t)
	tally, err = b.insert(n/2, 8)(t.Context(), inserted)
	if err != nil {
		t.Fatal(err)
	}
	if err := tally.check(t.Context(), inserted); err != nil || tally.entries != n/2 {
		t.Errorf("%d rows inserted: %v", tally.entries, err)
	}
	tally.entries++
	if tally.check(t.Context(), inserted) == nil {
		t.Error("an entry that is not there was not missed")
	}
}

func TestParseRowsRefusesOther(t *testing.T) {
	t.Parallel()
	row := append([]byte{0, 7}, bytes.Repeat([]byte{0xff, 0xff, 0xff, 0xff}, columns)...)
	good := bytes.Join([][]byte{copyHeader, row, row, copyTrailer}, nil)
	var r rows
	if err := r.parse(good); err != nil || len(r.ends) != 2 || len(r.data) != 2*len(row) {
		t.Fatalf("%d rows: %v", len(r.ends), err)
	}
	for cut := range good {
		if err := new(rows).parse(good[:cut]); !errors.Is(err, errRows) {
			t.Errorf("cut at %d: %v", cut, err)
		}
	}
}

func TestWorkload(t *testing.T) {
	t.Parallel()
	keys, accounts := map[string]bool{}, map[int64]int{}
	const n = 20_000
	for i := range n {
		c := workload{}.trade(i)
		if rej := c.Normalize(); rej != nil {
			t.Fatalf("trade %d: %v", i, rej)
		}
		keys[c.Key] = true
		accounts[c.Trade.Account.ID]++
		if hot := (workload{hot: true}).trade(i); hot.Trade.Account.ID != firstCustomer || hot.Key != c.Key {
			t.Fatalf("trade %d of the hot account is %s on %d", i, hot.Key, hot.Trade.Account.ID)
		}
	}
	if len(keys) != n || len(accounts) != customers {
		t.Errorf("%d keys, %d accounts", len(keys), len(accounts))
	}
	for id, count := range accounts {
		if count > 3*n/customers {
			t.Errorf("account %d has %d of %d trades", id, count, n)
		}
	}
}

func TestConfigReportsAllFaults(t *testing.T) {
	t.Parallel()
	err := Config{Entries: 1, Rounds: -1, OpenLoop: time.Microsecond, Overload: -1}.Validate()
	if err == nil {
		t.Fatal("no fault was found")
	}
	for _, field := range []string{"entries", "rounds", "open loop", "overload", "child"} {
		if !strings.Contains(err.Error(), field+": ") {
			t.Errorf("%s is not in: %v", field, err)
		}
	}
	if err := (Config{}).WithDefaults().Validate(); err != nil {
		t.Error("the defaults: ", err)
	}
	if err := Quick().WithDefaults().Validate(); err != nil {
		t.Error("the quick ones: ", err)
	}
}

func TestChildWithoutJob(t *testing.T) {
	t.Parallel()
	for _, in := range []string{"", "{}", "{}\n", "nonsense\n"} {
		if err := Child(t.Context(), strings.NewReader(in), io.Discard); err == nil {
			t.Errorf("%q was taken for a job", in)
		}
	}
}

func TestOnlyDurableServers(t *testing.T) {
	t.Parallel()
	if _, err := openCluster(t.Context(), Config{Postgres: pgtest.New(t)}.WithDefaults()); err == nil || !strings.Contains(err.Error(), "fsync") {
		t.Errorf("a server without fsync was accepted: %v", err)
	}
}
