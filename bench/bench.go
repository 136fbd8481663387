package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/bkledger/bk/ledger/journal"
)

// bench is one run of the benchmark.
type bench struct {
	cfg     Config
	cluster *cluster
	rows    *rows

	step, steps int // how far the run is
}

// doing tells the next step.
func (b *bench) doing(format string, args ...any) {
	b.cfg.Progress(b.step, b.steps, fmt.Sprintf(format, args...))
	b.step++
}

// side is one way to append, in one configuration.
type side struct {
	Way    string
	Config string
	group  int // entries that are given to the engine together; 0 without an engine
	// run appends to the fresh database dsn.
	run func(ctx context.Context, dsn string) (tally, error)

	trials []tally // of the trials, one a round
	finals []tally // of the finals; none where the side is not in them
}

// contenders are the ways whose ratios BK promises. Each one's best configuration of the trials runs in the finals, where nothing
// comes in between: the sides of a ratio are seconds apart, and the choice of the best doesn't flatter it.
var contenders = []string{wayRaw, wayEngine, wayBatch100, wayStream, wayInsert64}

// finalRounds is how many rounds the finals have for each of the trials.
const finalRounds = 2

// The ways to append.
const (
	wayRaw       = "raw COPY"
	wayEngine    = "engine"
	wayHot       = "engine, hot account"
	wayUnary     = "Connect, single calls"
	wayBatch100  = "Connect, batches of 100"
	wayBatch1000 = "Connect, batches of 1000"
	wayStream    = "Connect, stream of singles"
	wayFollowed  = "Connect, batches of 100, projections follow"
	wayInsert64  = "INSERT a transaction, 64 connections"
	wayInsert1   = "INSERT a transaction, 1 connection"
)

// sides lists all that is compared. Slow ways get fewer entries, so that they take no longer than the fast ones need; their
// smaller tables are an advantage for them.
func (b *bench) sides() []*side {
	n := b.cfg.Entries
	var all []*side
	add := func(way, config string, group int, run func(context.Context, string) (tally, error)) {
		all = append(all, &side{Way: way, Config: config, group: group, run: run})
	}
	for _, size := range []int{1000, 8000, 32_000} {
		for sessions := 1; sessions <= 2; sessions++ {
			add(wayRaw, fmt.Sprintf("%d a batch, %s", size, plural(sessions, "connection")), 0, b.rawCopy(n, size, sessions))
		}
	}
	groups := []struct{ size, callers, entries int }{{1, 1024, n / 2}, {100, 64, n}, {1000, 16, n}}
	for sessions := 1; sessions <= 2; sessions++ {
		for _, g := range groups {
			cfg := journal.Config{Connections: sessions}
			add(wayEngine, fmt.Sprintf("groups of %d, %d callers, %s", g.size, g.callers, plural(sessions, "connection")), g.size,
				b.engine(cfg, workload{}, g.entries, g.size, g.callers))
		}
	}
	for _, g := range groups[1:] {
		add(wayHot, fmt.Sprintf("groups of %d, %d callers, 1 connection", g.size, g.callers), g.size,
			b.engine(journal.Config{}, workload{hot: true}, n, g.size, g.callers))
	}
	add(wayUnary, "256 callers, 4 clients", 1, b.connectUnary(n/8, 256, 4))
	add(wayBatch100, "64 callers, 4 clients", 100, b.connectBatch(n, 100, 64, 4, false))
	add(wayBatch1000, "8 callers, 4 clients", 1000, b.connectBatch(n, 1000, 8, 4, false))
	add(wayStream, "4 streams, 1024 in flight each", 1, b.connectStream(n/2, 4, 1024))
	add(wayFollowed, "64 callers, 4 clients", 100, b.connectBatch(n, 100, 64, 4, true))
	add(wayInsert64, "prepared", 0, b.insert(n/8, 64))
	add(wayInsert1, "prepared", 0, b.insert(n/40, 1))
	return all
}

// Run measures and gives the report. It takes some minutes with the defaults.
func Run(ctx context.Context, cfg Config) (report *Report, err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	b := &bench{cfg: cfg}
	began := time.Now()
	if b.cluster, err = openCluster(ctx, cfg); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer func() {
		if closeErr := b.cluster.close(); closeErr != nil {
			err = errors.Join(err, fmt.Errorf("bench: %w", closeErr))
		}
	}()
	sides := b.sides()
	b.steps = 1 + len(sides)*cfg.Rounds + finalRounds*cfg.Rounds*len(contenders) + len(b.openLoops()) + 1
	if err := b.captureRows(ctx); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	err = b.rounds(ctx, "trial", cfg.Rounds, sides, func(s *side, t tally) { s.trials = append(s.trials, t) })
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	best := bestOf(sides)
	var chosen []*side
	for _, way := range contenders {
		chosen = append(chosen, best[way])
	}
	err = b.rounds(ctx, "final", finalRounds*cfg.Rounds, chosen, func(s *side, t tally) { s.finals = append(s.finals, t) })
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	report = &Report{
		When: began.UTC().Truncate(time.Second), Go: runtime.Version(), CPUs: runtime.NumCPU(), Entries: cfg.Entries, Rounds: cfg.Rounds,
		PayloadBytes: b.rows.payloadBytes(), Postgres: b.cluster.version, Settings: b.cluster.settings, OnDisk: b.cluster.onDisk,
	}
	report.summarise(sides, best)
	if err := b.scheduled(ctx, report); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	report.accept()
	report.TookSeconds = time.Since(began).Seconds()
	return report, nil
}

// captureRows lets the engine book all trades once and reads back what it stored. It is a warm-up, too.
func (b *bench) captureRows(ctx context.Context) (err error) {
	b.doing("booking the rows that all sides store")
	dsn, drop, err := b.cluster.fresh(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, drop()) }()
	e, err := startEngine(ctx, journal.Config{DSN: dsn}, workload{})
	if err != nil {
		return err
	}
	for _, group := range (workload{}).groups(b.cfg.Entries, 1000) {
		if err := failure(e.Book(ctx, group, journal.BookOptions{Wait: true})); err != nil {
			return errors.Join(err, e.close())
		}
	}
	if err := e.close(); err != nil {
		return err
	}
	if b.rows, err = capture(ctx, dsn, e.before); err != nil {
		return err
	}
	if b.rows.measured() != b.cfg.Entries {
		return fmt.Errorf("%d rows were stored for %d trades", b.rows.measured(), b.cfg.Entries)
	}
	return nil
}

// rounds runs the sides in turn, each round in another order: what disturbs the machine for a while disturbs all of them.
func (b *bench) rounds(ctx context.Context, name string, rounds int, sides []*side, keep func(*side, tally)) error {
	random := rand.New(rand.NewPCG(1, 2)) // the same orders every time
	for round := range rounds {
		for _, i := range random.Perm(len(sides)) {
			s := sides[i]
			b.doing("%s %d of %d: %s, %s", name, round+1, rounds, s.Way, s.Config)
			t, err := b.runOnce(ctx, s)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", s.Way, s.Config, err)
			}
			keep(s, t)
		}
	}
	return nil
}

func (b *bench) runOnce(ctx context.Context, s *side) (t tally, err error) {
	if err := ctx.Err(); err != nil {
		return tally{}, err
	}
	dsn, drop, err := b.cluster.fresh(ctx)
	if err != nil {
		return tally{}, err
	}
	defer func() { err = errors.Join(err, drop()) }()
	if t, err = s.run(ctx, dsn); err != nil {
		return tally{}, err
	}
	return t, t.check(ctx, dsn)
}

// bestOf gives the configuration of each way that was the fastest in the trials.
func bestOf(sides []*side) map[string]*side {
	best := map[string]*side{}
	for _, s := range sides {
		if b := best[s.Way]; b == nil || median(rates(s.trials)) > median(rates(b.trials)) {
			best[s.Way] = s
		}
	}
	return best
}

// counted are the runs that figures are made of: the finals, or the trials where there are none.
func (s *side) counted() []tally {
	if s.finals != nil {
		return s.finals
	}
	return s.trials
}

// rates are the entries a second of each run.
func rates(tallies []tally) []float64 {
	out := make([]float64, len(tallies))
	for i, t := range tallies {
		out[i] = float64(t.entries) / t.took.Seconds()
	}
	return out
}

func (s *side) latency() *hdrhistogram.Histogram {
	all := newHistogram()
	for _, t := range s.counted() {
		all.Merge(t.latency)
	}
	return all
}

// median of a copy; 0 of nothing.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	switch {
	case n == 0:
		return 0
	case n%2 == 1:
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// pairedRatio is the median over the rounds of a's rate to b's in the same round: of the finals where both are in them.
func pairedRatio(a, b *side) float64 {
	ratios, base := rates(a.trials), rates(b.trials)
	if a.finals != nil && b.finals != nil {
		ratios, base = rates(a.finals), rates(b.finals)
	}
	for i := range ratios {
		ratios[i] /= base[i]
	}
	return median(ratios)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
