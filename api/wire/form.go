package wire

import (
	"strconv"
	"strings"

	"github.com/bkledger/bk/ledger"
)

// Form says what kind of request a command came from, and so where its fields stand there.
type Form int

// The forms: those of requests of their own, and those inside of a bk.v1.Command.
const (
	TradeForm          Form = iota // BookTradeRequest, or Command.trade
	EntryForm                      // BookEntryRequest, or Command.entry
	CancelForm                     // CancelTradeRequest
	CorrectForm                    // CorrectTradeRequest
	CancelCommandForm              // Command.cancel
	CorrectCommandForm             // Command.correct
	EventForm                      // BookEventRequest, or Command.event
)

// Rename moves the field of a rejection from the ledger's names to those of the request.
func (f Form) Rename(rej *ledger.Rejection) *ledger.Rejection {
	head, rest := rej.Field, ""
	if i := strings.IndexAny(head, ".["); i >= 0 {
		head, rest = head[:i], head[i:]
	}
	to := head
	switch {
	case f == EntryForm && head == "postings":
		to = "entry.postings"
	case f == CancelCommandForm && head == "target":
		to = "cancel.target"
	case f == CorrectForm && head == "replaces":
		to = "target"
	case f == CorrectCommandForm && (head == "replaces" || head == "target"):
		to = "correct.target"
	case f == CorrectCommandForm && head == "trade":
		to = "correct.trade"
	case f == TradeForm && head == "target":
		to = "replaces"
	case f == EventForm && (head == "kind" || head == "fields" || head == "target"):
		to = "event." + head
	}
	if to == head {
		return rej
	}
	moved := *rej
	moved.Field = to + rest
	return &moved
}

func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }
