package generate

import (
	"encoding/json"
	"strconv"

	"github.com/bkledger/bk/compat/bank"
)

var (
	exchanges = [...]string{"XNYS", "XNAS", "ARCX", "BATS"}
	userData  = json.RawMessage(`{"desk":"program trading","strategy":"vwap-17"}`)
	locate    = json.RawMessage(`{"id":"L-20131007-0001","source":"prime"}`)
	market    = json.RawMessage(`"XNYS"`)
)

// book books a trade, in the place of another one if there is one.
func (w *world) book(replaces *live) {
	symbol := w.dice.IntN(w.cfg.Symbols)
	quantity := int64(100 * (1 + w.dice.IntN(50)))
	price := int64(unit + w.dice.IntN(500*unit)/25*25)
	commission := int64(w.dice.IntN(20)) * 50 * cents
	sell := w.dice.IntN(2) == 1
	account := w.account()
	if replaces != nil {
		account = replaces.trade.AccountID
	}
	w.tradeID++
	id := w.tradeID
	currency := symbol % len(currencies)
	for currency > 0 && currencies[currency] == currencies[0] {
		currency--
	}
	t := &bank.StoredTrade{TradeID: bank.ID(id), BookedAt: w.now}
	t.Type, t.Capacity, t.ExecMPID = bank.ExchangeTrade, "agency", "CLST"
	t.Timestamp = w.now - int64(w.dice.IntN(60_000))
	t.ClientTradeID = "20131007-" + strconv.FormatInt(id, 10)
	t.AccountID, t.Quantity, t.Price = account, w.whole(quantity), w.amount(price)
	t.Instrument = bank.Instrument{Identifier: w.symbols[symbol], IdentifierType: "ticker", Country: "USA", Currency: currencies[currency]}
	t.Side.Direction = bank.Buy
	t.Settlement.Currency = currencies[currency]
	t.Fees.Commission = w.amount(commission)
	t.OrderID = "o-" + strconv.FormatInt(id/3, 10)
	var accrued int64
	switch kind := w.dice.IntN(100); {
	case kind < 70:
		t.MIC = exchanges[w.dice.IntN(len(exchanges))]
	case kind < 80:
		t.Type, t.ContraMPID, t.ContraClearingNum = bank.BilateralTrade, "ABCD", "0161"
	case kind < 85:
		t.Type, t.ContraMPID, t.LastMarket = bank.AwayTrade, "WXYZ", market
	case kind < 95:
		t.Type, t.Capacity, t.ExecMPID, t.TargetAccountID = bank.AllocationTrade, "", "", w.other(account)
	default:
		t.Type, t.Capacity, t.ExecMPID, t.TargetAccountID = bank.TransferTrade, "", "", w.other(account)
		accrued = int64(w.dice.IntN(1000)) * cents
		days := int64(w.dice.IntN(180))
		t.Interest = &bank.Interest{Accrued: w.amount(accrued), AccruedDays: &days}
	}
	if w.dice.IntN(4) == 0 {
		t.UserData = userData
	}
	gross := quantity * price
	var sec, taf int64
	if sell {
		t.Side.Direction = bank.Sell
		if w.dice.IntN(5) == 0 {
			t.Side.Qualifier, t.Locate = "short", locate
		}
		if t.TargetAccountID == 0 {
			sec = (gross*174 + 1e9 - 1) / 1e9 * cents // 17.40 per million, up to the cent
			taf = min((quantity*119+9999)/10000, 595) * cents
		}
	}
	l := &live{trade: t, symbol: symbol, currency: currency, quantity: quantity, gross: gross + accrued, net: -(gross + accrued + commission)}
	if sell {
		l.quantity, l.gross, l.net = -quantity, -(gross + accrued), gross+accrued-commission-sec-taf
	}
	t.GrossAmount, t.SECFee, t.TAFFee, t.NetAmount = w.amount(gross), w.amount(sec), w.amount(taf), w.amount(l.net)

	date := w.date
	isNew := replaces == nil && w.dice.IntN(20) == 0
	if isNew {
		date = nextWeekday(date)
	}
	t.Date = dateOf(date)
	settle := date
	for range settleDays {
		settle = nextWeekday(settle)
	}
	t.SettleDate = dateOf(settle)
	if replaces != nil {
		old := replaces.trade.TradeID
		t.Replaces, t.CancelTradeID = &old, replaces.trade.ClientTradeID
		w.cancel(replaces, &t.TradeID)
	}
	w.due[day(settle)] = append(w.due[day(settle)], l)
	if isNew {
		t.State = bank.StateNew
		w.pending = append(w.pending, l)
		w.tell(l, bank.EventBooked)
	} else {
		l.trade = t
		w.opened(l)
	}
	if len(w.recent) < maxRecent {
		w.recent = append(w.recent, l)
	} else {
		w.recent[w.dice.IntN(maxRecent)] = l
	}
}

// open opens a trade that was new.
func (w *world) open(l *live) {
	w.change(l)
	w.opened(l)
}

// change makes a copy of the trade that may be changed: the last one has been told.
func (w *world) change(l *live) {
	t := *l.trade
	l.trade = &t
}

func (w *world) opened(l *live) {
	l.trade.State = bank.StateOpen
	w.add(l, 1, 0)
	w.tell(l, bank.EventOpened)
}

func (w *world) settle(l *live) {
	w.change(l)
	l.trade.State, l.gone = bank.StateSettled, true
	w.add(l, 0, 1)
	w.tell(l, bank.EventSettled)
}

// cancel cancels a trade, for another one if there is one.
func (w *world) cancel(l *live, by *bank.ID) {
	w.change(l)
	at := w.now
	if l.trade.State == bank.StateOpen {
		w.add(l, -1, 0)
	}
	l.trade.State, l.trade.CanceledAt, l.trade.ReplacedBy, l.gone = bank.StateCanceled, &at, by, true
	w.tell(l, bank.EventCanceled)
}

// replace books a trade in the place of a recent one, on the same account.
func (w *world) replace() { w.book(w.pick()) }

// add books a trade's quantity and cash, so many times as traded and as settled.
func (w *world) add(l *live, traded, settled int64) {
	t := l.trade
	add := func(to *total, n int64) {
		to.traded, to.settled = to.traded+traded*n, to.settled+settled*n
	}
	add(w.position(t.AccountID, l.symbol), l.quantity)
	add(w.balance(t.AccountID, l.currency), l.net)
	if t.TargetAccountID != 0 {
		add(w.position(t.TargetAccountID, l.symbol), -l.quantity)
		add(w.balance(t.TargetAccountID, l.currency), l.gross)
	}
}

// tell gives the events of what has happened to a trade: one for each of its accounts.
func (w *world) tell(l *live, kind string) {
	w.work()
	for _, account := range [...]bank.ID{l.trade.AccountID, l.trade.TargetAccountID} {
		if account == 0 {
			break
		}
		p, b := w.position(account, l.symbol), w.balance(account, l.currency)
		w.emit(bank.Event{
			Kind: kind, BusinessDate: dateOf(w.date), AccountID: account, Trade: l.trade, Position: w.whole(p.traded), SettledPosition: w.whole(p.settled),
			Balance: w.amount(b.traded), SettledBalance: w.amount(b.settled),
		})
	}
}
