package demo

import (
	"fmt"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// trade calls until it is to stop.
func (c *client) trade(think time.Duration) {
	for c.pause(think/2 + time.Duration(c.Int64N(int64(think)+1))) {
		switch x := c.IntN(100); {
		case x < 40:
			c.book(1 + c.IntN(2))
		case x < 50:
			c.cancel()
		case x < 58:
			c.correct()
		case x < 62:
			c.cancelAgain()
		case x < 66:
			c.repeat()
		case x < 69:
			c.conflict()
		case x < 72:
			c.unknown()
		case x < 82:
			c.read()
		case x < 90:
			c.readPositions()
		case x < 95:
			c.move()
		default:
			c.readCash()
		}
	}
}

// book books new trades in one call.
func (c *client) book(n int) {
	day, roll := bank.Date(c.today.Load()), c.rolls.Load()
	var trades []bank.Trade
	for range n {
		trades = append(trades, c.draw(day))
	}
	began := time.Now()
	booked, err := c.api.BookTrades(c.calls, trades)
	if c.called("book", began, "", err) {
		c.took(trades, booked, roll)
	}
}

// took notes what was booked. Ids of an account ascend, whoever gives them.
func (c *client) took(trades []bank.Trade, booked []bank.Booked, roll int64) {
	for i, b := range booked {
		account := trades[i].AccountID
		if b.ClientTradeID != trades[i].ClientTradeID || b.TradeID <= c.highest[account] {
			c.surprise("book %s: the answer is %s with the id %s, behind %s", trades[i].ClientTradeID, b.ClientTradeID, b.TradeID, c.highest[account])
		}
		c.highest[account] = max(c.highest[account], b.TradeID)
		c.keep(trades[i], b.TradeID, roll)
	}
	c.figures.booked(len(booked))
}

// ref names a trade by the client's id.
func (p *placed) ref() bank.TradeRef {
	return bank.TradeRef{AccountID: p.trade.AccountID, ClientTradeID: p.trade.ClientTradeID}
}

// cancel cancels a trade, by its id or by the client's.
func (c *client) cancel() {
	p := c.choose(false)
	if p == nil {
		return
	}
	ref := p.ref()
	if c.IntN(2) == 0 {
		ref = bank.TradeRef{TradeID: p.id}
	}
	began := time.Now()
	if c.called("cancel", began, "", c.api.CancelTrade(c.calls, ref)) {
		c.undo(p)
	}
}

// cancelAgain cancels what is cancelled: that is refused.
func (c *client) cancelAgain() {
	if p := c.choose(true); p != nil {
		began := time.Now()
		c.called("cancel again", began, bank.TradeAlreadyCanceled, c.api.CancelTrade(c.calls, p.ref()))
	}
}

// correct books a trade in the place of another.
func (c *client) correct() {
	p := c.choose(false)
	if p == nil {
		return
	}
	roll := c.rolls.Load()
	t := c.draw(p.trade.Date)
	t.AccountID, t.Instrument, t.CancelTradeID = p.trade.AccountID, p.trade.Instrument, p.trade.ClientTradeID
	began := time.Now()
	booked, err := c.api.BookTrades(c.calls, []bank.Trade{t})
	if c.called("correct", began, "", err) {
		c.undo(p)
		c.took([]bank.Trade{t}, booked, min(roll, p.roll))
	}
}

// repeat sends a trade again: it has its id for ever.
func (c *client) repeat() {
	if len(c.last) == 0 {
		return
	}
	p := c.last[c.IntN(len(c.last))]
	began := time.Now()
	booked, err := c.api.BookTrades(c.calls, []bank.Trade{p.trade})
	if c.called("repeat", began, "", err) && booked[0].TradeID != p.id {
		c.surprise("repeat: %s has the id %s, and had %s", p.trade.ClientTradeID, booked[0].TradeID, p.id)
	}
}

// conflict sends other content under a name that is taken: that is refused.
func (c *client) conflict() {
	if len(c.last) == 0 {
		return
	}
	t := c.last[c.IntN(len(c.last))].trade
	t.OrderID = "other"
	began := time.Now()
	_, err := c.api.BookTrades(c.calls, []bank.Trade{t})
	c.called("other content", began, bank.ClientIDConflict, err)
}

// unknown books for an account that nobody has opened: that is refused.
func (c *client) unknown() {
	t := c.draw(bank.Date(c.today.Load()))
	t.AccountID = stranger
	began := time.Now()
	_, err := c.api.BookTrades(c.calls, []bank.Trade{t})
	c.called("unknown account", began, bank.UnknownAccount, err)
}

// read reads a trade: it is what was booked.
func (c *client) read() {
	if len(c.last) == 0 {
		return
	}
	p := c.last[c.IntN(len(c.last))]
	began := time.Now()
	stored, err := c.api.Trade(c.calls, p.ref())
	if c.called("read a trade", began, "", err) && (stored.TradeID != p.id || (stored.State == bank.StateCanceled) != p.canceled || !stored.Quantity.Equal(p.trade.Quantity.Decimal)) {
		c.surprise("read: %s is %s with id %s and quantity %s, was given %s, cancelled: %t", p.trade.ClientTradeID, stored.State, stored.TradeID, stored.Quantity, p.id, p.canceled)
	}
}

// readPositions reads an account's positions: they are the sums of what the client has booked, its last answer included.
func (c *client) readPositions() {
	account := c.accounts[c.IntN(len(c.accounts))]
	began := time.Now()
	list, err := c.api.Positions(c.calls, account, c.IntN(2) == 0, bank.Page{Size: 100})
	if c.called("read positions", began, "", err) {
		for _, text := range c.wrongPositions(account, list.Data) {
			c.surprise("%s", text)
		}
	}
}

// wrongPositions tells in words where an account's positions are not what the client has booked.
func (c *client) wrongPositions(account bank.ID, listed []bank.Position) (wrong []string) {
	got := map[string]int64{}
	for _, p := range listed {
		got[p.Symbol] = p.Quantity.IntPart()
	}
	for _, s := range stocks {
		if want := c.positions[holding{account, s.symbol}]; got[s.symbol] != want {
			wrong = append(wrong, fmt.Sprintf("account %s has %d of %s, and should have %d", account, got[s.symbol], s.symbol, want))
		}
	}
	return wrong
}

// move moves cash in or out of an account, or between two.
func (c *client) move() {
	from, to := c.account(), c.account()
	cents := 1 + c.Int64N(1_000_000)
	c.moves++
	m := bank.Cash{ClientID: fmt.Sprintf("c%d-cash-%d", c.number, c.moves), AccountID: from, Currency: cashCurrency, Amount: amount(cents, -2), Kind: bank.Deposit}
	switch c.IntN(3) {
	case 0:
		m.Kind = bank.Withdrawal
	case 1:
		if to != from {
			m.Kind, m.TargetAccountID = bank.CashJournal, to
		}
	}
	began := time.Now()
	_, err := c.api.MoveCash(c.calls, m)
	if !c.called("move cash", began, "", err) {
		return
	}
	if m.Kind == bank.Deposit {
		c.cash[holding{m.AccountID, cashCurrency}] += cents
		return
	}
	c.cash[holding{m.AccountID, cashCurrency}] -= cents
	if m.TargetAccountID != 0 {
		c.cash[holding{m.TargetAccountID, cashCurrency}] += cents
	}
}

// readCash reads an account's balances.
func (c *client) readCash() {
	account := c.accounts[c.IntN(len(c.accounts))]
	began := time.Now()
	list, err := c.api.Balances(c.calls, account)
	if c.called("read balances", began, "", err) {
		if text := c.wrongCash(account, list); text != "" {
			c.surprise("%s", text)
		}
	}
}

// wrongCash tells in words if an account's cash is not what the client has moved; else "".
func (c *client) wrongCash(account bank.ID, listed []bank.Balance) string {
	want, got := amount(c.cash[holding{account, cashCurrency}], -2), amount(0, 0)
	for _, b := range listed {
		if b.Currency == cashCurrency {
			got = b.TradeCash
		}
	}
	if !got.Equal(want.Decimal) {
		return fmt.Sprintf("account %s has %s %s, and should have %s", account, got, cashCurrency, want)
	}
	return ""
}
