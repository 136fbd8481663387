package trades

import (
	"errors"
	"fmt"
	"time"

	"github.com/bkledger/bk/ledger"
)

// booked is a trade as its booking says, in the terms of a [Row]; it never changes.
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
	opened    ledger.ID // the booking, or a later entry
	settled   ledger.ID
	settledOn ledger.Date
	street    ledger.ID // settled the street side
	streetOn  ledger.Date
	canceled  ledger.ID
}

var errNotBooked = errors.New("an entry is about a trade that was not booked")

// instrumentOf gives the number of a booking's security.
func instrumentOf(e *ledger.Entry, books Books) (int64, error) {
	t := e.Trade
	security, ok := books.Instrument(t.Instrument)
	switch {
	case !ok:
		return 0, fmt.Errorf("the trade is in %s, which is not defined", t.Instrument)
	case t.Account.ID == 0:
		return 0, errors.New("the trade has no account")
	}
	return security.ID, nil
}

// bookedBy reads a booking.
func bookedBy(e *ledger.Entry, books Books) (b booked, err error) {
	instrument, err := instrumentOf(e, books)
	if err != nil {
		return b, err
	}
	t := e.Trade
	return booked{
		Trade: e.ID, Account: t.Account.ID, Target: t.Target.ID, Instrument: instrument,
		Kind: e.Kind, Direction: t.Direction, Currency: t.Currency, ClientTradeID: t.ClientTradeID,
		Quantity: t.Quantity, Price: t.Price, Gross: t.Gross, Net: t.Net,
		Commission: t.Commission, SECFee: t.SECFee, TAFFee: t.TAFFee, Accrued: t.Accrued,
		TradeDate: e.TradeDate, SettleDate: e.SettleDate, EffectiveDate: e.EffectiveDate, BookedAt: e.BookedAt.UTC(), Corrects: e.Links.Corrects,
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
	return nil
}

// lived is a row of the table of lives: what came of a trade, and the dates of its booking that states and filters need.
type lived struct {
	trade                                ledger.ID
	tradeDate, settleDate, effectiveDate ledger.Date
	life
}

func livedBy(e *ledger.Entry, l life) lived {
	return lived{trade: e.ID, tradeDate: e.TradeDate, settleDate: e.SettleDate, effectiveDate: e.EffectiveDate, life: l}
}

// moment is what is known, and up to which day it counts.
type moment struct {
	known ledger.ID // the last entry
	asOf  ledger.Date
}

// at leaves out what is not known yet, or not effective.
func (l lived) at(m moment) lived {
	if l.opened > m.known || l.effectiveDate > m.asOf {
		l.opened = 0
	}
	if l.settled > m.known || l.settledOn > m.asOf {
		l.settled = 0
	}
	if l.street > m.known || l.streetOn > m.asOf {
		l.street = 0
	}
	if l.canceled > m.known {
		l.canceled = 0
	}
	return l
}

// state gives where the entries of a life lead.
func (l *life) state() ledger.TradeState {
	switch {
	case l.canceled != 0:
		return ledger.TradeCanceled
	case l.settled != 0:
		return ledger.TradeSettled
	case l.opened != 0:
		return ledger.TradeOpen
	}
	return ledger.TradeNew
}

// The states that are looked for in the table, in its terms. Indexes have them as their condition.
const (
	isNew  = `opened IS NULL AND settled IS NULL AND canceled IS NULL`
	isOpen = `opened IS NOT NULL AND settled IS NULL AND canceled IS NULL`
)

// row makes what a page shows of a trade; l is as at the page's moment.
func row(b *booked, l lived, replacedBy ledger.ID) Row {
	r := Row{
		Trade: b.Trade, State: l.state(), Account: b.Account, Target: b.Target, Instrument: b.Instrument,
		Kind: b.Kind, Direction: b.Direction, Currency: b.Currency, ClientTradeID: b.ClientTradeID,
		Quantity: b.Quantity, Price: b.Price, Gross: b.Gross, Net: b.Net, Commission: b.Commission, SECFee: b.SECFee, TAFFee: b.TAFFee, Accrued: b.Accrued,
		TradeDate: b.TradeDate, SettleDate: b.SettleDate, EffectiveDate: b.EffectiveDate, BookedAt: b.BookedAt, Corrects: b.Corrects,
		Opened: l.opened, Settled: l.settled, Canceled: l.canceled, Street: l.canceled == 0 && l.street != 0,
	}
	if l.canceled != 0 {
		r.ReplacedBy = replacedBy
	}
	return r
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
