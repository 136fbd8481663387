package follow

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
)

// place is where an event stands in Kafka.
type place struct {
	topic     string
	partition int32
}

// event is one of Bank's events, and where it stands.
type event struct {
	bank.Event
	place  place
	offset int64
}

// entryHeader is on what the stream publishes on Bank's topics while BK is the primary, and on nothing of Bank's own.
const entryHeader = "bk-entry"

// foreign reports whether a record is none of Bank's: the stream's, or the mark at the end of one of its transactions.
func foreign(r *kgo.Record) bool {
	if r.Attrs.IsControl() {
		return true
	}
	for i := range r.Headers {
		if r.Headers[i].Key == entryHeader {
			return true
		}
	}
	return false
}

func parse(r *kgo.Record) (*event, error) {
	e := &event{place: place{r.Topic, r.Partition}, offset: r.Offset}
	var err error
	if e.Event, err = bank.ReadEvent(r.Value); err != nil {
		return nil, fmt.Errorf("%s/%d at %d: no event of Bank's: %w", r.Topic, r.Partition, r.Offset, err)
	}
	return e, nil
}

// matters reports whether BK has something to do that it may not do by itself. Its own roll opens and settles; but a trade that Bank took by POST /replay opens with a
// time of its own, as one that a roll opens. So each opening counts: a roll's is a repeat to BK.
func (e *event) matters() bool {
	switch e.Kind {
	case bank.EventBooked, bank.EventOpened, bank.EventCanceled, bank.EventRolled, bank.Deposit, bank.Withdrawal, bank.CashJournal:
		return true
	}
	return false
}

// twin names what the two events of a trade or a journal between two accounts have in common; ok is false for an event that has no other.
func (e *event) twin() (name string, ok bool) {
	switch {
	case e.Trade != nil && e.Trade.TargetAccountID != 0 && (e.Trade.Type == bank.AllocationTrade || e.Trade.Type == bank.TransferTrade):
		kind := e.Kind
		if kind == bank.EventOpened {
			kind = bank.EventBooked // one leg can't be one and the other the other, but nothing hangs on it
		}
		return kind + "/" + e.Trade.TradeID.String(), true
	case e.Kind == bank.CashJournal:
		return "cash/" + e.CashID.String(), true
	}
	return "", false
}
