package legacy

import (
	"encoding/json"
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// topic is one of the three.
type topic int16

const (
	topicTrades topic = 1 + iota
	topicCash
	topicDate
)

// The names of the topics.
const (
	TopicTrades       = "bank.trades"
	TopicCash         = "bank.cash"
	TopicBusinessDate = "bank.business-date"
)

func (t topic) name() string {
	switch t {
	case topicTrades:
		return TopicTrades
	case topicCash:
		return TopicCash
	}
	return TopicBusinessDate
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
		b := w.head(event, account)
		b = append(b, `,"trade":`...)
		b = t.AppendJSON(b)
		b = field(b, "position", h.quantity)
		b = field(b, "balance", m.traded())
		b = field(b, "settled_position", h.settled)
		b = field(b, "settled_balance", m.settled)
		w.to.event(topicTrades, account.String(), append(b, '}'))
	}
	return nil
}

// cashEvent says that an account's cash moved.
func (w *work) cashEvent(id bank.ID, c *bank.Cash, account bank.ID, amount decimal.Decimal, m *money) {
	b := w.head(c.Kind, account)
	b = append(b, `,"cash_id":"`...)
	b = append(strconv.AppendInt(b, int64(id), 10), `","client_id":`...)
	b = appendString(b, c.ClientID)
	b = append(b, `,"currency":"`...)
	b = append(append(b, c.Currency...), '"') // three capitals
	b = field(b, "amount", amount)
	b = field(b, "balance", m.traded())
	b = field(b, "settled_balance", m.settled)
	w.to.event(topicCash, account.String(), append(b, '}'))
}

// rolled says that a day has come.
func (w *work) rolled(from, to bank.Date) {
	b := append([]byte(nil), `"event":"rolled","at":`...)
	b = strconv.AppendInt(b, w.now, 10)
	b = append(b, `,"from":`...)
	b = strconv.AppendInt(b, int64(from), 10)
	b = append(b, `,"to":`...)
	b = strconv.AppendInt(b, int64(to), 10)
	w.to.event(topicDate, "", append(b, '}'))
}

func (w *work) head(event string, account bank.ID) []byte {
	b := make([]byte, 0, 2<<10)
	b = append(append(append(b, `"event":"`...), event...), `","at":`...)
	b = strconv.AppendInt(b, w.now, 10)
	b = append(b, `,"business_date":`...)
	b = strconv.AppendInt(b, int64(w.date), 10)
	b = append(b, `,"account_id":"`...)
	return append(strconv.AppendInt(b, int64(account), 10), '"')
}

func field(b []byte, name string, d decimal.Decimal) []byte {
	b = append(append(append(b, `,"`...), name...), `":"`...)
	return append(append(b, bank.Decimal{Decimal: d}.String()...), '"')
}

func appendString(b []byte, text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil { // a string always has JSON
		panic(err)
	}
	return append(b, quoted...)
}
