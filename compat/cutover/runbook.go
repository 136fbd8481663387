package cutover

import (
	"time"

	"github.com/bkledger/bk/compat/cutover/gate"
)

// Runbook is a release script.
type Runbook struct {
	Name  string `yaml:"name"`  // letters, digits and -
	Stage string `yaml:"stage"` // the mode that it leads to, or "final"
	About string `yaml:"about"`
	// ArmFor is how long the token of a dry run is good.
	ArmFor    time.Duration       `yaml:"arm-for"`
	Variables map[string]Variable `yaml:"variables"`
	Targets   gate.Targets        `yaml:"targets"`
	Steps     []Step              `yaml:"steps"`

	hash   string            // SHA-256 of the file
	values map[string]string // of the variables
}

// StageFinal is the stage of the runbook that declares bk-only final.
const StageFinal = "final"

// Hash is the SHA-256 of the file, in hexadecimal: before variables are filled in.
func (r *Runbook) Hash() string { return r.hash }

// Variable is a text that is filled in where ${its-name} stands.
type Variable struct {
	About   string  `yaml:"about"`
	Env     string  `yaml:"env"`     // the environment variable that has it, unless it is set
	Default *string `yaml:"default"` // else; without one it is needed
	Secret  bool    `yaml:"secret"`  // it is never shown
}

// Step is one of a runbook: exactly one of the pointers is set.
type Step struct {
	Name    string        `yaml:"name" json:"name"` // of its own in the runbook: letters, digits and -
	About   string        `yaml:"about" json:"about,omitempty"`
	Gates   []gate.Gate   `yaml:"gates" json:"-"`         // measured before it, in order
	Timeout time.Duration `yaml:"timeout" json:"timeout"` // of the step; 10 min if left out
	// Effects is "none" where a command or a statement only looks: it is run in dry runs, too, and again after a crash. The server holds SQL to it.
	Effects string `yaml:"effects" json:"effects,omitempty"`
	// Idempotent says that doing it twice does no harm: after a crash it is done again without a question.
	Idempotent bool `yaml:"idempotent" json:"idempotent,omitempty"`

	Command         *Command         `yaml:"command" json:"command,omitempty"`
	SQL             *SQL             `yaml:"sql" json:"sql,omitempty"`
	Mode            *Mode            `yaml:"mode" json:"mode,omitempty"`
	Wait            *Wait            `yaml:"wait" json:"wait,omitempty"`
	Approve         *Approve         `yaml:"approve" json:"approve,omitempty"`
	PointOfNoReturn *PointOfNoReturn `yaml:"point-of-no-return" json:"point-of-no-return,omitempty"`

	// Back undoes the step: commands, SQL, switches and waits.
	Back []Step `yaml:"back" json:"-"`
}

// Command is a program that is run.
type Command struct {
	Argv     []string          `yaml:"argv" json:"argv,omitempty"`   // the program and its arguments, without a shell
	Shell    string            `yaml:"shell" json:"shell,omitempty"` // or a line for /bin/sh -c
	Dir      string            `yaml:"dir" json:"dir,omitempty"`
	Env      map[string]string `yaml:"env" json:"env,omitempty"`           // besides the runner's
	Exit     int               `yaml:"exit" json:"exit"`                   // the exit code that it should end with
	Contains string            `yaml:"contains" json:"contains,omitempty"` // what its output has to have
}

// SQL is statements that are run in one transaction.
type SQL struct {
	Database  string     `yaml:"database" json:"database"` // of the targets
	Statement string     `yaml:"statement" json:"statement"`
	Expect    [][]string `yaml:"expect" json:"expect,omitempty"` // the last one's rows; left out: any
}

// Mode is a switch of the façade. One of To and Final.
type Mode struct {
	To    string        `yaml:"to" json:"to,omitempty"`
	Final bool          `yaml:"final" json:"final,omitempty"` // declare bk-only final; only behind the point of no return
	Wait  time.Duration `yaml:"wait" json:"wait"`             // how long the façade tries; 30 s if left out
}

// Wait waits for gates, or for a time. One of them.
type Wait struct {
	Until []gate.Gate   `yaml:"until" json:"-"`     // all of them, in order, each until it holds; the step's time-out bounds it
	Every time.Duration `yaml:"every" json:"every"` // between two looks; 1 s if left out
	For   time.Duration `yaml:"for" json:"for"`
}

// Approve waits until somebody types a word.
type Approve struct {
	Ask  string `yaml:"ask" json:"ask"`
	Word string `yaml:"word" json:"word"`
	// Another has to be somebody else than who runs it.
	Another bool `yaml:"another" json:"another,omitempty"`
}

// PointOfNoReturn waits until somebody types its name. Behind it there is no way back.
type PointOfNoReturn struct {
	Name    string `yaml:"name" json:"name"`
	Ask     string `yaml:"ask" json:"ask"`
	Another bool   `yaml:"another" json:"another,omitempty"`
}

// The kinds of step.
const (
	KindCommand         = "command"
	KindSQL             = "sql"
	KindMode            = "mode"
	KindWait            = "wait"
	KindApprove         = "approve"
	KindPointOfNoReturn = "point-of-no-return"
)

// kinds gives the kinds that are set: one, in a runbook that was checked.
func (s *Step) kinds() (set []string) {
	for _, k := range []struct {
		name string
		is   bool
	}{
		{KindCommand, s.Command != nil}, {KindSQL, s.SQL != nil}, {KindMode, s.Mode != nil}, {KindWait, s.Wait != nil}, {KindApprove, s.Approve != nil},
		{KindPointOfNoReturn, s.PointOfNoReturn != nil},
	} {
		if k.is {
			set = append(set, k.name)
		}
	}
	return set
}

// Kind is the step's kind.
func (s *Step) Kind() string {
	if set := s.kinds(); len(set) == 1 {
		return set[0]
	}
	return ""
}

// HasEffects reports whether the step does anything to a system: then a dry run only tells of it.
func (s *Step) HasEffects() bool {
	switch s.Kind() {
	case KindCommand, KindSQL:
		return s.Effects != effectsNone
	case KindMode:
		return true
	}
	return false
}

const (
	effectsNone    = "none"
	defaultTimeout = 10 * time.Minute
	defaultSwitch  = 30 * time.Second
	defaultEvery   = time.Second
)

// timeout is the step's own, or the usual one.
func (s *Step) timeout() time.Duration {
	if s.Timeout == 0 {
		return defaultTimeout
	}
	return s.Timeout
}

// wait is how long the façade tries.
func (m *Mode) wait() time.Duration {
	if m.Wait == 0 {
		return defaultSwitch
	}
	return m.Wait
}
