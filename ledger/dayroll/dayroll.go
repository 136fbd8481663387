package dayroll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// Due is who knows what is due: trade ids ascending, those behind after, limit at most, once everything up to the sequence number
// atLeast is folded in.
type Due interface {
	DueToOpen(ctx context.Context, day ledger.Date, after ledger.ID, limit int, atLeast uint64) ([]ledger.ID, error)
	DueToSettle(ctx context.Context, day ledger.Date, after ledger.ID, limit int, atLeast uint64) ([]ledger.ID, error)
}

// Cuts is who knows the cut of the business date: how many rows, and their hash.
type Cuts interface {
	Cut(ctx context.Context, day ledger.Date, atLeast uint64) (rows int64, hash [32]byte, err error)
}

// Config is what a [Roller] needs.
type Config struct {
	Journal *journal.Journal
	Due     Due
	Cuts    Cuts
	Log     *slog.Logger          // nil is silent
	Metrics prometheus.Registerer // nil is none
}

const (
	minPause = 100 * time.Millisecond // before an unfinished roll is tried again
	maxPause = 5 * time.Second
)

// Roller rolls the business date, in the process that leads.
type Roller struct {
	cfg  Config
	term atomic.Pointer[term]
	date prometheus.Gauge

	mu      sync.Mutex
	now     Progress
	ended   []*ledger.Entry // of the roll that is under way, or was last
	rolls   int             // which one that is
	changed chan struct{}   // closed when any of it changes
}

// term is the time in which this process leads.
type term struct {
	requests chan request
	over     chan struct{}
}

type request struct {
	to     ledger.Date
	street bool
	done   chan error
}

// Progress says what a roll is doing.
type Progress struct {
	Date, To ledger.Date
	Doing    string // "open", "settle" or "cut"
	Done     int64  // trades so far, of this day and step
	// End is the entry that ended a day; then the rest says nothing.
	End *ledger.Entry
}

// New makes a roller. Run must run while the journal leads.
func New(cfg Config) *Roller {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	r := &Roller{cfg: cfg, changed: make(chan struct{}), date: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "bk_business_date", Help: "The business date as YYYYMMDD, 0 before the first roll; on the leader.",
	})}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(r.date)
	}
	return r
}

// Run finishes the roll that an earlier term left, and then rolls as it is asked to, until ctx ends.
func (r *Roller) Run(ctx context.Context) {
	t := &term{requests: make(chan request), over: make(chan struct{})}
	r.term.Store(t)
	defer close(t.over)
	defer r.term.Store(nil)
	if hold := r.cfg.Journal.Unfinished(); hold != nil {
		defer hold.Release()
		r.begin()
		if r.finish(ctx, hold, true) != nil {
			return
		}
		hold.Release()
		r.cfg.Log.Info("the unfinished roll is finished; bookings go on")
	} else if day, err := r.cfg.Journal.BusinessDay(ctx); err == nil {
		r.date.Set(float64(day.Date))
	}
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-t.requests:
			q.done <- r.roll(ctx, q)
		}
	}
}

// Roll takes the business date to a day, or waits until another's roll has done so, and tells how it goes. An error before the first day has
// begun means that nothing happened; afterwards the roll goes on, whether or not the caller waits. A day before the business
// date is a rejection.
func (r *Roller) Roll(ctx context.Context, to ledger.Date, street bool, tell func(Progress)) error {
	if !to.Valid() {
		return ledger.Reject(ledger.ReasonInvalid, "to", "%d is no day between %d and %d", to, ledger.MinDate, ledger.MaxDate)
	}
	day, err := r.cfg.Journal.BusinessDay(ctx)
	if err != nil {
		return err
	}
	if to < day.Date {
		return ledger.Reject(ledger.ReasonDayPassed, "to", "the business date is %s already", day.Date)
	}
	done, seen := make(chan error, 1), r.watch()
	go func() { done <- r.request(ctx, request{to: to, street: street, done: make(chan error, 1)}) }()
	for {
		var changed <-chan struct{}
		seen, changed = r.tell(seen, tell)
		select {
		case err := <-done:
			r.tell(seen, tell)
			return err
		case <-changed:
		}
	}
}

func (r *Roller) request(ctx context.Context, q request) error {
	t := r.term.Load()
	if t == nil {
		return journal.ErrNotLeader
	}
	over := fmt.Errorf("%w: the roll is finished by the next leader if a day had begun", journal.ErrNotLeader)
	select {
	case t.requests <- q:
	case <-t.over:
		return over
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-q.done:
		return err
	case <-t.over:
		return over
	case <-ctx.Done():
		return ctx.Err()
	}
}

// roll does what a request asks for.
func (r *Roller) roll(ctx context.Context, q request) error {
	day, err := r.cfg.Journal.BusinessDay(ctx)
	if err != nil {
		return err
	}
	if q.to <= day.Date { // it is not before the date when it was asked for: another's roll has come there meanwhile
		return nil
	}
	// Bookings go on while the projections catch up; then only the rest is waited for under the hold.
	if _, err := r.cfg.Due.DueToOpen(ctx, day.Date, 0, 1, r.cfg.Journal.Head().Seq); err != nil {
		return fmt.Errorf("before the roll: %w", err)
	}
	hold, err := r.cfg.Journal.Hold(ctx)
	if err != nil {
		return err
	}
	defer hold.Release()
	first := q.to
	if day.Date != 0 {
		first = day.Date.Next()
	}
	r.begin()
	r.cfg.Log.Info("rolling the business date; bookings wait", "from", day.Date.String(), "to", q.to.String(), "street", q.street)
	began := time.Now()
	if err := r.book(ctx, hold, &ledger.Command{Kind: ledger.KindDayBegin, Day: &ledger.Day{Date: first, To: q.to, Street: q.street}}); err != nil {
		return fmt.Errorf("begin %s: %w", first, err)
	}
	if err := r.finish(ctx, hold, false); err != nil {
		return err
	}
	r.cfg.Log.Info("rolled the business date", "to", q.to.String(), "took", time.Since(began).Round(time.Millisecond))
	return nil
}

// finish takes the roll that is under way to its last day, however often that must be tried, until ctx ends. resumed: an earlier term has done a part of it.
func (r *Roller) finish(ctx context.Context, hold *journal.Hold, resumed bool) error {
	pause := minPause
	for {
		err := r.days(ctx, hold, resumed)
		if err == nil || ctx.Err() != nil || errors.Is(err, journal.ErrNotLeader) {
			return errors.Join(err, ctx.Err()) // the next term goes on
		}
		r.cfg.Log.Error("the roll can't go on, and bookings wait for it; trying again", "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause, resumed = min(2*pause, maxPause), true
	}
}

// begin clears the progress for another roll.
func (r *Roller) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now, r.ended, r.rolls = Progress{}, nil, r.rolls+1
	r.notify()
}

func (r *Roller) progress(p Progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = p
	r.notify()
}

func (r *Roller) dayEnded(e *ledger.Entry) {
	r.date.Set(float64(e.Day.Date))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = Progress{}
	r.ended = append(r.ended, e)
	r.notify()
}

func (r *Roller) notify() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// seen is how much of the progress a caller was told.
type seen struct {
	roll, ended int
	now         Progress
}

func (r *Roller) watch() seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	return seen{roll: r.rolls, ended: len(r.ended)}
}

// tell tells what is new, and gives a channel that is closed when there is more.
func (r *Roller) tell(s seen, tell func(Progress)) (seen, <-chan struct{}) {
	r.mu.Lock()
	if s.roll != r.rolls {
		s = seen{roll: r.rolls}
	}
	ended, now, changed := r.ended[s.ended:], r.now, r.changed
	r.mu.Unlock()
	for _, e := range ended {
		tell(Progress{Date: e.Day.Date, To: e.Day.To, End: e})
	}
	s.ended += len(ended)
	if now != s.now && now.Date != 0 {
		tell(now)
	}
	s.now = now
	return s, changed
}
