package bankmap

import (
	"strings"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
)

// Failure is BK's reason for not having booked a command, in Bank's terms.
type Failure struct {
	Index   int // of the command
	Reason  string
	Field   string // below the command
	Message string
}

// The reasons of BK that the edge decides by.
const (
	ReasonKeyConflict    = "key_conflict"
	ReasonUnknownAccount = "unknown_account"
	ReasonTradeNotFound  = "trade_not_found"
	ReasonTradeCanceled  = "trade_already_canceled"
	ReasonTradeSettled   = "trade_settled"
	ReasonDayPassed      = "day_passed"
	ReasonAccountExists  = "account_exists"
	ReasonEntryNotFound  = "entry_not_found"
)

// FailureOf reads the detail of an error about a command of a batch.
func FailureOf(d *bkv1.ErrorDetail) Failure {
	f := Failure{Index: int(d.GetIndex()), Reason: d.GetReason(), Field: d.GetField(), Message: d.GetMessage()}
	if rest, ok := strings.CutPrefix(f.Field, "commands["); ok {
		_, f.Field, _ = strings.Cut(rest, "]")
		f.Field = strings.TrimPrefix(f.Field, ".")
	}
	return f
}

// OfTrade gives what a client is told that asked for the trade number element of its call; nil where BK's reason is none that a client could have caused.
func (f Failure) OfTrade(element int, t *bank.Trade) *bank.Error {
	switch f.Reason {
	case ReasonKeyConflict:
		return bank.OtherTrade(t)
	case ReasonUnknownAccount:
		if strings.HasSuffix(f.Field, "target") {
			return bank.NoAccount(t.TargetAccountID)
		}
		return bank.NoAccount(t.AccountID)
	case ReasonTradeNotFound:
		return bank.NoReplaced(t)
	case ReasonTradeSettled:
		return bank.SettledReplaced(t)
	case "out_of_range", "invalid_field", "missing_field", "too_large":
		return bank.Errorf(bank.MalformedTrade, "trades[%d].%s: %s", element, fieldOf(f.Field), f.Message)
	}
	return nil
}

// OfCancel gives what a client is told that wanted to cancel a trade.
func (f Failure) OfCancel(ref bank.TradeRef) *bank.Error {
	switch f.Reason {
	case ReasonTradeNotFound:
		return ref.NotFound()
	case ReasonTradeCanceled:
		return ref.Canceled()
	case ReasonTradeSettled:
		return ref.Settled()
	}
	return nil
}

// OfCash gives what a client is told that wanted to move cash.
func (f Failure) OfCash(c *bank.Cash) *bank.Error {
	switch f.Reason {
	case ReasonKeyConflict:
		return bank.OtherCash(c.ClientID)
	case ReasonUnknownAccount:
		if strings.HasSuffix(f.Field, ".to") {
			return bank.NoAccount(c.TargetAccountID)
		}
		return bank.NoAccount(c.AccountID)
	case "out_of_range", "invalid_field", "missing_field", "too_large":
		return bank.Errorf(bank.MalformedRequest, "%s: %s", f.Field, f.Message)
	}
	return nil
}

// fields are the names of BK's fields in Bank's terms, where they differ.
var fields = map[string]string{
	"trade.executed_at": "timestamp", "trade_date": "date", "settle_date": "settlement.date", "trade.account": "account_id", "trade.target": "target_account_id",
	"trade.currency": "settlement.currency", "trade.commission": "fees.commission", "trade.accrued": "interest.accrued", "replaces": "cancel_trade_id",
	"trade.direction": "side.direction", "trade.short": "side.qualifier", "trade.effect": "side.position", "trade": "price",
}

func fieldOf(field string) string {
	if name, ok := fields[field]; ok {
		return name
	}
	return strings.TrimPrefix(field, "trade.")
}
