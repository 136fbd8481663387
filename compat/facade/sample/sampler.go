package sample

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bkledger/bk/compat/facade/mode"
)

// Sampler compares a share of reads. Its methods may be called at once.
type Sampler struct {
	cfg     Config
	routes  []route
	rules   atomic.Pointer[Rules]
	queue   chan *item
	retry   chan *item   // takes all that are parked
	parked  atomic.Int64 // that wait for the secondary to follow, in retry too; at most QueueSize
	held    atomic.Int64 // bytes of the answers that came with the items
	store   *store
	metrics *metrics
	warned  atomic.Int64 // when a secondary's failure was logged last, in nanoseconds
}

// item is a read that is compared.
type item struct {
	on    *route
	call  call
	state mode.State
	page  int   // from 1
	bytes int64 // that it holds of Sampler.held

	// Of the page:
	tokens        [2]string // primary's and secondary's
	primary       *answer   // the latest; nil before it was asked
	begun, stable time.Time // when it was first asked, since when the primary's answer is the same
	rounds        int
	lasting       []difference // that were in every round
	lagged        bool         // on one of the pages the secondary came to agree later
}

const (
	firstPause = 20 * time.Millisecond
	lastPause  = time.Second
	warnEvery  = 10 * time.Second
	// What moves all the time is given up after this many times Settle, and at least as many rounds.
	patience = 3
)

// New gives a sampler. It takes reads at once and compares them while [Sampler.Run] runs.
func New(cfg Config) (*Sampler, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	s := &Sampler{
		cfg: cfg, routes: newRoutes(), queue: make(chan *item, cfg.QueueSize), retry: make(chan *item, cfg.QueueSize),
		store: newStore(cfg.Pool, cfg.KeepRows, cfg.KeepPerMinute),
	}
	s.SetRules(cfg.Rules)
	var err error
	if s.metrics, err = newMetrics(cfg.Registry, s.routes, func() int { return len(s.queue) }, func() int { return int(s.parked.Load()) }, s.expiredRules); err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	return s, nil
}

// SetRules has other rules explain from now on. Those that have expired are logged.
func (s *Sampler) SetRules(rules *Rules) {
	s.rules.Store(rules)
	now := time.Now()
	for _, r := range rules.All() {
		if !now.Before(r.Expires) {
			s.cfg.Log.Warn("a rule has expired and explains nothing", "rule", r.Name, "owner", r.Owner, "expired", r.Expires)
		}
	}
}

func (s *Sampler) expiredRules() (n int) {
	now := time.Now()
	for _, r := range s.rules.Load().rules {
		if !now.Before(r.Expires) {
			n++
		}
	}
	return n
}

// Rules gives those in force.
func (s *Sampler) Rules() *Rules { return s.rules.Load() }

// Wants says whether a read is to be compared: by chance, as often as state.Sampling says, where the mode has a secondary and the contract has the route. It is
// of the API's listener.
func (s *Sampler) Wants(r *http.Request, state mode.State) bool {
	if state.Sampling <= 0 || rand.Float64() >= state.Sampling || r.Method != http.MethodGet || state.Mode.Secondary() == mode.None {
		return false
	}
	on := find(s.routes, r.URL.EscapedPath())
	if on == nil {
		return false
	}
	for _, name := range [...]string{"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"} {
		if r.Header[name] != nil {
			return false
		}
	}
	if len(s.queue) == cap(s.queue) {
		s.metrics.dropped(on)
		return false
	}
	return true
}

// Compare takes a read, in a mode that has a secondary, and what the primary answered, which must not be changed any more. It never blocks: what there is no room for
// is dropped and counted.
func (s *Sampler) Compare(r *http.Request, state mode.State, status int, header http.Header, body []byte) {
	on := find(s.routes, r.URL.EscapedPath())
	if on == nil || state.Mode.Secondary() == mode.None || status == 0 {
		return
	}
	if len(body) > s.cfg.MaxBody {
		s.metrics.dropped(on)
		return
	}
	it := &item{on: on, call: newCall(r), state: state, page: 1}
	switch coding := header.Get("Content-Encoding"); {
	case it.call.token != "" && status == http.StatusOK, coding != "" && coding != "identity":
		// A page's token means nothing to the other system: the list is compared from its beginning. And we can't read what is compressed.
		// The primary is asked.
	default:
		it.tokens = [2]string{it.call.token, it.call.token}
		it.primary = &answer{status: status, body: body} // read by a worker
		it.bytes = int64(len(body))
	}
	if s.held.Add(it.bytes) <= int64(s.cfg.QueueBytes) {
		select {
		case s.queue <- it:
			s.metrics.sampled(on)
			return
		default:
		}
	}
	s.held.Add(-it.bytes)
	s.metrics.dropped(on)
}

// Run compares until ctx ends. What waits then is forgotten.
func (s *Sampler) Run(ctx context.Context) {
	if err := s.store.prune(ctx); err != nil && ctx.Err() == nil {
		s.cfg.Log.Warn("the divergences can't be pruned", "error", err)
	}
	var workers sync.WaitGroup
	for range s.cfg.Workers {
		workers.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case it := <-s.retry:
					s.parked.Add(-1)
					s.work(ctx, it)
				case it := <-s.queue:
					it.begun = time.Now()
					it.stable = it.begun // how long it waited for a worker says nothing
					s.work(ctx, it)
				}
			}
		})
	}
	workers.Wait()
}

// work goes on with a read: to its end, or until the secondary must be given time.
func (s *Sampler) work(ctx context.Context, it *item) {
	result, found := s.round(ctx, it)
	for result == nextRound && it.rounds == 0 { // the next page
		result, found = s.round(ctx, it)
	}
	if result == nextRound && s.park(it) {
		return
	}
	s.held.Add(-it.bytes)
	if result == nextRound {
		s.metrics.dropped(it.on)
		return
	}
	if ctx.Err() == nil {
		s.finish(ctx, it, result, found)
	}
}

// park puts a read aside. It is not ok where too many are.
func (s *Sampler) park(it *item) bool {
	if s.parked.Add(1) > int64(s.cfg.QueueSize) {
		s.parked.Add(-1)
		return false
	}
	pause := min(firstPause<<min(it.rounds-1, 10), lastPause, max(s.cfg.Settle/4, time.Millisecond))
	time.AfterFunc(pause, func() { s.retry <- it }) // there is room for all that are parked
	return true
}
