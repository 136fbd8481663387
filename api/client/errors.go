package client

import (
	"context"
	"errors"
	"net"
	"strings"
	"syscall"

	"connectrpc.com/connect"
)

// The reasons of bk.v1.ErrorDetail that clients act on.
const (
	ReasonKeyConflict      = "key_conflict"
	ReasonTradeNotFound    = "trade_not_found"
	ReasonAccountExists    = "account_exists"
	ReasonInstrumentExists = "instrument_exists"
	ReasonOutcomeUnknown   = "outcome_unknown"
)

// Reason gives the reason of an error of a call, "" if it didn't come from a BK server.
func Reason(err error) string { return Detail(err).GetReason() }

// RetryableReason reports whether a command that failed for this reason may be sent again as it is, a little later: nothing was booked,
// or its key tells.
func RetryableReason(reason string) bool {
	switch reason {
	case "overloaded", "not_leader", ReasonOutcomeUnknown, "behind", "deadline_exceeded", "canceled", "unavailable":
		return true
	}
	return false
}

// Retryable reports whether a call that failed may be sent again as it is, with the same keys, a little later. An error that doesn't
// come from a BK server was made on the way to it: the call's outcome is unknown.
func Retryable(err error) bool {
	if err == nil {
		return false
	}
	if reason := Reason(err); reason != "" {
		return RetryableReason(reason)
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable, connect.CodeUnknown, connect.CodeDeadlineExceeded, connect.CodeCanceled, connect.CodeAborted:
		return true
	case connect.CodeInternal: // a stream or an answer that was cut off
		return true
	case connect.CodeResourceExhausted: // from a proxy; a message that is too large for this client says so
		return !strings.Contains(err.Error(), "larger than")
	}
	return false
}

// Unreachable reports whether err says that there is no server, that it is not ready, or that it didn't answer in time.
func Unreachable(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	var op *net.OpError
	var dns *net.DNSError
	if errors.As(err, &op) || errors.As(err, &dns) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded:
		return true
	}
	return false
}

// Describe gives one line for a person.
func Describe(err error) string {
	if err == nil {
		return ""
	}
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		why := op.Err.Error()
		if errors.Is(op.Err, syscall.ECONNREFUSED) {
			why = "connection refused"
		}
		at := "the server"
		if op.Addr != nil {
			at = op.Addr.String()
		}
		return "no server at " + at + ": " + why + " (bk dev starts one; --server or BK_SERVER names another)"
	}
	if d := Detail(err); d != nil {
		text := d.Message
		if text == "" {
			var failed *connect.Error
			errors.As(err, &failed)
			text = failed.Message()
		}
		if d.Field != "" {
			text = d.Field + ": " + text
		}
		return text + " (" + d.Reason + ")"
	}
	var failed *connect.Error
	if errors.As(err, &failed) {
		return oneLine(failed.Message() + " (" + failed.Code().String() + ")")
	}
	return oneLine(err.Error())
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
