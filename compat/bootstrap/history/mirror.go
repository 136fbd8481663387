package history

import (
	"fmt"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/ledger"
)

// The memos of journal rows of trades.
const (
	memoOpen   = "open"
	memoSettle = "settle"
	memoCancel = "cancel"
)

// live is a trade that was booked and whose journal rows have not all been seen, or whose replacement is still to come.
type live struct {
	id, account, target   bank.ID // target is 0 but for allocations and transfers
	clientID, key         string
	symbol, currency      string
	sell                  bool
	tradeDate, settleDate bank.Date
	state                 string // as BK has it now
	final                 string // as Bank has it at the place
	bk                    int64

	quantity, principal ledger.Amount
	fees                [3]ledger.Amount

	canceledAt int64
	canceler   bank.ID // the trade that cancelled it by standing in its place; 0: it was cancelled by itself, if at all
	lastBy     bank.ID // the last trade that names it as replaced; it is kept until then
	replacedBy bank.ID // as BK has it now
	stored     bank.ID // replaced_by as Bank has it
	never      bool    // it was never in force

	past *past // nil where all of the history is booked

	want, seen uint16 // journal rows: of what BK has done, and of what Bank's journal has shown
}

// holding is a position, money a balance, as the books that are made have them.
type (
	holdingKey struct {
		account bank.ID
		symbol  string
	}
	holding  struct{ traded, settled ledger.Amount }
	moneyKey struct {
		account  bank.ID
		currency string
	}
	money struct{ settled, debits, credits ledger.Amount }
)

// mirror knows what BK's books hold, of the accounts that are Bank's.
type mirror struct {
	holdings map[holdingKey]*holding
	monies   map[moneyKey]*money
}

func newMirror() mirror {
	return mirror{map[holdingKey]*holding{}, map[moneyKey]*money{}}
}

func (m *mirror) holding(account bank.ID, symbol string) *holding {
	k := holdingKey{account, symbol}
	h := m.holdings[k]
	if h == nil {
		h = &holding{}
		m.holdings[k] = h
	}
	return h
}

func (m *mirror) money(account bank.ID, currency string) *money {
	k := moneyKey{account, currency}
	c := m.monies[k]
	if c == nil {
		c = &money{}
		m.monies[k] = c
	}
	return c
}

func (c *money) pending(amount ledger.Amount, sign int) {
	to := &c.credits
	if amount.Sign() < 0 {
		to, amount = &c.debits, amount.Neg()
	}
	*to = to.Add(signed(amount, sign))
}

func signed(a ledger.Amount, sign int) ledger.Amount {
	if sign < 0 {
		return a.Neg()
	}
	return a
}

// side is what a trade brings one of its accounts.
type side struct {
	account         bank.ID
	quantity, money ledger.Amount
}

func (t *live) sides() []side {
	quantity, principal := t.quantity, t.principal.Neg()
	if t.sell {
		quantity, principal = t.quantity.Neg(), t.principal
	}
	own := principal
	for _, fee := range t.fees {
		own = own.Sub(fee)
	}
	if t.target == 0 {
		return []side{{t.account, quantity, own}}
	}
	return []side{{t.account, quantity, own}, {t.target, quantity.Neg(), principal.Neg()}}
}

// open, settle and cancel do what BK does.
func (m *mirror) open(t *live) {
	for _, s := range t.sides() {
		h := m.holding(s.account, t.symbol)
		h.traded = h.traded.Add(s.quantity)
		m.money(s.account, t.currency).pending(s.money, 1)
	}
	t.state, t.want = bank.StateOpen, t.want|t.rows(stepOpen)
}

func (m *mirror) settle(t *live) {
	for _, s := range t.sides() {
		h := m.holding(s.account, t.symbol)
		h.settled = h.settled.Add(s.quantity)
		c := m.money(s.account, t.currency)
		c.pending(s.money, -1)
		c.settled = c.settled.Add(s.money)
	}
	t.state, t.want = bank.StateSettled, t.want|t.rows(stepSettle)
}

func (m *mirror) cancel(t *live) {
	if t.state == bank.StateOpen {
		for _, s := range t.sides() {
			h := m.holding(s.account, t.symbol)
			h.traded = h.traded.Sub(s.quantity)
			m.money(s.account, t.currency).pending(s.money, -1)
		}
		t.want |= t.rows(stepCancel)
	}
	t.state = bank.StateCanceled
}

// The steps of a trade, as places in the masks of its rows; each has five rows: the principal, three fees, the other account's.
const (
	stepOpen = iota
	stepSettle
	stepCancel
	rowsPerStep = 5
	rowTarget   = 4
)

// rows gives the mask of the rows of a step.
func (t *live) rows(step int) uint16 {
	mask := uint16(1)
	for i, fee := range t.fees {
		if !fee.IsZero() {
			mask |= 1 << (1 + i)
		}
	}
	if t.target != 0 {
		mask |= 1 << rowTarget
	}
	return mask << (step * rowsPerStep)
}

// memos names the rows of a step of the booking account; the other account has the first alone.
var memos = [3][4]string{
	{memoOpen, "commission", "sec_fee", "taf"},
	{memoSettle, "commission_settle", "sec_fee_settle", "taf_settle"},
	{memoCancel, "commission_cancel", "sec_fee_cancel", "taf_cancel"},
}

// slotOf finds which row a memo stands for.
func slotOf(memo string) (step, slot int, ok bool) {
	for step := range memos {
		for slot, name := range memos[step] {
			if name == memo {
				return step, slot, true
			}
		}
	}
	return 0, 0, false
}

// expect gives the row that a step makes in an account: quantity and amount, signed, and its place in the mask.
func (t *live) expect(account bank.ID, step, slot int) (quantity, amount ledger.Amount, bit uint16, err error) {
	sides := t.sides()
	switch {
	case account == t.account && slot == 0:
		quantity, amount = sides[0].quantity, t.principal.Neg()
		if t.sell {
			amount = t.principal
		}
	case account == t.account:
		amount = t.fees[slot-1].Neg()
	case t.target != 0 && account == t.target && slot == 0:
		quantity, amount, slot = sides[1].quantity, sides[1].money, rowTarget
	default:
		return quantity, amount, 0, fmt.Errorf("account_id: %d has no such row of trade %d", account, t.id)
	}
	if step == stepCancel {
		quantity, amount = quantity.Neg(), amount.Neg()
	}
	bit = 1 << (step*rowsPerStep + slot)
	if t.rows(step)&bit == 0 {
		return quantity, amount, 0, fmt.Errorf("memo: trade %d has no %s", t.id, memos[step][slot])
	}
	return quantity, amount, bit, nil
}
