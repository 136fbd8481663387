package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
)

// Measure is one way to see how Bank is doing. Read gives how long something takes; above Limit it is too long.
type Measure struct {
	Name  string
	Limit time.Duration
	Read  func(ctx context.Context) (time.Duration, error)
}

// Throttle slows readers down while Bank suffers: each pauses before its next piece of work, twice as long at each look that finds a measure above its limit, half as long at each that
// doesn't. What can't be measured counts as too slow.
type Throttle struct {
	measures []Measure
	every    time.Duration
	log      *slog.Logger

	mu      sync.Mutex
	pause   time.Duration
	why     string
	changed chan struct{} // closed, and made anew, at each look
}

const (
	firstPause   = 50 * time.Millisecond
	longestPause = 30 * time.Second
)

// NewThrottle makes one that looks as often as every (1 s for 0). Without measures it never slows anybody down.
func NewThrottle(every time.Duration, log *slog.Logger, measures ...Measure) *Throttle {
	if every == 0 {
		every = time.Second
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Throttle{measures: measures, every: every, log: log, changed: make(chan struct{})}
}

// Run looks until ctx ends.
func (t *Throttle) Run(ctx context.Context) {
	if len(t.measures) == 0 {
		return
	}
	for {
		t.look(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(t.every):
		}
	}
}

func (t *Throttle) look(ctx context.Context) {
	var why string
	for _, m := range t.measures {
		took, err := m.Read(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			why = fmt.Sprintf("%s can't be measured: %v", m.Name, err)
		case took > m.Limit:
			why = fmt.Sprintf("%s is %s, above %s", m.Name, took.Round(time.Millisecond), m.Limit)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case why != "":
		t.pause = min(max(2*t.pause, firstPause), longestPause)
	case t.pause <= firstPause:
		t.pause = 0
	default:
		t.pause /= 2
	}
	if (why == "") != (t.why == "") {
		t.log.Info("reading Bank: throttle", "pause", t.pause, "why", why)
	}
	t.why = why
	close(t.changed)
	t.changed = make(chan struct{})
}

// State tells how long readers pause now, and why.
func (t *Throttle) State() (pause time.Duration, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pause, t.why
}

// Wait is called before each piece of work. It pauses for as long as is due; one that is lowered meanwhile counts.
func (t *Throttle) Wait(ctx context.Context) error {
	began := time.Now()
	for {
		t.mu.Lock()
		left, changed := t.pause-time.Since(began), t.changed
		t.mu.Unlock()
		if left <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(left)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// DatabaseLatency measures a trivial query's round trip, over a connection of its own.
func DatabaseLatency(dsn string, limit time.Duration) Measure {
	c := &prober{dsn: dsn}
	return Measure{"the latency of Bank's database", limit, func(ctx context.Context) (time.Duration, error) {
		var one int
		if err := c.ask(ctx, `SELECT 1`, &one); err != nil {
			return 0, err
		}
		began := time.Now()
		err := c.ask(ctx, `SELECT 1`, &one)
		return time.Since(began), err
	}}
}

// APILatency measures how long Bank takes to say its business date.
func APILatency(api *bank.Client, limit time.Duration) Measure {
	return Measure{"the latency of Bank's API", limit, func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		_, err := api.BusinessDate(ctx)
		return time.Since(began), err
	}}
}

// ReplicationLag measures how far the slowest replica is behind: Aurora's own function where there is one, else pg_stat_replication. Without replicas it is 0.
func ReplicationLag(dsn string, limit time.Duration) Measure {
	c := &prober{dsn: dsn}
	return Measure{"the lag of Bank's replicas", limit, func(ctx context.Context) (time.Duration, error) {
		var aurora bool
		if err := c.ask(ctx, `SELECT to_regproc('pg_catalog.aurora_replica_status') IS NOT NULL`, &aurora); err != nil {
			return 0, err
		}
		query := `SELECT coalesce(extract(epoch FROM max(replay_lag)) * 1000, 0)::float8 FROM pg_stat_replication`
		if aurora {
			query = `SELECT coalesce(max(replica_lag_in_msec), 0)::float8 FROM aurora_replica_status()`
		}
		var ms float64
		err := c.ask(ctx, query, &ms)
		return time.Duration(ms * float64(time.Millisecond)), err
	}}
}

// prober asks over a connection that it keeps.
type prober struct {
	dsn  string
	mu   sync.Mutex
	conn *pgx.Conn
}

func (p *prober) ask(ctx context.Context, query string, to any) error {
	const patience = 10 * time.Second
	p.mu.Lock()
	defer p.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if p.conn == nil || p.conn.IsClosed() {
		cfg, err := pgx.ParseConfig(p.dsn)
		if err != nil {
			return errors.New("the DSN can't be read")
		}
		sessionOf(cfg)
		if p.conn, err = pgx.ConnectConfig(ctx, cfg); err != nil {
			return err
		}
	}
	return p.conn.QueryRow(ctx, query).Scan(to)
}
