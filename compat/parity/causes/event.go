package causes

import (
	"strconv"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// Side is one of the two that are compared.
type Side uint8

// The sides. Where they differ and nothing says who is wrong, Bank is taken to be right.
const (
	Bank Side = iota
	BK
)

func (s Side) String() string {
	if s == BK {
		return dialect.SideBK
	}
	return dialect.SideBank
}

func (s Side) other() Side { return 1 - s }

// Place is where a landed event stands in Kafka.
type Place struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	EventID   int64  `json:"event_id"`
}

func (p Place) String() string {
	return p.Topic + "/" + strconv.Itoa(int(p.Partition)) + "@" + strconv.FormatInt(p.Offset, 10) + " event " + strconv.FormatInt(p.EventID, 10)
}

// The running totals of an event.
const (
	Position = iota
	Balance
	SettledPosition
	SettledBalance
	nTotals
)

// totalNames are the columns of the totals.
var totalNames = [nTotals]string{"position", "balance", "settled_position", "settled_balance"}

// Event is what is looked at of a landed event.
type Event struct {
	Place
	Cash         bool   // of bank.cash, else of bank.trades
	Kind         string // booked, opened, ...
	BusinessDate bank.Date
	Account      int64
	Number       int64 // the trade's id, the cash movement's
	Client       string
	Symbol       string // of trades
	Currency     string
	// What the trade adds to the account's position and balance when it takes effect, signed; a cash movement's amount.
	Quantity, Amount, Price decimal.Decimal
	Totals                  [nTotals]decimal.Decimal // of cash: the balances only
	Hash                    int64                    // of all that is to be equal
	Canonical               bool
	BookedAt, CanceledAt    int64 // 0: none
	Pending                 bool  // the other side may not have it yet
	Differs                 []Difference
}

// Difference says, of an event of BK's, in which fields it differs from the event of Bank's that stands at a place.
type Difference struct {
	Bank   Place
	Fields Fields
}

// Fields is a set of columns: a bit for each, by its place among the table's columns of the classes Content and Total.
type Fields uint64

// key tells an event from all others of an account.
type key struct {
	cash   bool
	number int64
	kind   string
}

func (e *Event) key() key { return key{e.Cash, e.Number, e.Kind} }

// alike tells whether two events are of the same thing, their ids, names and totals left aside.
func (e *Event) alike(f *Event) bool {
	return e.Cash == f.Cash && e.Client == f.Client && e.Symbol == f.Symbol && e.Currency == f.Currency && e.Quantity.Equal(f.Quantity) && e.Amount.Equal(f.Amount)
}

func (e *Event) sameTotals(f *Event) bool {
	for i := range e.Totals {
		if !e.Totals[i].Equal(f.Totals[i]) {
			return false
		}
	}
	return true
}

// effect is what the event adds to a total. A cancel takes away what opening has brought, if the trade was open.
func (e *Event) effect(total int, wasOpen bool) decimal.Decimal {
	change := e.Quantity
	if total == Balance || total == SettledBalance {
		change = e.Amount
	}
	settled := total == SettledPosition || total == SettledBalance
	switch {
	case e.Cash:
		return change
	case e.Kind == bank.EventOpened && !settled, e.Kind == bank.EventSettled && settled:
		return change
	case e.Kind == bank.EventCanceled && !settled && wasOpen:
		return change.Neg()
	}
	return decimal.Zero
}
