package ledger

import (
	"errors"
	"fmt"
)

// Reason says why the ledger refused a command. The list is closed; its order is the order of precedence: where several hold,
// the first of the list answers. A rejected command leaves nothing behind and is not remembered (promise P4).
type Reason string

// The reasons, in order of precedence.
const (
	// ReasonMalformed: the request can't be read at all: not JSON, not protobuf, no such event.
	ReasonMalformed Reason = "malformed_request"
	// ReasonTooLarge: a limit on size or number is exceeded (see limits.go).
	ReasonTooLarge Reason = "too_large"
	// ReasonMissing: a field that this event needs is not there.
	ReasonMissing Reason = "missing_field"
	// ReasonInvalid: a field is there and has no value that could ever be right.
	ReasonInvalid Reason = "invalid_field"
	// ReasonOutOfRange: an amount, or a product of amounts, has more than 18 integer or 10 fraction digits.
	ReasonOutOfRange Reason = "out_of_range"
	// ReasonUnknownKind: no posting rule is registered for this kind of business event.
	ReasonUnknownKind Reason = "unknown_kind"
	// ReasonKeyConflict: the idempotency key was used before, with other content.
	ReasonKeyConflict Reason = "key_conflict"
	// ReasonUnknownAccount: no such account.
	ReasonUnknownAccount Reason = "unknown_account"
	// ReasonUnknownInstrument: no such instrument.
	ReasonUnknownInstrument Reason = "unknown_instrument"
	// ReasonWrongCurrency: the currency is none, or not one that this instrument can be paid in.
	ReasonWrongCurrency Reason = "wrong_currency"
	// ReasonAccountExists: the account's id or code is taken by an account that is defined otherwise.
	ReasonAccountExists Reason = "account_exists"
	// ReasonInstrumentExists: an identifier of the instrument is taken by one that is defined otherwise.
	ReasonInstrumentExists Reason = "instrument_exists"
	// ReasonUnbalanced: the postings of an instrument do not add up to zero (promise P1).
	ReasonUnbalanced Reason = "unbalanced"
	// ReasonTradeNotFound: the trade to cancel or correct was never booked.
	ReasonTradeNotFound Reason = "trade_not_found"
	// ReasonTradeCanceled: the trade to cancel or correct is cancelled already.
	ReasonTradeCanceled Reason = "trade_already_canceled"
	// ReasonTradeSettled: the trade, or its street side, is settled already.
	ReasonTradeSettled Reason = "trade_settled"
	// ReasonTradeOpen: the trade is in force already.
	ReasonTradeOpen Reason = "trade_already_open"
	// ReasonTradeNotOpen: the trade's date has not come, so nothing of it can settle.
	ReasonTradeNotOpen Reason = "trade_not_open"
	// ReasonDayPassed: the business date is beyond the day asked for; it only moves forward.
	ReasonDayPassed Reason = "day_passed"
)

// Reasons lists all reasons in order of precedence.
func Reasons() []Reason {
	return []Reason{
		ReasonMalformed, ReasonTooLarge, ReasonMissing, ReasonInvalid, ReasonOutOfRange, ReasonUnknownKind, ReasonKeyConflict,
		ReasonUnknownAccount, ReasonUnknownInstrument, ReasonWrongCurrency, ReasonAccountExists, ReasonInstrumentExists,
		ReasonUnbalanced, ReasonTradeNotFound, ReasonTradeCanceled,
		ReasonTradeSettled, ReasonTradeOpen, ReasonTradeNotOpen, ReasonDayPassed,
	}
}

// Rejection is the error for what a caller did wrong.
type Rejection struct {
	Reason Reason
	// Field is the path of the offending field in the request's own names ("trade.quantity", "postings[3].account");
	// "" where the request as a whole is at fault.
	Field string
	// Message is one sentence for a person, without the field's name.
	Message string
}

// Error gives "field: message (reason)".
func (r *Rejection) Error() string {
	if r.Field == "" {
		return fmt.Sprintf("%s (%s)", r.Message, r.Reason)
	}
	return fmt.Sprintf("%s: %s (%s)", r.Field, r.Message, r.Reason)
}

// Reject makes a [Rejection].
func Reject(reason Reason, field, format string, args ...any) *Rejection {
	return &Rejection{Reason: reason, Field: field, Message: fmt.Sprintf(format, args...)}
}

// AsRejection gives the rejection in err's chain, or nil.
func AsRejection(err error) *Rejection {
	var r *Rejection
	if errors.As(err, &r) {
		return r
	}
	return nil
}

// Under gives the rejection with its field moved below prefix: "quantity" under "trade" is "trade.quantity".
func (r *Rejection) Under(prefix string) *Rejection {
	moved := *r
	if moved.Field == "" {
		moved.Field = prefix
	} else {
		moved.Field = prefix + "." + r.Field
	}
	return &moved
}

// rejectAmount says what is wrong with an amount, naming the field.
func rejectAmount(field string, err error) *Rejection {
	if errors.Is(err, ErrAmountSyntax) {
		return Reject(ReasonInvalid, field, "%s", err)
	}
	return Reject(ReasonOutOfRange, field, "%s", err)
}
