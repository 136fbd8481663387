package demo

import (
	"slices"
	"sync"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/demo/page"
	"github.com/bkledger/bk/compat/facade/mode"
)

const (
	sampled    = 500 * time.Millisecond // a point of the plot
	keptPoints = 1200                   // ten minutes
	keptWords  = 20                     // errors that are told in words
)

// figures are all that is counted, for the terminal, the page and the summary. Safe for concurrent use.
type figures struct {
	began time.Time

	mu       sync.Mutex
	state    page.State
	sample   []time.Duration // calls since the last point
	sampleAt time.Time
	errors   int64 // since the last point
	words    []string
	all      histogram
	running  time.Time
}

func newFigures(stages []string) *figures {
	f := &figures{began: time.Now(), sampleAt: time.Now(), state: page.State{
		Phase: page.Running, Writes: true, Bank: page.Off, BK: page.Off, Reasons: []string{}, Marks: []page.Mark{}, Points: []page.Point{},
	}}
	for _, name := range stages {
		f.state.Stages = append(f.state.Stages, page.Stage{Name: name, State: page.Waiting})
	}
	return f
}

func (f *figures) seconds(at time.Time) float64 {
	return float64(at.Sub(f.began).Round(time.Millisecond)) / float64(time.Second)
}

// set changes what the page shows.
func (f *figures) set(change func(*page.State)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.state)
}

// called counts a client's call.
func (f *figures) called(took time.Duration, refused bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Requests++
	if refused {
		f.state.Refused++
	}
	f.sample = append(f.sample, took)
	f.all.add(took)
}

// latency gives what half of all calls took at most, and 99 in a hundred.
func (f *figures) latency() (p50, p99 time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all.quantile(0.5), f.all.quantile(0.99)
}

// surprised counts an answer that Bank alone would not have given; it is told in words if it is one of the first.
func (f *figures) surprised(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.state.Errors++
	f.errors++
	if len(f.words) < keptWords {
		f.words = append(f.words, text)
	}
}

// booked counts new trades.
func (f *figures) booked(n int) {
	f.set(func(s *page.State) { s.Trades += int64(n) })
}

func (f *figures) counts() (requests, errors int64, words []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.Requests, f.state.Errors, slices.Clone(f.words)
}

// point closes a part of a second of the plot.
func (f *figures) point(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	slices.Sort(f.sample)
	p := page.Point{At: f.seconds(now), Errors: f.errors}
	if n := len(f.sample); n > 0 {
		p.Rate = float64(n) / now.Sub(f.sampleAt).Seconds()
		p.P50, p.P99 = milliseconds(f.sample[n/2]), milliseconds(f.sample[min(n-1, n*99/100)])
	}
	f.sample, f.sampleAt, f.errors = f.sample[:0], now, 0
	f.state.Rate, f.state.P50, f.state.P99 = p.Rate, p.P50, p.P99
	if f.state.Requests == 0 {
		return // the clients are not there yet
	}
	if len(f.state.Points) >= keptPoints {
		f.state.Points = slices.Delete(f.state.Points, 0, len(f.state.Points)-keptPoints+1)
	}
	f.state.Points = append(f.state.Points, p)
}

func milliseconds(d time.Duration) float64 {
	return float64(d.Round(time.Microsecond)) / float64(time.Millisecond)
}

// now gives what the page shows.
func (f *figures) now() page.State {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.state
	s.Seconds = f.seconds(time.Now())
	s.Stages, s.Marks, s.Points, s.Reasons = slices.Clone(s.Stages), slices.Clone(s.Marks), slices.Clone(s.Points), slices.Clone(s.Reasons)
	for i := range s.Stages {
		if s.Stages[i].State == page.Running {
			s.Stages[i].Seconds = s.Seconds - f.seconds(f.running)
		}
	}
	return s
}

// enter says that a stage has begun.
func (f *figures) enter(i int) {
	f.set(func(s *page.State) {
		f.running = time.Now()
		s.Stages[i].State = page.Running
	})
}

// leave says that it is over, and gives what is told of it.
func (f *figures) leave(i int, err error) page.Stage {
	f.mu.Lock()
	defer f.mu.Unlock()
	st := &f.state.Stages[i]
	st.State, st.Seconds = page.Done, float64(time.Since(f.running).Round(time.Millisecond))/float64(time.Second)
	if err != nil {
		st.State = page.Failed
	}
	return *st
}

// switching says that a change of the mode has begun; switched, that it is over: writes were held for so long.
func (f *figures) switching(to mode.Mode) {
	f.set(func(s *page.State) { s.Switching = string(to) })
}

func (f *figures) switched(to mode.Mode, made bool, held time.Duration) {
	f.set(func(s *page.State) {
		s.Switching, s.Writes = "", true
		if !made {
			return
		}
		s.Mode = string(to)
		s.Switches++
		hold(s, held)
		s.Marks = append(s.Marks, page.Mark{At: f.seconds(time.Now()), Label: string(to)})
	})
}

// held notes that writes were held in the stage that is under way.
func (f *figures) held(d time.Duration) { f.set(func(s *page.State) { hold(s, d) }) }

func hold(s *page.State, d time.Duration) {
	s.HeldMS = max(s.HeldMS, milliseconds(d))
	for i := range s.Stages {
		if s.Stages[i].State == page.Running {
			s.Stages[i].HeldMS += milliseconds(d)
		}
	}
}

// rolled says what the business date is.
func (f *figures) rolled(to bank.Date) {
	f.set(func(s *page.State) { s.Day = to.String() })
}

// compared counts pairs, and those that differ.
func (f *figures) compared(pairs, differ int64) {
	f.set(func(s *page.State) {
		s.Compared += pairs
		s.Differences += differ
	})
}
