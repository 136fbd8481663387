package bank

import (
	"errors"
	"fmt"
)

// Type names what went wrong. The list is closed; its order is the order of precedence (contract, section 1).
type Type string

// The types of error.
const (
	Unauthorized         Type = "unauthorized"
	NotFound             Type = "not_found"
	MethodNotAllowed     Type = "method_not_allowed"
	TooLarge             Type = "too_large"
	MalformedRequest     Type = "malformed_request"
	MalformedTrade       Type = "malformed_trade"
	TooManyTrades        Type = "too_many_trades"
	MissingAccountID     Type = "missing_account_id"
	ClientIDConflict     Type = "client_trade_id_conflict"
	UnknownAccount       Type = "unknown_account"
	TradeNotFound        Type = "trade_not_found"
	AccountNotFound      Type = "account_not_found"
	EntityNotFound       Type = "entity_not_found"
	PositionNotFound     Type = "position_not_found"
	UploadNotFound       Type = "upload_not_found"
	TradeAlreadyCanceled Type = "trade_already_canceled"
	TradeSettled         Type = "trade_settled"
	FileExists           Type = "file_exists"
	EmptyFile            Type = "empty_file"
	UnsupportedFile      Type = "unsupported_file"
	Conflict             Type = "conflict" // operations only: defined before with other content
	OutcomeUnknown       Type = "outcome_unknown"
	Internal             Type = "internal"
)

// Status gives the HTTP status of a type.
func (t Type) Status() int {
	switch t {
	case Unauthorized:
		return 401
	case NotFound, TradeNotFound, AccountNotFound, EntityNotFound, PositionNotFound, UploadNotFound:
		return 404
	case MethodNotAllowed:
		return 405
	case TooLarge:
		return 413
	case MalformedRequest, MalformedTrade, TooManyTrades, MissingAccountID, EmptyFile, UnsupportedFile:
		return 400
	case ClientIDConflict, TradeAlreadyCanceled, TradeSettled, FileExists, Conflict:
		return 409
	case UnknownAccount:
		return 422
	case OutcomeUnknown:
		return 504
	}
	return 500
}

// Refuses reports whether an error of this type is a system's decision about what it was asked for: it has done nothing, and the same again would not help. The
// other types, and "", tell of the system, or of how it was asked.
func (t Type) Refuses() bool {
	switch t {
	case "", OutcomeUnknown, Internal, Unauthorized, NotFound, MethodNotAllowed:
		return false
	}
	return true
}

// Error is what a client is told.
type Error struct {
	Type    Type   `json:"type"`
	Message string `json:"message"`
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s", e.Type, e.Message) }

// Errorf makes an [Error].
func Errorf(t Type, format string, args ...any) *Error {
	return &Error{Type: t, Message: fmt.Sprintf(format, args...)}
}

// TypeOf gives the type of an error in err's chain, "" if there is none.
func TypeOf(err error) Type {
	var e *Error
	if errors.As(err, &e) {
		return e.Type
	}
	return ""
}
