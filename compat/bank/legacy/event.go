package legacy

import (
	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// topic is one of the three, as the outbox has it.
type topic int16

const (
	topicTrades topic = 1 + iota
	topicCash
	topicDate
)

func (t topic) name() string {
	switch t {
	case topicTrades:
		return bank.TopicTrades
	case topicCash:
		return bank.TopicCash
	}
	return bank.TopicBusinessDate
}

// events says what has just happened to a trade, once for each of its accounts.
func (w *work) events(t *bank.StoredTrade, event string) error {
	accounts := []bank.ID{t.AccountID, t.TargetAccountID}
	if !isPair(&t.Trade) {
		accounts = accounts[:1]
	}
	for _, account := range accounts {
		h, m, err := w.of(t, account)
		if err != nil {
			return err
		}
		w.publish(topicTrades, &bank.Event{
			Kind: event, At: w.now, BusinessDate: w.date, AccountID: account, Trade: t,
			Position: bank.Decimal{Decimal: h.quantity}, Balance: bank.Decimal{Decimal: m.traded()},
			SettledPosition: bank.Decimal{Decimal: h.settled}, SettledBalance: bank.Decimal{Decimal: m.settled},
		})
	}
	return nil
}

// cashEvent says that an account's cash moved.
func (w *work) cashEvent(id bank.ID, c *bank.Cash, account bank.ID, amount decimal.Decimal, m *money) {
	w.publish(topicCash, &bank.Event{
		Kind: c.Kind, At: w.now, BusinessDate: w.date, AccountID: account, CashID: id, ClientID: c.ClientID, Currency: c.Currency, Amount: bank.Decimal{Decimal: amount},
		Balance: bank.Decimal{Decimal: m.traded()}, SettledBalance: bank.Decimal{Decimal: m.settled},
	})
}

// rolled says that a day has come.
func (w *work) rolled(from, to bank.Date) {
	w.publish(topicDate, &bank.Event{Kind: bank.EventRolled, At: w.now, From: from, To: to})
}

func (w *work) publish(t topic, e *bank.Event) {
	w.to.event(t, e.Key(), e.AppendFields(make([]byte, 0, 2<<10)))
}
