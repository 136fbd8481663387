package cutover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/bkledger/bk/compat/cutover/evidence"
	"github.com/bkledger/bk/compat/cutover/gate"
)

// runner runs a runbook.
type runner struct {
	cfg  Config
	book *Runbook
	log  *evidence.Log
	red  *redactor
	p    *progress
	at   time.Time // when this process began with it

	stop    context.Context // ends when somebody cancels
	halt    context.CancelCauseFunc
	box     *inbox
	lines   *terminal
	pretend string // the mode that a dry run would have reached
	backing bool   // it is on the way back

	telling sync.Mutex
}

// Run runs a runbook, or goes on with the run that the log has begun. When ctx ends the run is cancelled, between steps and in waits. The error is one of ErrFailed, ErrWentBack, ErrStopped,
// ErrQuestion and [ErrRefused], or of the log, which ends a run at once.
func Run(ctx context.Context, cfg Config) (result Result, err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return result, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	book := cfg.Runbook
	book.Targets.Log = cfg.Log
	log, err := evidence.Open(cfg.Dir)
	if err != nil {
		return result, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	r := &runner{cfg: cfg, book: book, log: log, red: newRedactor(book.secrets()), at: time.Now()}
	if err := r.begin(); err != nil {
		return result, err
	}
	r.stop, r.halt = context.WithCancelCause(ctx)
	defer r.halt(nil)
	var watching sync.WaitGroup
	watched, unwatch := context.WithCancel(context.WithoutCancel(ctx))
	watching.Go(func() { r.watch(watched) })
	defer watching.Wait()
	defer unwatch()
	r.lines = newTerminal(cfg.In)
	err = r.run()
	result = Result{Run: r.p.run, Head: log.Head()}
	if f := r.p.finish; f != nil {
		if result.Outcome = f.Outcome; f.Outcome == OutcomeDone && cfg.Dry {
			result.Token = token(r.p.last)
		}
	}
	return result, err
}

// begin finds the run to go on with, or makes a new one.
func (r *runner) begin() error {
	all, err := runs(r.log.Records())
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	print, err := r.book.fingerprint()
	if err != nil {
		return err
	}
	host, _ := os.Hostname() //nolint:errcheck // for people
	me := actor{Who: r.cfg.Who, Host: host, PID: os.Getpid()}
	if r.box, err = openInbox(r.cfg.Dir); err != nil {
		return err
	}
	for _, p := range all {
		if p.about.Dry || p.finish != nil {
			continue
		}
		switch {
		case r.cfg.Dry:
			return fmt.Errorf("%w: run %d is under way: it has to end first", ErrRefused, p.run)
		case p.about.SHA256 != r.book.hash:
			return fmt.Errorf("%w: run %d is under way, of another runbook, or of this one before the file was changed (SHA-256 %s): it has to be ended with that", ErrRefused, p.run, p.about.SHA256)
		case p.about.Fingerprint != print:
			return fmt.Errorf("%w: run %d is under way, with other targets or variables", ErrRefused, p.run)
		}
		r.p = p
		r.tell("going on with run %d, begun %s by %s", p.run, p.first.At.Format(time.RFC3339), p.about.Who)
		return r.note(recResume, "", me)
	}
	about := runRecord{
		Runbook: r.book.Name, Stage: r.book.Stage, SHA256: r.book.hash, Fingerprint: print, Dry: r.cfg.Dry, Targets: r.book.Targets.Public(), Variables: r.book.public(),
		ArmFor: r.book.ArmFor.String(), actor: me,
	}
	for i := range r.book.Steps {
		s := &r.book.Steps[i]
		about.Steps = append(about.Steps, stepName{s.Name, s.Kind(), s.About})
	}
	if !r.cfg.Dry {
		if about.ArmedBy, err = armed(all, r.cfg.Arm, about, r.book.ArmFor, time.Now()); err != nil {
			return err
		}
	}
	r.p = &progress{run: len(all) + 1}
	if err := r.note(recRun, "", about); err != nil {
		return err
	}
	for _, q := range r.box.list() { // of before
		if err := r.ignore(q); err != nil {
			return err
		}
	}
	kind := "live"
	if r.cfg.Dry {
		kind = "dry"
	}
	r.tell("%s run %d of %s to %s, by %s", kind, r.p.run, r.book.Name, r.book.Stage, r.cfg.Who)
	return nil
}

// note adds a record, and takes it into account.
func (r *runner) note(kind, step string, data any) error {
	text, err := r.red.json(data)
	if err != nil {
		return err
	}
	rec, err := r.log.Append(r.p.run, kind, step, text)
	if err != nil {
		return err
	}
	if kind == recRun {
		all, err := runs([]evidence.Record{rec})
		if err != nil {
			return err
		}
		r.p = all[0]
		return nil
	}
	r.p.last = rec
	return r.p.add(rec)
}

// tell says something to whoever looks on.
func (r *runner) tell(format string, args ...any) {
	r.telling.Lock()
	defer r.telling.Unlock()
	text := r.red.text(fmt.Sprintf(format, args...))
	fmt.Fprintf(r.cfg.Out, "%s  %s\n", time.Now().UTC().Format("15:04:05"), strings.ReplaceAll(text, "\n", "\n          ")) //nolint:errcheck // the log has it
}

// errLog is what writing the log or reading its records gave: the run ends at once, as it is.
type errLog struct{ error }

func (e errLog) Unwrap() error { return e.error }

// write is note, with an error that ends the run.
func (r *runner) write(kind, step string, data any) error {
	if err := r.note(kind, step, data); err != nil {
		return errLog{err}
	}
	return nil
}

// run goes forward, or on with the way back.
func (r *runner) run() error {
	if r.p.back != nil {
		return r.wayBack()
	}
	for i := range r.book.Steps {
		s := &r.book.Steps[i]
		if r.p.done(s.Name) {
			continue
		}
		if err := r.step(s); err != nil {
			return r.failed(s, err)
		}
	}
	return r.end(OutcomeDone, "")
}

// end ends the run.
func (r *runner) end(outcome, reason string) error {
	if err := r.write(recFinish, "", finishRecord{outcome, r.red.text(reason), time.Since(r.p.first.At).Seconds()}); err != nil {
		return err
	}
	r.tell("run %d: %s", r.p.run, outcome)
	return nil
}

// failed decides what becomes of a run of which a step failed.
func (r *runner) failed(s *Step, cause error) error {
	var log errLog
	if errors.As(cause, &log) || errors.Is(cause, ErrQuestion) || errors.Is(cause, ErrStopped) {
		return cause
	}
	reason := fmt.Sprintf("step %s: %v", s.Name, cause)
	switch {
	case r.cfg.Dry:
		r.tell("%s", reason)
		if err := r.end(OutcomeFailed, reason); err != nil {
			return err
		}
		return fmt.Errorf("%w: %s", ErrFailed, r.red.text(reason))
	case r.p.passed:
		return r.halted(s, reason+"; behind the point of no return nothing goes back: mend it, and run it again, to go on here")
	}
	if err := r.write(recBack, s.Name, reasonRecord{reason}); err != nil {
		return err
	}
	return r.wayBack()
}

// halted stops the run where it is.
func (r *runner) halted(s *Step, reason string) error {
	if err := r.write(recStop, s.Name, reasonRecord{reason}); err != nil {
		return err
	}
	r.tell("stopped: %s", reason)
	return fmt.Errorf("%w: %s", ErrStopped, r.red.text(reason))
}

// step does a step: what the log has of it, its gates, itself.
func (r *runner) step(s *Step) error {
	if r.p.open[s.Name] {
		switch done, err := r.settle(s); {
		case err != nil:
			return err
		case done:
			return nil
		}
	} else if e := r.p.ended[s.Name]; e != nil && !r.p.passed && !r.backing { // killed between its end and the way back
		return errors.New(e.Error)
	}
	if err := r.cancelled(s); err != nil {
		return err
	}
	for i := range s.Gates {
		if err := r.measure(s, &s.Gates[i]); err != nil {
			return err
		}
	}
	pretend := r.cfg.Dry && s.HasEffects()
	if s.Mode != nil && !pretend { // before it is begun: what was begun is undone
		if _, _, err := r.there(r.stop, s); err != nil {
			return err
		}
	}
	if err := r.write(recBegin, s.Name, beginRecord{Kind: s.Kind(), Step: s, Pretend: pretend, Back: r.backing, Timeout: s.timeout().String()}); err != nil {
		return err
	}
	r.tell("%s: %s", s.Name, s.Kind())
	began := time.Now()
	output, err := r.do(s, pretend)
	var log errLog
	if errors.As(err, &log) {
		return err
	}
	e := endRecord{OK: err == nil, Output: output, Seconds: since(began), Pretend: pretend}
	if err != nil {
		e.Error = err.Error()
	}
	if fault := r.write(recEnd, s.Name, e); fault != nil {
		return errors.Join(fault, err)
	}
	if err == nil && output != nil && output.Would != "" {
		r.tell("%s: would %s", s.Name, output.Would)
	}
	return err
}

// measure measures a gate before a step.
func (r *runner) measure(s *Step, g *gate.Gate) error {
	reading := g.Measure(r.stop, &r.book.Targets)
	if err := r.cancelled(s); err != nil {
		return err
	}
	decides := !(r.cfg.Dry && g.After != "")
	if err := r.write(recGate, s.Name, gateRecord{reading, decides}); err != nil {
		return err
	}
	switch {
	case reading.Holds:
		r.tell("%s: gate %s holds", s.Name, reading.Gate)
	case !decides:
		r.tell("%s: gate %s would have to hold behind step %s; now: %s", s.Name, reading.Gate, g.After, reading.Why)
	default:
		return fmt.Errorf("gate %s: %s", reading.Gate, reading.Why)
	}
	return nil
}

// cancelled gives an error once somebody has cancelled. The way back can't be cancelled.
func (r *runner) cancelled(s *Step) error {
	if r.stop.Err() == nil || r.backing {
		return nil
	}
	by := actor{Who: r.cfg.Who, Why: "a signal"}
	var told *cancelled
	if errors.As(context.Cause(r.stop), &told) {
		by = actor{Who: told.q.Who, Why: told.q.Why}
	}
	if err := r.write(recCancel, s.Name, by); err != nil {
		return err
	}
	if told != nil {
		if err := r.box.done(told.q); err != nil {
			return errLog{err}
		}
	}
	return fmt.Errorf("cancelled by %s: %s", by.Who, by.Why)
}
