package follow

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/queue"
)

// straddle is how far apart the ids of two events of one transaction are, at most.
const straddle = 100_000

// lanes order Bank's events: each account's by id, which is the order of its work; those of two accounts only where both have come to them; and those of a day only
// when it has begun.
type lanes struct {
	marks    map[bank.ID]int64 // all events of an account up to this id have come that ever will; of account 0: rolls
	date     bank.Date         // the business date that all released events have come to
	fresh    bool              // events have come since the last cohort
	accounts map[bank.ID][]*event
	rolls    []*event             // not released, in order
	twins    map[string]*event    // the one that came first, while it waits
	before   map[string]bool      // whose one event is from before the window: the kill switch begins one while calls are under way, which were in the queue
	replaced map[bank.ID][]*event // cancels that are part of a replacement, by the new trade, while it hasn't come
	parked   map[bank.ID]bank.ID  // accounts that wait for a replacement: the new trade
	ids      map[int64]bool       // that wait
	byPlace  map[place]int        // how many wait
}

func newLanes(date bank.Date) *lanes {
	return &lanes{
		date: date, marks: map[bank.ID]int64{}, accounts: map[bank.ID][]*event{}, twins: map[string]*event{}, before: map[string]bool{}, replaced: map[bank.ID][]*event{}, parked: map[bank.ID]bank.ID{},
		ids: map[int64]bool{}, byPlace: map[place]int{},
	}
}

// item is work for the queue, and the events that it comes of.
type item struct {
	call   queue.Call
	answer queue.Answer
	events []*event
	date   bank.Date // of a roll
	none   bool      // nothing is to be done
}

// add takes an event. One that waits already is dropped.
func (l *lanes) add(e *event) {
	if l.ids[e.ID] {
		return
	}
	l.ids[e.ID], l.fresh = true, true
	l.byPlace[e.place]++
	if e.Kind == bank.EventRolled {
		l.rolls = append(l.rolls, e)
		slices.SortFunc(l.rolls, func(a, b *event) int { return int(a.From - b.From) })
		return
	}
	// Trades and cash come over different topics.
	lane := l.accounts[e.AccountID]
	at, _ := slices.BinarySearchFunc(lane, e.ID, func(other *event, id int64) int { return cmp.Compare(other.ID, id) })
	l.accounts[e.AccountID] = slices.Insert(lane, at, e)
}

// cohort is what had come at some instant. What is below it on the same accounts was committed before, but may be on its way, over another topic or partition.
type cohort struct {
	marks   map[bank.ID]int64 // the last event of each account; of account 0: roll
	highest int64             // of all events
	noted   time.Time
	sent    bool            // Bank has nothing below it left to send
	ends    map[place]int64 // where the topics ended after that
}

// cohort gives what waits now.
func (l *lanes) cohort() *cohort {
	c := &cohort{marks: make(map[bank.ID]int64, len(l.accounts)+1), noted: time.Now()}
	for account, lane := range l.accounts {
		c.marks[account] = lane[len(lane)-1].ID
	}
	for _, e := range l.rolls {
		c.marks[0] = max(c.marks[0], e.ID)
	}
	for _, id := range c.marks {
		c.highest = max(c.highest, id)
	}
	l.fresh = false
	return c
}

// ripen says that all below a cohort has come.
func (l *lanes) ripen(c *cohort) {
	for account, id := range c.marks {
		if account == 0 || len(l.accounts[account]) > 0 { // else nothing is left that waits for it
			l.marks[account] = max(l.marks[account], id)
		}
	}
}

// release gives all that can go now.
func (l *lanes) release() (items []item, err error) {
	for {
		moved := false
		for _, account := range slices.Sorted(maps.Keys(l.accounts)) {
			for {
				got, more, err := l.step(account)
				if err != nil {
					return items, err
				}
				items = append(items, got...)
				if !more {
					break
				}
				moved = true
			}
		}
		if moved {
			continue
		}
		if len(l.rolls) == 0 || l.rolls[0].ID > l.marks[0] || l.waitsForDay() {
			return items, nil
		}
		e := l.rolls[0]
		l.rolls, l.date = l.rolls[1:], e.To
		l.drop(e)
		items = append(items, item{call: queue.Roll(e.To), events: []*event{e}, date: e.To})
	}
}

// waitsForDay reports whether events of the present day wait for others.
func (l *lanes) waitsForDay() bool {
	for _, lane := range l.accounts {
		if lane[0].BusinessDate <= l.date {
			return true
		}
	}
	return false
}

// step handles the head of an account's lane; more is false if it has to wait.
func (l *lanes) step(account bank.ID) (items []item, more bool, err error) {
	lane := l.accounts[account]
	if len(lane) == 0 || lane[0].ID > l.marks[account] || lane[0].BusinessDate > l.date {
		return nil, false, nil
	}
	e := lane[0]
	if by, waits := l.parked[account]; waits && (e.Trade == nil || e.Trade.TradeID != by) {
		return nil, false, nil
	}
	legs := []*event{e}
	if name, two := e.twin(); two {
		if l.before[name] {
			l.pop(account)
			l.drop(e)
			return []item{{events: []*event{e}, none: true}}, true, nil
		}
		other := l.twins[name]
		if other == nil {
			l.twins[name] = e
			return nil, false, nil
		}
		if other == e {
			return nil, false, nil
		}
		delete(l.twins, name)
		legs = []*event{other, e}
	}
	for _, leg := range legs {
		l.pop(leg.AccountID)
	}
	if e.Kind == bank.EventCanceled && e.Trade.ReplacedBy != nil {
		by := *e.Trade.ReplacedBy
		l.replaced[by] = append(l.replaced[by], legs...)
		for _, leg := range legs {
			l.parked[leg.AccountID] = by
		}
		return nil, true, nil
	}
	if e.Kind != bank.EventCanceled && e.Trade != nil {
		for _, before := range l.replaced[e.Trade.TradeID] {
			delete(l.parked, before.AccountID)
			legs = append(legs, before)
		}
		delete(l.replaced, e.Trade.TradeID)
	}
	made, err := makeItem(legs)
	if err != nil {
		return nil, false, err
	}
	for _, leg := range legs {
		l.drop(leg)
	}
	return []item{made}, true, nil
}

func (l *lanes) pop(account bank.ID) {
	lane := l.accounts[account]
	if lane[0] = nil; len(lane) == 1 {
		delete(l.accounts, account)
		delete(l.marks, account)
		return
	}
	l.accounts[account] = lane[1:]
}

func (l *lanes) drop(e *event) {
	delete(l.ids, e.ID)
	if l.byPlace[e.place]--; l.byPlace[e.place] == 0 {
		delete(l.byPlace, e.place)
	}
}

// makeItem makes the work of events that belong together: legs[0] is one of those that it is about, others may be cancels that are a part of it.
func makeItem(legs []*event) (item, error) {
	e := legs[0]
	var accounts []bank.ID
	for _, leg := range legs {
		accounts = append(accounts, leg.AccountID)
	}
	switch e.Kind {
	case bank.EventBooked, bank.EventOpened:
		return item{
			call:   queue.Trades([]bank.Trade{e.Trade.Trade}, accounts...),
			answer: queue.Answer{Trades: []bank.Booked{{ClientTradeID: e.Trade.ClientTradeID, TradeID: e.Trade.TradeID}}, BookedAt: e.Trade.BookedAt},
			events: legs,
		}, nil
	case bank.EventCanceled:
		if e.Trade.CanceledAt == nil {
			return item{}, fmt.Errorf("event %d: trade %s is cancelled and has no canceled_at", e.ID, e.Trade.TradeID)
		}
		return item{
			call: queue.Cancel(bank.TradeRef{TradeID: e.Trade.TradeID}, accounts...), answer: queue.Answer{CanceledAt: *e.Trade.CanceledAt}, events: legs,
		}, nil
	}
	c := bank.Cash{ClientID: e.ClientID, AccountID: e.AccountID, Currency: e.Currency, Amount: bank.Decimal{Decimal: e.Amount.Abs()}, Kind: e.Kind}
	if e.Kind == bank.CashJournal {
		giving, getting := legs[0], legs[1]
		if giving.Amount.Sign() > 0 {
			giving, getting = getting, giving
		}
		c.AccountID, c.TargetAccountID = giving.AccountID, getting.AccountID
	}
	return item{call: queue.Cash(c), answer: queue.Answer{CashID: e.CashID, BookedAt: e.At}, events: legs}, nil
}

// row gives an item's row.
func (i item) row(epoch int64) (backlog.Row, error) {
	return i.call.Row(epoch, i.events[0].ID, i.answer)
}
