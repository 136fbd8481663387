package facade

import (
	"context"
	"fmt"
	"time"

	"github.com/bkledger/bk/compat/facade/idle"
)

const (
	// A backlog is short enough to be worked off while writes are held if it has at most nearRows rows, or none is older than nearAge.
	nearRows  = 20
	nearAge   = 200 * time.Millisecond
	nearPoll  = 50 * time.Millisecond
	nearCount = 100_000 // rows are counted up to this

	brakeEvery = 250 * time.Millisecond
	brakeStep  = 10 * time.Millisecond
	brakeMost  = 500 * time.Millisecond
	brakeGoal  = 15 * time.Second
)

// left is what a backlog has left.
type left struct {
	rows, blocked int
	age           time.Duration
}

func (l left) near() bool { return (l.rows <= nearRows || l.age <= nearAge) && l.blocked == 0 }

func (s *Service) queueLeft(ctx context.Context) (left, error) {
	st, err := s.queue.Rows().Stats(ctx, nearCount)
	return left{st.Waiting, st.Blocked, st.Age}, err
}

func (s *Service) feedLeft(ctx context.Context) (left, error) {
	st, err := s.feed.Look(ctx)
	if st.Head-st.Place > nearRows { // the age is that of rows, and these are none yet
		st.Age = max(st.Age, 2*nearAge)
	}
	return left{int(st.Lag), st.Blocked, st.Age}, err
}

// near waits until a backlog is short, or the context's deadline. While it doesn't shrink fast enough to be short in a quarter of that time, or brakeGoal, writes are braked, more and
// more: the primary may take more than the secondary can repeat, and then it never would.
func (s *Service) near(ctx context.Context, what string, look func(context.Context) (left, error)) error {
	end, _ := ctx.Deadline()
	goal := time.Now().Add(min(time.Until(end)/4, brakeGoal))
	var delay time.Duration
	var before left // as last known: the last look may have been cut off by the end of the time
	var measured time.Time
	for {
		now, err := look(ctx)
		if err == nil && now.near() {
			return nil
		}
		if at := time.Now(); err == nil && at.Sub(measured) >= brakeEvery {
			if !measured.IsZero() && now.blocked == 0 {
				shrinks := float64(before.rows-now.rows) / at.Sub(measured).Seconds()
				if needed := float64(now.rows) / max(goal.Sub(at).Seconds(), 1); shrinks < needed {
					delay = min(delay+delay/4+brakeStep, brakeMost)
				}
			}
			if delay > 0 {
				if err := s.keeper.Brake(ctx, delay); err != nil {
					return fmt.Errorf("%s has %d rows left: %w", what, now.rows, err)
				}
			}
			before, measured = now, at
		}
		if !idle.For(ctx, nearPoll) {
			if measured.IsZero() {
				return fmt.Errorf("look how much %s has left: %w", what, err)
			}
			return fmt.Errorf("%s has %d rows left, the oldest of %s, %d of them blocked; writes were slowed down by %s each", what, before.rows, before.age.Round(time.Millisecond), before.blocked,
				delay.Round(time.Millisecond))
		}
	}
}
