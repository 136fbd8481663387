package facade

import (
	"context"
	"fmt"
	"time"
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

// near waits until a backlog is short, or the context's deadline. While it doesn't become short fast enough, writes are braked, more and more: the primary may take
// more than the secondary can repeat, and then it never would.
func (s *Service) near(ctx context.Context, what string, look func(context.Context) (left, error)) error {
	until, _ := ctx.Deadline()
	var delay time.Duration
	var before left
	var measured time.Time
	for {
		now, err := look(ctx)
		if err == nil && now.near() {
			return nil
		}
		if at := time.Now(); err == nil && at.Sub(measured) >= brakeEvery {
			if !measured.IsZero() && now.blocked == 0 {
				shrinks := float64(before.rows-now.rows) / at.Sub(measured).Seconds()
				if needed := float64(now.rows) / max(until.Sub(at).Seconds()/2, 1); shrinks < needed {
					delay = min(delay+brakeStep, brakeMost)
				}
			}
			if delay > 0 {
				if err := s.keeper.Brake(ctx, delay); err != nil {
					return fmt.Errorf("%s has %d rows left: %w", what, now.rows, err)
				}
			}
			before, measured = now, at
		}
		select {
		case <-ctx.Done():
			if err != nil {
				return fmt.Errorf("look how much %s has left: %w", what, err)
			}
			return fmt.Errorf("%s has %d rows left, the oldest of %s, %d of them blocked", what, now.rows, now.age.Round(time.Millisecond), now.blocked)
		case <-time.After(nearPoll):
		}
	}
}
