package trades

import (
	"errors"
	"fmt"
	"time"

	"github.com/bkledger/bk/ledger"
)

// booked is a trade as its booking says; it never changes.
type booked struct {
	Trade         ledger.ID
	Account       int64
	Target        int64 // 0 if none
	Instrument    int64
	Kind          ledger.Kind
	Direction     ledger.Direction
	Currency      string
	ClientTradeID string
	Quantity      ledger.Amount
	Price         ledger.Amount
	Gross         ledger.Amount
	Net           ledger.Amount // the account's cash, signed
	Commission    ledger.Amount
	SECFee        ledger.Amount
	TAFFee        ledger.Amount
	Accrued       ledger.Amount
	TradeDate     ledger.Date
	SettleDate    ledger.Date
	EffectiveDate ledger.Date
	BookedAt      time.Time
	Corrects      ledger.ID // the trade that it was booked in place of, 0 if none
}

// life is what came of a trade: the entries that moved it on, 0 where there is none, and from which effective date on their postings
// count. Each of them happens once in a trade's life, so what two chunks know of a life can be put together in any order.
type life struct {
	state     ledger.TradeState // after the last of them
	opened    ledger.ID         // the booking, or a later entry
	settled   ledger.ID
	settledOn ledger.Date
	street    ledger.ID // settled the street side
	streetOn  ledger.Date
	canceled  ledger.ID
}

// bookedBy reads a booking.
func bookedBy(e *ledger.Entry, books Books) (b booked, err error) {
	t := e.Trade
	security, ok := books.Instrument(t.Instrument)
	switch {
	case !ok:
		return b, fmt.Errorf("the trade is in %s, which is not defined", t.Instrument)
	case t.Account.ID == 0:
		return b, errors.New("the trade has no account")
	}
	return booked{
		Trade: e.ID, Account: t.Account.ID, Target: t.Target.ID, Instrument: security.ID,
		Kind: e.Kind, Direction: t.Direction, Currency: t.Currency, ClientTradeID: t.ClientTradeID,
		Quantity: t.Quantity, Price: t.Price, Gross: t.Gross, Net: t.Net,
		Commission: t.Commission, SECFee: t.SECFee, TAFFee: t.TAFFee, Accrued: t.Accrued,
		TradeDate: e.TradeDate, SettleDate: e.SettleDate, EffectiveDate: e.EffectiveDate, BookedAt: e.BookedAt, Corrects: e.Links.Corrects,
	}, nil
}

// concerns reports whether an entry moves a trade on. Other entries about a trade, and the reversals that come with a cancel, leave it
// where it is: a cancel takes effect as one. That another trade is booked in its place shows from that one's booking.
func concerns(e *ledger.Entry) bool {
	switch e.Kind {
	case ledger.KindTradeOpen, ledger.KindSettle, ledger.KindSettleStreet, ledger.KindCancel:
		return true
	}
	return e.Kind.IsTrade()
}

// add takes in an entry that concerns the trade.
func (l *life) add(e *ledger.Entry) error {
	var allowed [2]ledger.TradeState
	switch e.Kind {
	case ledger.KindTradeOpen:
		allowed[0], l.opened = ledger.TradeOpen, e.ID
	case ledger.KindSettle:
		allowed[0], l.settled, l.settledOn = ledger.TradeSettled, e.ID, e.EffectiveDate
		if settlesStreet(e) {
			l.street, l.streetOn = e.ID, e.EffectiveDate
		}
	case ledger.KindSettleStreet:
		allowed, l.street, l.streetOn = [2]ledger.TradeState{ledger.TradeOpen, ledger.TradeSettled}, e.ID, e.EffectiveDate
	case ledger.KindCancel:
		allowed[0], l.canceled = ledger.TradeCanceled, e.ID
	default:
		allowed = [2]ledger.TradeState{ledger.TradeNew, ledger.TradeOpen}
		if e.State == ledger.TradeOpen {
			l.opened = e.ID
		}
	}
	if e.State != allowed[0] && e.State != allowed[1] || e.State == "" {
		return fmt.Errorf("a %s leaves the trade %q", e.Kind, e.State)
	}
	l.state = e.State
	return nil
}

// settlesStreet reports whether a settlement of the trade's parties includes the street side.
func settlesStreet(e *ledger.Entry) bool {
	for _, p := range e.Postings {
		if p.Account != e.Trade.Account.ID && p.Account != e.Trade.Target.ID {
			return true
		}
	}
	return false
}
