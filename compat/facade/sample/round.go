package sample

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/bkledger/bk/compat/facade/mode"
)

// result is how a comparison ended.
type result string

const (
	nextRound result = ""

	equal           result = "equal"
	lagged          result = "lagged" // equal once the secondary had followed
	noise           result = "noise"  // the primary differs from itself
	explained       result = "explained"
	different       result = "different"
	behind          result = "behind" // different, but the secondary is known to be behind
	timedOut        result = "timed_out"
	secondaryFailed result = "secondary_failed" // no answer that can be compared
	primaryFailed   result = "primary_failed"   // likewise, when it was asked again
	stale           result = "stale"            // the mode has changed meanwhile
)

func results() []result {
	return []result{equal, lagged, noise, explained, different, behind, timedOut, secondaryFailed, primaryFailed, stale}
}

func (s *Sampler) handler(system mode.System) http.Handler {
	if system == mode.BK {
		return s.cfg.BK
	}
	return s.cfg.Bank
}

func (s *Sampler) isStale(it *item) bool {
	return s.cfg.State != nil && s.cfg.State().Epoch.Epoch != it.state.Epoch.Epoch
}

// round asks both once; the primary need not be asked for the client's own answer. nextRound says that it isn't decided: with it.rounds = 0 the next page is to be
// looked at, else the same again, later.
func (s *Sampler) round(ctx context.Context, it *item) (result, []difference) {
	if s.isStale(it) {
		return stale, nil
	}
	before := it.primary
	if before == nil || it.rounds > 0 {
		asked := time.Now()
		now, err := s.ask(ctx, s.handler(it.state.Mode.Primary()), &it.call, it.tokens[0], s.metrics.tookPrimary)
		if err != nil {
			return primaryFailed, nil
		}
		if before == nil || len(compare(it.on, before, now)) > 0 {
			it.stable = asked
		}
		it.primary = now
	} else {
		if before.status >= 500 {
			return primaryFailed, nil
		}
		it.primary = newAnswer(before.status, before.body)
		before = nil
	}
	secondary, err := s.ask(ctx, s.handler(it.state.Mode.Secondary()), &it.call, it.tokens[1], s.metrics.tookSecondary)
	if err != nil {
		return s.failed(it, err), nil
	}
	same := it.primary
	found := compare(it.on, it.primary, secondary)
	if len(found) > 0 && before != nil && len(compare(it.on, before, secondary)) == 0 {
		// It has come to where the primary was a moment ago.
		same, found = before, nil
	}
	if len(found) == 0 {
		return s.agreed(it, same, secondary), nil
	}
	return s.judge(it, found)
}

// judge decides on differences.
func (s *Sampler) judge(it *item, found []difference) (result, []difference) {
	now := time.Now()
	if s.allExplained(it, found, now) {
		return explained, found
	}
	if it.rounds == 0 {
		it.lasting = found
	} else {
		it.lasting = common(it.lasting, found)
	}
	it.rounds++
	switch {
	case it.rounds > 1 && now.Sub(it.stable) >= s.cfg.Settle:
	case it.rounds < patience || now.Sub(it.begun) < patience*s.cfg.Settle:
		return nextRound, nil
	case len(it.lasting) == 0:
		return noise, nil
	default: // the primary moves, but not where they differ
		found = it.lasting
	}
	if s.isStale(it) {
		return stale, nil
	}
	if s.cfg.Behind() > s.cfg.Settle {
		return behind, nil
	}
	return different, found
}

// agreed goes on to the next page, if there is one and it is to be looked at.
func (s *Sampler) agreed(it *item, primary, secondary *answer) result {
	it.lagged = it.lagged || it.rounds > 0
	if it.page < s.cfg.Pages && primary.next != "" {
		now := time.Now()
		it.page++
		it.tokens = [2]string{primary.next, secondary.next}
		it.primary, it.lasting, it.rounds, it.begun, it.stable = nil, nil, 0, now, now
		s.metrics.followed()
		return nextRound
	}
	if it.lagged {
		return lagged
	}
	return equal
}

func (s *Sampler) failed(it *item, err error) result {
	now := time.Now().UnixNano()
	if last := s.warned.Load(); now-last >= int64(warnEvery) && s.warned.CompareAndSwap(last, now) {
		s.cfg.Log.Warn("the secondary did not answer a sampled read", "system", it.state.Mode.Secondary(), "request", it.line(), "error", err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return timedOut
	}
	return secondaryFailed
}

// common gives the differences of a that are in b.
func common(a, b []difference) []difference {
	known := map[identity]bool{}
	for _, d := range b {
		known[d.identity()] = true
	}
	return slices.DeleteFunc(a, func(d difference) bool { return !known[d.identity()] })
}

func (s *Sampler) allExplained(it *item, found []difference, now time.Time) bool {
	rules := s.rules.Load()
	for _, d := range found {
		if rule, _ := rules.explain(it.on, d, now); rule == "" {
			return false
		}
	}
	return true
}

// line is the request as it is kept: without headers.
func (it *item) line() string {
	return cut(http.MethodGet + " " + it.call.at(it.tokens[0]))
}

// finish counts, and keeps what differs.
func (s *Sampler) finish(ctx context.Context, it *item, how result, found []difference) {
	s.metrics.ended(it.on, how)
	if len(found) == 0 {
		return
	}
	now := time.Now()
	rules := s.rules.Load()
	var rows []Divergence
	for _, d := range found {
		rule, expired := rules.explain(it.on, d, now)
		s.metrics.found(it.on, d.kind, rule, expired)
		row := Divergence{
			Replica: s.cfg.Replica, Epoch: it.state.Epoch.Epoch, Mode: it.state.Mode, Route: it.on.path, Request: it.line(), Kind: d.kind, Path: cut(d.at.String()),
			Primary: d.primary, Secondary: d.secondary, ExplainedBy: rule, ExpiredRule: expired, Rounds: max(it.rounds, 1), WaitedMS: now.Sub(it.begun).Milliseconds(),
		}
		if s.store.room(row, now) {
			rows = append(rows, row)
		}
	}
	s.metrics.notKept(len(found) - len(rows))
	if len(rows) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := s.store.insert(ctx, rows); err != nil {
		s.metrics.notKept(len(rows))
		s.cfg.Log.Warn("divergences can't be kept", "rows", len(rows), "error", err)
	}
}
