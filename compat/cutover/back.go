package cutover

import (
	"context"
	"errors"
	"fmt"
)

// wayBack runs the back steps of every step that was begun, the last one's first. It can't be cancelled; what it has done already it does not do again.
func (r *runner) wayBack() error {
	r.backing = true
	r.stop = context.WithoutCancel(r.stop)
	r.tell("going back: %s", r.p.back.Reason)
	for i := len(r.book.Steps) - 1; i >= 0; i-- {
		s := &r.book.Steps[i]
		if !r.p.begun[s.Name] {
			continue
		}
		for j := range s.Back {
			b := &s.Back[j]
			if r.p.done(b.Name) {
				continue
			}
			if err := r.step(b); err != nil {
				var log errLog
				if errors.As(err, &log) || errors.Is(err, ErrQuestion) || errors.Is(err, ErrStopped) {
					return err
				}
				return r.halted(b, fmt.Sprintf("step %s of the way back: %v; mend it, and run it again, to go on with the way back", b.Name, err))
			}
		}
	}
	if err := r.end(OutcomeBack, r.p.back.Reason); err != nil {
		return err
	}
	return fmt.Errorf("%w: %s", ErrWentBack, r.red.text(r.p.back.Reason))
}
