package backlog

import (
	"encoding/json"
	"time"
)

// All is the key of a row that is about everything: it is worked off when all before it is done, and all behind it waits for it.
const All int64 = 0

// The outcomes of rows.
const (
	Done       = "done"
	Skipped    = "skipped"    // by a person
	Unmappable = "unmappable" // the other system has no notion of it
)

// Row is one piece of work. Rows that share a key are worked off in the order of their positions.
type Row struct {
	Position int64           `json:"position"`
	Origin   int64           `json:"origin"` // what it came from
	Epoch    int64           `json:"epoch"`
	Kind     string          `json:"kind"`
	Keys     []int64         `json:"keys"` // distinct, at least one; accounts, or [All]
	Size     int             `json:"size"` // what it counts in a batch, at least 1
	Request  json.RawMessage `json:"request"`
	Answer   json.RawMessage `json:"answer,omitempty"`
	QueuedAt time.Time       `json:"queued_at"`

	Attempts int        `json:"attempts,omitempty"` // how often it was rejected
	NextTry  *time.Time `json:"next_try,omitempty"` // after a rejection
	Reason   string     `json:"reason,omitempty"`   // of the last rejection
	DoneAt   *time.Time `json:"done_at,omitempty"`
	Outcome  string     `json:"outcome,omitempty"` // of a row that is done
	Who      string     `json:"who,omitempty"`     // skipped it
}

// Result is what became of a row that was delivered.
type Result struct {
	// Err is nil where the row is done. Else it was rejected, and is blocked.
	Err error
	// Untouched: an earlier row of the batch that shares a key with it failed, so it was not tried.
	Untouched bool
}

// Stats is how a backlog stands.
type Stats struct {
	Waiting int           `json:"waiting"` // rows that are not done, blocked ones too; counted up to a bound, see [Store.Stats]
	Age     time.Duration `json:"age"`     // of the oldest of them
	Blocked int           `json:"blocked"` // rows that were rejected and wait for their next try

	LeftOut map[string]int `json:"left_out"` // rows that were left out, by outcome: [Skipped], [Unmappable]; not to be changed
}
