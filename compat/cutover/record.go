package cutover

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/bkledger/bk/compat/cutover/evidence"
	"github.com/bkledger/bk/compat/cutover/gate"
)

// The kinds of record, in the order in which a run has them. Those of package evidence come besides.
const (
	recRun      = "run"      // a run begins: runRecord
	recResume   = "resume"   // another process goes on with it: actor
	recGate     = "gate"     // a measurement before a step, or in a wait: gateRecord
	recBegin    = "begin"    // a step begins: beginRecord
	recStarted  = "started"  // a command has a process: startedRecord
	recAsk      = "ask"      // somebody is asked: askRecord
	recAnswer   = "answer"   // and has answered: answerRecord
	recEnd      = "end"      // a step has ended: endRecord
	recQuestion = "question" // a step was begun and has no end, and nobody knows how it ended: reasonRecord
	recSettled  = "settled"  // it is known: settledRecord
	recCancel   = "cancel"   // somebody cancels: actor
	recIgnored  = "ignored"  // a request that came at the wrong time: Request
	recBack     = "back"     // the way back begins: reasonRecord
	recStop     = "stop"     // the run stops where it is, to be gone on with: reasonRecord
	recFinish   = "finish"   // the run is over: finishRecord
)

type runRecord struct {
	Runbook     string            `json:"runbook"`
	Stage       string            `json:"stage"`
	SHA256      string            `json:"sha256"`      // of the file
	Fingerprint string            `json:"fingerprint"` // of the file, the targets and the variables
	Dry         bool              `json:"dry"`
	Targets     map[string]string `json:"targets"`
	Variables   map[string]string `json:"variables"`
	Steps       []stepName        `json:"steps"`
	ArmedBy     int64             `json:"armed_by,omitempty"` // the record that ended the dry run
	ArmFor      string            `json:"arm_for,omitempty"`
	actor
}

type stepName struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	About string `json:"about,omitempty"`
}

// actor is who did something, where.
type actor struct {
	Who  string `json:"who"`
	Why  string `json:"why,omitempty"`
	Host string `json:"host,omitempty"`
	PID  int    `json:"pid,omitempty"`
}

type gateRecord struct {
	gate.Reading
	// Decides says that the run goes by it; else it is a dry run's look at the effect of a step that did nothing.
	Decides bool `json:"decides"`
}

type beginRecord struct {
	Kind    string `json:"kind"`
	Step    *Step  `json:"step"`
	Pretend bool   `json:"pretend,omitempty"` // a dry run: it has effects, and only tells of them
	Back    bool   `json:"back,omitempty"`
	Timeout string `json:"timeout"`
}

type startedRecord struct {
	PID int `json:"pid"`
}

type askRecord struct {
	Ask     string `json:"ask"`
	Word    string `json:"word"`
	NotBy   string `json:"not_by,omitempty"`
	NoBack  bool   `json:"no_way_back,omitempty"`
	Timeout string `json:"timeout"`
}

type answerRecord struct {
	Who string `json:"who"`
	How string `json:"how"` // terminal, approve, dry run
	OK  bool   `json:"ok"`
	Why string `json:"why,omitempty"` // it is not
}

type endRecord struct {
	OK      bool    `json:"ok"`
	Error   string  `json:"error,omitempty"`
	Output  *Output `json:"output,omitempty"`
	Seconds float64 `json:"seconds"`
	Settled bool    `json:"settled,omitempty"` // found out after a crash
	Pretend bool    `json:"pretend,omitempty"`
}

// Output is what a step gave.
type Output struct {
	Text   string         `json:"text,omitempty"`   // of commands: both streams, the middle left out where it is long
	Bytes  int64          `json:"bytes,omitempty"`  // of all of it
	SHA256 string         `json:"sha256,omitempty"` // likewise
	Exit   *int           `json:"exit,omitempty"`
	Answer *gate.Answer   `json:"answer,omitempty"` // of SQL
	Mode   map[string]any `json:"mode,omitempty"`   // of switches: what the façade said
	Would  string         `json:"would,omitempty"`  // of dry runs: what it would have done
}

type settledRecord struct {
	As  string `json:"as"` // done, again, failed
	Who string `json:"who"`
	Why string `json:"why"`
}

type reasonRecord struct {
	Reason string `json:"reason"`
}

type finishRecord struct {
	Outcome string  `json:"outcome"` // done, back, failed
	Reason  string  `json:"reason,omitempty"`
	Seconds float64 `json:"seconds"`
}

// The outcomes of a run.
const (
	OutcomeDone   = "done"
	OutcomeBack   = "back"   // it went back
	OutcomeFailed = "failed" // a dry run
)

// as reads a record's data.
func as[T any](r evidence.Record) (value T, err error) {
	if err := json.Unmarshal(r.Data, &value); err != nil {
		return value, fmt.Errorf("record %d, a %s: %w", r.Seq, r.Kind, err)
	}
	return value, nil
}

func since(t time.Time) float64 { return time.Since(t).Seconds() }
