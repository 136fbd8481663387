package legacy

import (
	"fmt"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// trade is a row of the table.
type trade struct {
	bank.StoredTrade
	running       *bank.Decimal // the account's position right after it opened
	targetRunning *bank.Decimal
}

// holdingKey and moneyKey name a row of a position and of a balance.
type (
	holdingKey struct {
		account bank.ID
		symbol  string
	}
	moneyKey struct {
		account  bank.ID
		currency string
	}
)

// holding is a position.
type holding struct{ quantity, settled decimal.Decimal }

// money is a balance.
type money struct{ settled, debits, credits decimal.Decimal }

func (m *money) traded() decimal.Decimal { return m.settled.Add(m.credits).Sub(m.debits) }

// pending adds to (or, by a factor of -1, takes from) what is to be paid or received for open trades.
func (m *money) pending(amount decimal.Decimal, factor decimal.Decimal) {
	if amount.IsNegative() {
		m.debits = m.debits.Add(amount.Neg().Mul(factor))
	} else {
		m.credits = m.credits.Add(amount.Mul(factor))
	}
}

// journalRow is a row to be.
type journalRow struct {
	account                                    bank.ID
	date                                       bank.Date
	trade, cash                                bank.ID // 0: null
	symbol, currency, memo                     string
	tdQuantity, tdAmount, sdQuantity, sdAmount decimal.Decimal
}

// sink is where work is written: row by row in a booking's transaction, or in bulk in a roll's.
type sink interface {
	insertTrade(*trade)
	updateTrade(*trade)
	holding(holdingKey, *holding)
	money(moneyKey, *money)
	journal(journalRow)
	cash(c cashRow, bookedAt int64)
	// event takes the JSON after {"event_id":N,
	event(topic topic, key string, rest []byte)
}

// work does what trades and cash do to the rows of the accounts that it holds locked, and remembers nothing but those rows: what it changes goes to the sink
// at once, in order.
type work struct {
	date     bank.Date // business date of the work
	now      int64     // milliseconds
	holdings map[holdingKey]*holding
	monies   map[moneyKey]*money
	to       sink
}

// leg is one account's side of a trade.
type leg struct {
	account   bank.ID
	quantity  decimal.Decimal // signed, as all here
	principal decimal.Decimal
	fees      []fee
}

type fee struct {
	memo   string
	amount decimal.Decimal
}

// total is the leg's cash.
func (l *leg) total() decimal.Decimal {
	sum := l.principal
	for _, f := range l.fees {
		sum = sum.Add(f.amount)
	}
	return sum
}

// legsOf gives the sides of a trade, the booking account's first. Fees are the booking account's.
func legsOf(t *bank.StoredTrade) []leg {
	quantity, principal := t.Quantity.Decimal, t.GrossAmount.Decimal
	if t.Interest != nil {
		principal = principal.Add(t.Interest.Accrued.Decimal)
	}
	if t.Side.Direction == bank.Buy {
		principal = principal.Neg()
	} else {
		quantity = quantity.Neg()
	}
	own := leg{account: t.AccountID, quantity: quantity, principal: principal}
	for _, f := range []fee{{"commission", t.Fees.Commission.Decimal}, {"sec_fee", t.SECFee.Decimal}, {"taf", t.TAFFee.Decimal}} {
		if !f.amount.IsZero() {
			own.fees = append(own.fees, fee{f.memo, f.amount.Neg()})
		}
	}
	if !isPair(&t.Trade) {
		return []leg{own}
	}
	return []leg{own, {account: t.TargetAccountID, quantity: quantity.Neg(), principal: principal.Neg()}}
}

// rows gives the leg's journal rows of a step, in TD or SD columns, with a sign.
func (w *work) rows(t *bank.StoredTrade, l leg, principalMemo, feeSuffix string, settled bool, sign decimal.Decimal) {
	put := func(memo string, quantity, amount decimal.Decimal) {
		r := journalRow{account: l.account, date: w.date, trade: t.TradeID, symbol: t.Instrument.Identifier, currency: t.Settlement.Currency, memo: memo}
		if settled {
			r.sdQuantity, r.sdAmount = quantity.Mul(sign), amount.Mul(sign)
		} else {
			r.tdQuantity, r.tdAmount = quantity.Mul(sign), amount.Mul(sign)
		}
		w.to.journal(r)
	}
	put(principalMemo, l.quantity, l.principal)
	for _, f := range l.fees {
		put(f.memo+feeSuffix, decimal.Zero, f.amount)
	}
}

var plus, minus = decimal.NewFromInt(1), decimal.NewFromInt(-1)

// enter books a trade: as new, or open, or settled if it is late.
func (w *work) enter(t *trade) error {
	t.State = bank.StateNew
	if w.date != 0 && t.Date > w.date {
		if err := w.events(&t.StoredTrade, bank.EventBooked); err != nil {
			return err
		}
	} else if err := w.open(t); err != nil {
		return err
	}
	if t.State == bank.StateOpen && w.date != 0 && t.SettleDate <= w.date {
		if err := w.settle(t); err != nil {
			return err
		}
	}
	w.to.insertTrade(t)
	return nil
}

// open takes a trade into the TD columns. The caller writes the trade.
func (w *work) open(t *trade) error {
	t.State = bank.StateOpen
	legs := legsOf(&t.StoredTrade)
	for i := range legs {
		h, m, err := w.of(&t.StoredTrade, legs[i].account)
		if err != nil {
			return err
		}
		h.quantity = h.quantity.Add(legs[i].quantity)
		m.pending(legs[i].total(), plus)
		running := &bank.Decimal{Decimal: h.quantity}
		if i == 0 {
			t.running = running
		} else {
			t.targetRunning = running
		}
		w.rows(&t.StoredTrade, legs[i], "open", "", false, plus)
		w.put(&t.StoredTrade, legs[i].account, h, m)
	}
	return w.events(&t.StoredTrade, bank.EventOpened)
}

// settle takes an open trade into the SD columns. The caller writes the trade.
func (w *work) settle(t *trade) error {
	t.State = bank.StateSettled
	for _, l := range legsOf(&t.StoredTrade) {
		h, m, err := w.of(&t.StoredTrade, l.account)
		if err != nil {
			return err
		}
		total := l.total()
		h.settled = h.settled.Add(l.quantity)
		m.pending(total, minus)
		m.settled = m.settled.Add(total)
		w.rows(&t.StoredTrade, l, "settle", "_settle", true, plus)
		w.put(&t.StoredTrade, l.account, h, m)
	}
	return w.events(&t.StoredTrade, bank.EventSettled)
}

// cancel undoes a new or open trade, and writes it.
func (w *work) cancel(t *trade, at int64, replacedBy bank.ID) error {
	was := t.State
	t.State, t.CanceledAt = bank.StateCanceled, &at
	if replacedBy != 0 {
		t.ReplacedBy = &replacedBy
	}
	if was == bank.StateOpen {
		for _, l := range legsOf(&t.StoredTrade) {
			h, m, err := w.of(&t.StoredTrade, l.account)
			if err != nil {
				return err
			}
			h.quantity = h.quantity.Sub(l.quantity)
			m.pending(l.total(), minus)
			w.rows(&t.StoredTrade, l, "cancel", "_cancel", false, minus)
			w.put(&t.StoredTrade, l.account, h, m)
		}
	}
	w.to.updateTrade(t)
	return w.events(&t.StoredTrade, bank.EventCanceled)
}

// of gives the rows of the trade's symbol and currency in an account. They must be among those that were read under the account's lock.
func (w *work) of(t *bank.StoredTrade, account bank.ID) (*holding, *money, error) {
	h, m := w.holdings[holdingKey{account, t.Instrument.Identifier}], w.monies[moneyKey{account, t.Settlement.Currency}]
	if h == nil || m == nil {
		return nil, nil, fmt.Errorf("trade %s, account %s: %w", t.TradeID, account, errAgain)
	}
	return h, m, nil
}

func (w *work) put(t *bank.StoredTrade, account bank.ID, h *holding, m *money) {
	w.to.holding(holdingKey{account, t.Instrument.Identifier}, h)
	w.to.money(moneyKey{account, t.Settlement.Currency}, m)
}
