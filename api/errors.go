package api

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5/pgconn"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/projections"
)

// The reasons that are not the ledger's (see error.proto, where all are described).
const (
	reasonEntryNotFound     = "entry_not_found"
	reasonCutNotFound       = "cut_not_found"
	reasonOverloaded        = "overloaded"
	reasonNotLeader         = "not_leader"
	reasonOutcomeUnknown    = "outcome_unknown"
	reasonBehind            = "behind"
	reasonDeadline          = "deadline_exceeded"
	reasonCanceled          = "canceled"
	reasonUnknownProjection = "unknown_projection"
	reasonRebuilding        = "rebuilding"
	reasonUnknownService    = "unknown_service"
	reasonUnimplemented     = "unimplemented"
	reasonUnavailable       = "unavailable"
	reasonInternal          = "internal"
)

// rejectionCodes are the codes of the ledger's reasons.
var rejectionCodes = map[ledger.Reason]connect.Code{
	ledger.ReasonMalformed:         connect.CodeInvalidArgument,
	ledger.ReasonTooLarge:          connect.CodeInvalidArgument,
	ledger.ReasonMissing:           connect.CodeInvalidArgument,
	ledger.ReasonInvalid:           connect.CodeInvalidArgument,
	ledger.ReasonOutOfRange:        connect.CodeInvalidArgument,
	ledger.ReasonUnknownKind:       connect.CodeInvalidArgument,
	ledger.ReasonKeyConflict:       connect.CodeAlreadyExists,
	ledger.ReasonUnknownAccount:    connect.CodeNotFound,
	ledger.ReasonUnknownInstrument: connect.CodeNotFound,
	ledger.ReasonWrongCurrency:     connect.CodeInvalidArgument,
	ledger.ReasonAccountExists:     connect.CodeAlreadyExists,
	ledger.ReasonInstrumentExists:  connect.CodeAlreadyExists,
	ledger.ReasonUnbalanced:        connect.CodeInvalidArgument,
	ledger.ReasonTradeNotFound:     connect.CodeNotFound,
	ledger.ReasonTradeCanceled:     connect.CodeFailedPrecondition,
	ledger.ReasonTradeSettled:      connect.CodeFailedPrecondition,
	ledger.ReasonTradeOpen:         connect.CodeFailedPrecondition,
	ledger.ReasonTradeNotOpen:      connect.CodeFailedPrecondition,
	ledger.ReasonDayPassed:         connect.CodeFailedPrecondition,
}

// errorMapper makes what callers see of errors. It is the only place that chooses codes.
type errorMapper struct{ log *slog.Logger }

// verdict is what a caller sees of an error.
type verdict struct {
	code   connect.Code
	detail *bkv1.ErrorDetail
}

// judge finds out what a caller sees of an error, and logs what must be kept from them.
func (m *errorMapper) judge(ctx context.Context, procedure string, err error) verdict {
	say := func(code connect.Code, reason, message string) verdict {
		return verdict{code, &bkv1.ErrorDetail{Reason: reason, Message: message}}
	}
	if located := (*locatedError)(nil); errors.As(err, &located) {
		v := m.judge(ctx, procedure, located.err)
		if v.detail.Field == "" && located.field != "" {
			v.detail.Field = located.field
		}
		v.detail.Index = located.index
		return v
	}
	if rej := ledger.AsRejection(err); rej != nil {
		code, known := rejectionCodes[rej.Reason]
		if !known {
			code = connect.CodeInvalidArgument
		}
		return verdict{code, wire.ErrorDetail(rej)}
	}
	if large := (*messageTooLarge)(nil); errors.As(err, &large) {
		return verdict{connect.CodeResourceExhausted, wire.ErrorDetail(large.rejection())}
	}
	if coded := (*codedError)(nil); errors.As(err, &coded) {
		return say(coded.code, coded.reason, coded.message)
	}
	behind := (*projections.BehindError)(nil)
	fault := (*projections.Fault)(nil)
	switch {
	case errors.Is(err, journal.ErrOutcomeUnknown):
		code := connect.CodeUnknown
		if errors.Is(err, context.DeadlineExceeded) {
			code = connect.CodeDeadlineExceeded
		}
		return say(code, reasonOutcomeUnknown, "it may be booked or not; the same request with the same key tells")
	case errors.Is(err, journal.ErrOverloaded):
		return say(connect.CodeResourceExhausted, reasonOverloaded, "too much is in flight; nothing was booked; try again a little later")
	case errors.Is(err, journal.ErrNotLeader):
		return say(connect.CodeUnavailable, reasonNotLeader, "this server stands by; nothing was booked")
	case errors.As(err, &behind) && !errors.As(err, &fault):
		return say(connect.CodeDeadlineExceeded, reasonBehind, "at_least was not reached in time")
	case errors.Is(err, projections.ErrNotBuilt):
		return say(connect.CodeUnavailable, reasonUnavailable, "that projection is not built yet")
	case errors.Is(err, projections.ErrUnknown):
		return say(connect.CodeNotFound, reasonUnknownProjection, "there is no such projection")
	case errors.Is(err, projections.ErrRebuilding), errors.Is(err, projections.ErrSuperseded):
		return say(connect.CodeFailedPrecondition, reasonRebuilding, "a rebuild of this projection is under way")
	case errors.Is(err, journal.ErrGap), errors.Is(err, journal.ErrTailCut): // before the causes below: these are never passing
	case errors.Is(err, journal.ErrUnavailable) && errors.Is(err, context.DeadlineExceeded):
		return say(connect.CodeUnavailable, reasonUnavailable, "nothing was booked in time: a roll of the business date is under way, or the database does not answer")
	case errors.Is(err, context.DeadlineExceeded):
		return say(connect.CodeDeadlineExceeded, reasonDeadline, "the call took longer than it may")
	case errors.Is(err, context.Canceled):
		return say(connect.CodeCanceled, reasonCanceled, "the caller went away")
	case errors.Is(err, journal.ErrUnavailable), databaseAway(err):
		m.log.WarnContext(ctx, "the database is not available", "procedure", procedure, "error", err)
		return say(connect.CodeUnavailable, reasonUnavailable, "the database is not available")
	}
	if ce := (*connect.Error)(nil); errors.As(err, &ce) {
		return ofConnect(ce)
	}
	m.log.ErrorContext(ctx, "a call failed", "procedure", procedure, "error", err)
	return say(connect.CodeInternal, reasonInternal, "a fault of the server; its log has the cause")
}

// ofConnect gives a detail to an error that Connect itself made.
func ofConnect(err *connect.Error) verdict {
	reason := reasonInternal
	switch err.Code() {
	case connect.CodeInvalidArgument:
		reason = string(ledger.ReasonMalformed)
	case connect.CodeResourceExhausted:
		reason = string(ledger.ReasonTooLarge)
	case connect.CodeCanceled:
		reason = reasonCanceled
	case connect.CodeDeadlineExceeded:
		reason = reasonDeadline
	case connect.CodeUnimplemented:
		reason = reasonUnimplemented
	case connect.CodeUnavailable:
		reason = reasonUnavailable
	}
	return verdict{err.Code(), &bkv1.ErrorDetail{Reason: reason, Message: printable(err.Message())}}
}

// of makes the error of a call.
func (m *errorMapper) of(ctx context.Context, procedure string, err error) *connect.Error {
	v := m.judge(ctx, procedure, err)
	text := v.detail.Message
	if v.detail.Field != "" {
		text = v.detail.Field + ": " + text
	}
	out := connect.NewError(v.code, errors.New(text))
	if detail, err := connect.NewErrorDetail(v.detail); err == nil {
		out.AddDetail(detail)
	}
	return out
}

// element makes the error of one element of a call.
func (m *errorMapper) element(ctx context.Context, procedure string, err error) *bkv1.Error {
	v := m.judge(ctx, procedure, err)
	return &bkv1.Error{Code: v.code.String(), Detail: v.detail}
}

// databaseAway reports whether Postgres could not be reached, or ended the session for reasons of its own.
func databaseAway(err error) bool {
	if connecting := (*pgconn.ConnectError)(nil); errors.As(err, &connecting) {
		return true
	}
	if said := (*pgconn.PgError)(nil); errors.As(err, &said) && len(said.Code) == 5 {
		switch said.Code[:2] {
		case "08", "53", "57": // connection, insufficient resources, operator intervention
			return true
		}
		return false
	}
	if broken := (*net.OpError)(nil); errors.As(err, &broken) || errors.Is(err, io.ErrUnexpectedEOF) {
		return true // in the middle of an answer
	}
	return pgconn.SafeToRetry(err)
}

// codedError is an error that already is what a caller is to see.
type codedError struct {
	code            connect.Code
	reason, message string
}

func (e *codedError) Error() string { return e.message }

// locatedError says which element of a call failed.
type locatedError struct {
	err   error
	field string
	index *int32
}

func (e *locatedError) Error() string { return e.field + ": " + e.err.Error() }
func (e *locatedError) Unwrap() error { return e.err }

// at locates an error in a list: commands[7]. A rejection's field is moved below it.
func at(list string, i int, err error) error {
	index := int32(i)
	field := indexed(list, i)
	if rej := ledger.AsRejection(err); rej != nil {
		err = rej.Under(field)
	}
	return &locatedError{err: err, field: field, index: &index}
}
