package bankmap

import (
	"fmt"

	"github.com/shopspring/decimal"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/ledger"
)

// Standing is what BK's record of a trade doesn't say of it, in Bank's terms.
type Standing struct {
	// ID is Bank's id of the trade, ReplacedBy of the one that stands in its place, Replaces of the one in whose place it stands; 0: none.
	ID, ReplacedBy, Replaces bank.ID
	BookedAt                 int64 // milliseconds
	CanceledAt               int64 // milliseconds; 0 while it is not cancelled
}

// Put puts the trade as it stood right after the entry that carries the record into a zero value. x is what BK's trade has no field for.
func (s *Standing) Put(to *bank.StoredTrade, r *bkv1.TradeRecord, x *Extras) error {
	if err := putTrade(&to.Trade, r, x); err != nil {
		return err
	}
	to.TradeID, to.State, to.SettleDate, to.BookedAt = s.ID, State(r.GetState()), bank.Date(r.GetSettleDate()), s.BookedAt
	if s.CanceledAt != 0 {
		to.CanceledAt = new(s.CanceledAt)
	}
	if s.ReplacedBy != 0 {
		to.ReplacedBy = new(s.ReplacedBy)
	}
	if s.Replaces != 0 {
		to.Replaces = new(s.Replaces)
	}
	var read decimals
	to.GrossAmount, to.NetAmount = read.decimal("gross", r.GetGross()), read.decimal("net", r.GetNet())
	to.SECFee, to.TAFFee = read.decimal("sec_fee", r.GetSecFee()), read.decimal("taf_fee", r.GetTafFee())
	if read.err != nil {
		return fmt.Errorf("trade %d: %w", r.GetId(), read.err)
	}
	return nil
}

// TradeEvent gives the kind of event that Bank has of what an entry does to its trade, "" if it has none: a link, the street's settlement, a step of a cancel that
// Bank doesn't know.
func TradeEvent(e *bkv1.Entry) string {
	switch kind := e.GetKind(); {
	case kind == kindSettle:
		return bank.EventSettled
	case kind == kindCancel:
		return bank.EventCanceled
	case kind == kindOpen:
		return bank.EventOpened
	case !Books(e):
		return ""
	case e.GetTrade().GetState() == bkv1.TradeState_TRADE_STATE_NEW:
		return bank.EventBooked
	}
	return bank.EventOpened
}

// TradeLeg gives which of a trade's events an account's is: 0 of the account that it is booked to, 1 of the one that an allocation or a transfer goes to. ok is
// false for any other account.
func TradeLeg(t *bkv1.Trade, account int64) (leg int, ok bool) {
	switch account {
	case t.GetAccount().GetId():
		return 0, true
	case t.GetTarget().GetId():
		return 1, true
	}
	return 0, false
}

// CashLeg gives which of a cash movement's events an account's is, 0 of the giving account or the only one, 1 of the receiving account of a journal, and the amount that
// it gets (+) or gives (-). ok is false for any other account.
func CashLeg(c *bank.Cash, account bank.ID) (leg int, amount bank.Decimal, ok bool) {
	switch {
	case account == c.AccountID && c.Kind == bank.Deposit:
		return 0, c.Amount, true
	case account == c.AccountID:
		return 0, negative(c.Amount), true
	case c.Kind == bank.CashJournal && account == c.TargetAccountID:
		return 1, c.Amount, true
	}
	return 0, bank.Decimal{}, false
}

// Amount gives an amount of BK, a sum too.
func Amount(a ledger.Amount) bank.Decimal {
	hi, lo := a.Bits()
	if negative := hi < 0; hi == 0 && lo>>63 == 0 || negative && hi == -1 && lo>>63 == 1 {
		units, exponent := int64(lo), int32(-ledger.AmountScale)
		for units != 0 && units%100000 == 0 && exponent <= -5 {
			units, exponent = units/100000, exponent+5
		}
		for units != 0 && units%10 == 0 && exponent < 0 {
			units, exponent = units/10, exponent+1
		}
		if units == 0 {
			return bank.Decimal{}
		}
		return bank.Decimal{Decimal: decimal.New(units, exponent)}
	}
	return bank.Decimal{Decimal: decimal.NewFromBigInt(a.Unscaled(), -ledger.AmountScale)}
}
