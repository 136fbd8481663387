package follow

import (
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
)

// place is where an event stands in Kafka.
type place struct {
	topic     string
	partition int32
}

// event is one of Bank's events.
type event struct {
	ID           int64             `json:"event_id"`
	Event        string            `json:"event"`
	At           int64             `json:"at"`
	BusinessDate bank.Date         `json:"business_date"`
	AccountID    bank.ID           `json:"account_id"`
	Trade        *bank.StoredTrade `json:"trade"`

	CashID   bank.ID      `json:"cash_id"`
	ClientID string       `json:"client_id"`
	Currency string       `json:"currency"`
	Amount   bank.Decimal `json:"amount"`

	From bank.Date `json:"from"`
	To   bank.Date `json:"to"`

	place  place
	offset int64
}

// The events that something is to be done for.
const (
	booked   = "booked"
	opened   = "opened"
	canceled = "canceled"
	rolled   = "rolled"
)

func parse(r *kgo.Record) (*event, error) {
	e := &event{place: place{r.Topic, r.Partition}, offset: r.Offset}
	if err := json.Unmarshal(r.Value, e); err != nil {
		return nil, fmt.Errorf("%s/%d at %d: no event of Bank's: %w", r.Topic, r.Partition, r.Offset, err)
	}
	return e, nil
}

// matters reports whether BK has something to do that it may not do by itself. Its own roll opens and settles; but a trade that Bank took by POST /replay opens with a
// time of its own, as one that a roll opens. So each opening counts: a roll's is a repeat to BK.
func (e *event) matters() bool {
	switch e.Event {
	case booked, opened, canceled, rolled, bank.Deposit, bank.Withdrawal, bank.CashJournal:
		return true
	}
	return false
}

// valid reports whether it has what its kind needs.
func (e *event) valid() bool {
	switch e.Event {
	case booked, opened, canceled, "settled":
		return e.Trade != nil && e.ID > 0 && e.AccountID > 0
	case rolled:
		return e.ID > 0 && e.To > e.From
	}
	return e.ID > 0 && e.AccountID > 0
}

// twin names what the two events of a trade or a journal between two accounts have in common; ok is false for an event that has no other.
func (e *event) twin() (name string, ok bool) {
	switch {
	case e.Trade != nil && e.Trade.TargetAccountID != 0 && (e.Trade.Type == bank.AllocationTrade || e.Trade.Type == bank.TransferTrade):
		kind := e.Event
		if kind == opened {
			kind = booked // one leg can't be one and the other the other, but nothing hangs on it
		}
		return kind + "/" + e.Trade.TradeID.String(), true
	case e.Event == bank.CashJournal:
		return "cash/" + e.CashID.String(), true
	}
	return "", false
}
