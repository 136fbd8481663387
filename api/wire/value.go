package wire

import (
	"errors"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/bkledger/bk/ledger"
)

// The bounds of texts that the ledger has no bound for, because it takes them apart at once; also in the proto files.
const (
	maxAmountBytes = 64 // zeros in front and behind included
	maxListing     = 3  // country and currency of an identifier
)

// Amount parses a decimal of a request; the rejection names field. An empty text is missing_field.
func Amount(field, text string) (ledger.Amount, *ledger.Rejection) {
	if text == "" {
		return ledger.Amount{}, ledger.Reject(ledger.ReasonMissing, field, "a decimal such as 100 or 167.41 is needed")
	}
	if len(text) > maxAmountBytes {
		return ledger.Amount{}, ledger.Reject(ledger.ReasonTooLarge, field, "%d bytes, %d are allowed", len(text), maxAmountBytes)
	}
	a, err := ledger.ParseAmount(text)
	switch {
	case err == nil:
		return a, nil
	case errors.Is(err, ledger.ErrAmountSyntax):
		return a, ledger.Reject(ledger.ReasonInvalid, field, "%q is %s", text, err)
	}
	return a, ledger.Reject(ledger.ReasonOutOfRange, field, "%q has %s", text, err)
}

// optionalAmount is [Amount] where an empty text is zero.
func optionalAmount(field, text string) (ledger.Amount, *ledger.Rejection) {
	if text == "" {
		return ledger.Amount{}, nil
	}
	return Amount(field, text)
}

// moment converts a timestamp; none is the zero time, which the ledger calls missing where it is needed.
func moment(field string, t *timestamppb.Timestamp) (time.Time, *ledger.Rejection) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, ledger.Reject(ledger.ReasonInvalid, field, "is no time between the years 1 and 9999")
	}
	at := t.AsTime()
	if at.Year() < 1970 { // also keeps the zero time apart from none
		return time.Time{}, ledger.Reject(ledger.ReasonInvalid, field, "is before 1970")
	}
	return at, nil
}

// timestamp converts a time; the zero time is none.
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
