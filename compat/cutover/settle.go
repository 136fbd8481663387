package cutover

import (
	"errors"
	"fmt"
	"time"
)

// What somebody says of a step that was begun and has no end.
const (
	SettleDone   = "done"   // it was done
	SettleAgain  = "again"  // it was not, or does no harm twice: do it
	SettleFailed = "failed" // it failed: go back
)

// settle finds out how a step ended that was begun by a runner which was killed.
func (r *runner) settle(s *Step) (done bool, err error) {
	if s.Kind() == KindMode && !r.cfg.Dry {
		return r.settleMode(s)
	}
	if !s.HasEffects() || s.Idempotent {
		r.tell("%s: it was begun and has no end; it is done again", s.Name)
		return false, r.write(recSettled, s.Name, settledRecord{SettleAgain, r.cfg.Who, "it has no effects, or is idempotent"})
	}
	said := r.p.settled[s.Name]
	if said == nil {
		for _, q := range r.box.list() {
			if q.Kind != requestSettle || q.Step != s.Name {
				continue
			}
			if err := r.write(recSettled, s.Name, settledRecord{q.As, q.Who, q.Why}); err != nil {
				return false, err
			}
			if err := r.box.done(q); err != nil {
				return false, errLog{err}
			}
			said = r.p.settled[s.Name]
		}
	}
	if said == nil {
		if err := r.write(recQuestion, s.Name, reasonRecord{"it was begun and has no end"}); err != nil {
			return false, err
		}
		return false, fmt.Errorf("%w: step %s (%s) was begun and has no end, as the runner was killed. Look whether it was done, and whether its process still runs (the log has its id); then say so:\n"+
			"hotswap cutover settle %s done|again|failed --log %s --why ...\nand run this again", ErrQuestion, s.Name, s.Kind(), s.Name, r.cfg.Dir)
	}
	switch said.As {
	case SettleDone:
		return true, r.write(recEnd, s.Name, endRecord{OK: true, Settled: true})
	case SettleAgain:
		return false, nil
	}
	text := "it failed, says " + said.Who + ": " + said.Why
	if err := r.write(recEnd, s.Name, endRecord{Error: text, Settled: true}); err != nil {
		return false, err
	}
	return false, errors.New(text)
}

// settleMode asks the façade whether a switch was made.
func (r *runner) settleMode(s *Step) (done bool, err error) {
	began := time.Now()
	made, output, err := r.made(s, time.Now().Add(s.timeout()))
	if err != nil {
		return false, r.halted(s, fmt.Sprintf("step %s was begun and has no end, and the façade does not say whether it was made: %v", s.Name, err))
	}
	why := "the façade has no epoch of this step: it was not made"
	how := SettleAgain
	if made {
		how, why = SettleDone, "the façade has the epoch of this step"
	}
	r.tell("%s: %s", s.Name, why)
	if err := r.write(recSettled, s.Name, settledRecord{how, r.cfg.Who, why}); err != nil || !made {
		return false, err
	}
	return true, r.write(recEnd, s.Name, endRecord{OK: true, Settled: true, Output: output, Seconds: since(began)})
}
