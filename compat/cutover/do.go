package cutover

import (
	"context"
	"fmt"
	"time"

	"github.com/bkledger/bk/compat/cutover/gate"
)

// do does a step, within its time-out. A dry run only pretends what has effects.
func (r *runner) do(s *Step, pretend bool) (*Output, error) {
	asks, over := context.WithTimeoutCause(r.stop, s.timeout(), fmt.Errorf("its time-out of %s is over", s.timeout())) // waits and approvals, which can be cancelled
	defer over()
	works, over := context.WithTimeoutCause(context.WithoutCancel(r.stop), s.timeout(), fmt.Errorf("its time-out of %s is over", s.timeout()))
	defer over()
	switch s.Kind() {
	case KindCommand:
		if pretend {
			return &Output{Would: "run " + s.Command.line()}, nil
		}
		return r.command(works, s)
	case KindSQL:
		if pretend {
			return &Output{Would: fmt.Sprintf("run at database %s: %s", s.SQL.Database, s.SQL.Statement)}, nil
		}
		return r.sql(works, s)
	case KindMode:
		if pretend {
			return r.pretendMode(asks, s)
		}
		return r.switchMode(works, s)
	case KindWait:
		return nil, r.wait(asks, s)
	case KindApprove:
		return nil, r.ask(asks, s, askRecord{Ask: s.Approve.Ask, Word: s.Approve.Word}, s.Approve.Another)
	case KindPointOfNoReturn:
		return nil, r.ask(asks, s, askRecord{Ask: s.PointOfNoReturn.Ask, Word: s.PointOfNoReturn.Name, NoBack: true}, s.PointOfNoReturn.Another)
	}
	return nil, fmt.Errorf("step %s is of no kind", s.Name)
}

func (r *runner) sql(ctx context.Context, s *Step) (*Output, error) {
	a, err := r.book.Targets.Query(ctx, s.SQL.Database, s.SQL.Statement, !s.HasEffects())
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		return nil, err
	}
	out := &Output{Answer: &a}
	if s.SQL.Expect != nil {
		if why := gate.Unexpected(a, s.SQL.Expect); why != "" {
			return out, fmt.Errorf("%s", why)
		}
	}
	return out, nil
}

// wait waits for gates, one after the other, or for a time.
func (r *runner) wait(ctx context.Context, s *Step) error {
	if s.Wait.For > 0 {
		select {
		case <-ctx.Done():
			return r.ended(ctx, s, "")
		case <-time.After(s.Wait.For):
			return nil
		}
	}
	every := s.Wait.Every
	if every == 0 {
		every = defaultEvery
	}
	for i := range s.Wait.Until {
		g := s.Wait.Until[i]
		decides := !(r.cfg.Dry && g.After != "")
		if !decides {
			g.Within = 0
		}
		told := ""
		for {
			reading := g.Measure(ctx, &r.book.Targets)
			if reading.Holds || !decides || ctx.Err() != nil {
				if err := r.write(recGate, s.Name, gateRecord{reading, decides}); err != nil {
					return err
				}
				if reading.Holds {
					r.tell("%s: %s holds", s.Name, reading.Gate)
				} else if ctx.Err() != nil {
					return r.ended(ctx, s, reading.Gate+": "+reading.Why)
				} else {
					r.tell("%s: %s would have to hold behind step %s; now: %s", s.Name, reading.Gate, g.After, reading.Why)
				}
				break
			}
			if reading.Why != told {
				told = reading.Why
				r.tell("%s: waiting for %s: %s", s.Name, reading.Gate, told)
			}
			select {
			case <-ctx.Done():
				if err := r.write(recGate, s.Name, gateRecord{reading, decides}); err != nil {
					return err
				}
				return r.ended(ctx, s, reading.Gate+": "+reading.Why)
			case <-time.After(every):
			}
		}
	}
	return nil
}

// ended says why a wait or an approval came to no good end.
func (r *runner) ended(ctx context.Context, s *Step, last string) error {
	if err := r.cancelled(s); err != nil {
		return err
	}
	if last != "" {
		return fmt.Errorf("%w; at last, %s", context.Cause(ctx), last)
	}
	return context.Cause(ctx)
}
