package facade

import (
	"context"
	"errors"
	"net/http"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/queue"
)

// errNotAsked: Bank has to be asked something before a write is made, and does not answer.
var errNotAsked = errors.New("Bank can't be asked")

// Why a write was refused that was not sent to anybody, as metrics have it.
const (
	refusedBank     = "bank"     // it had to be asked something first, and did not answer
	refusedFull     = "full"     // too many wait already: for a roll, for a step, for their accounts
	refusedWait     = "wait"     // it has waited for too long
	refusedDatabase = "database" // the façade's own does not take it
)

// notBegun gives the client's answer where a write of bank-primary-bk-secondary can't be made, and notes the reason. Nothing was booked, so all are internal.
func (b *bankFirst) notBegun(r *http.Request, err error) *bank.Error {
	reason, told := refusedDatabase, "the façade can't write down what is to be done"
	switch {
	case errors.Is(err, errNotAsked):
		reason, told = refusedBank, "Bank can't be reached"
	case errors.Is(err, queue.ErrOpen):
		reason, told = refusedBank, "Bank can't be reached, and it is not known what became of an earlier call on the accounts"
	case errors.Is(err, queue.ErrFull):
		reason, told = refusedFull, "too many writes wait"
	case errors.Is(err, context.DeadlineExceeded):
		reason, told = refusedWait, "other writes on the accounts, or a roll, took too long"
	}
	if r.Context().Err() == nil {
		b.count(reason)
		b.log.Error("a write is refused", "reason", reason, "method", r.Method, "path", r.URL.Path, "error", err)
	}
	return bank.Errorf(bank.Internal, "%s; nothing was booked", told)
}

// refusal gives the reason where a write got no ticket.
func refusal(err error) string {
	switch {
	case errors.Is(err, mode.ErrFull):
		return refusedFull
	case errors.Is(err, mode.ErrClosed):
		return refusedWait
	}
	return refusedDatabase
}
