package cutover

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// Config says what is run. The zero value of a field is its default.
type Config struct {
	Runbook *Runbook // Needed.
	Dir     string   // the log's folder; made if missing. Needed.
	Dry     bool
	Arm     string // the token of a dry run; a live run needs it, unless it goes on with one
	Who     string // runs it, for the record. Needed.
	// Answers are words for approvals, by step: in a dry run only. The point of no return's is its name.
	Answers map[string]string
	In      io.Reader     // a terminal, on which people answer; nil: they do so by another process
	Out     io.Writer     // what is told while it runs; nil: nothing
	Poll    time.Duration // how often requests of other processes are looked for; 200 ms
	Log     *slog.Logger  // of what gates use; none
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Poll == 0 {
		c.Poll = 200 * time.Millisecond
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Runbook != nil, "Runbook: needed")
	check(c.Dir != "", "Dir: needed: the log's folder")
	check(c.Who != "" && len(c.Who) <= 100, "Who: needed, at most 100 bytes")
	check(c.Dry || len(c.Answers) == 0, "Answers: a live run is answered by people")
	check(!c.Dry || c.Arm == "", "Arm: a dry run needs no token")
	check(c.Poll >= time.Millisecond && c.Poll <= time.Minute, "Poll: %s is not between 1ms and 1m", c.Poll)
	if c.Runbook != nil {
		steps := map[string]*Step{}
		for i := range c.Runbook.Steps {
			steps[c.Runbook.Steps[i].Name] = &c.Runbook.Steps[i]
		}
		for name := range c.Answers {
			s := steps[name]
			check(s != nil && (s.Approve != nil || s.PointOfNoReturn != nil), "Answers: %s is no step that asks", name)
		}
	}
	return errors.Join(errs...)
}

// Result is how a run ended.
type Result struct {
	Run     int
	Outcome string // done, back, failed; "" where it has not ended
	Token   string // of a dry run that is done: it arms a live one
	Head    string // the hash of the log's last record, which fixes all before it
}

// How a run that does not end well ends. A dry run has ErrFailed alone.
var (
	ErrFailed   = errors.New("the dry run failed")
	ErrWentBack = errors.New("the run failed and went back")
	// ErrStopped: somebody has to mend something; the same command goes on where it stopped.
	ErrStopped = errors.New("the run has stopped where it is")
	// ErrQuestion: a step was begun, and nobody knows how it ended.
	ErrQuestion = errors.New("it has to be said how a step ended")
)
