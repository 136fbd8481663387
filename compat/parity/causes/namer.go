package causes

import (
	"errors"
	"fmt"
)

// Config says how a [Namer] works.
type Config struct {
	// Emit takes each finding once it is final. Needed.
	Emit func(*Finding)
	// Moments has booked_at and canceled_at compared.
	Moments bool
	// Opening takes what both sides agree on as an account's first total as brought in from before the landing began; else it must be what the first event adds. So it does with a cancel of a trade
	// that opened before.
	Opening bool
	// MaxOpen is how many missing and extra events are held until the end, when those of other accounts are known: 500,000.
	MaxOpen int
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.MaxOpen == 0 {
		c.MaxOpen = 500_000
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var wrong []error
	if c.Emit == nil {
		wrong = append(wrong, errors.New("Emit: needed"))
	}
	if c.MaxOpen < 1 {
		wrong = append(wrong, fmt.Errorf("MaxOpen: %d is below 1", c.MaxOpen))
	}
	return errors.Join(wrong...)
}

// Namer names causes, account by account. It is for one goroutine.
type Namer struct {
	cfg           Config
	trades, cash  *naming
	open          []*row     // missing and extra, of all accounts
	wrongIDs      []*Finding // of all accounts
	rejects       []Reject
	Repeats       [2]int64 // events that came again under their own id, by side
	EndsDiffering int64    // positions and balances at the end of a day that differ
	Unequal       int64    // pairs that say other things
	Surplus       int64    // events that a side has once more, alike
}

// New gives a namer.
func New(cfg Config) (*Namer, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("causes: %w", err)
	}
	return &Namer{cfg: cfg, trades: newNaming(false), cash: newNaming(true)}, nil
}

func (n *Namer) naming(cash bool) *naming {
	if cash {
		return n.cash
	}
	return n.trades
}

// row is an event while its account is looked at.
type row struct {
	*Event
	side   Side
	mate   *row     // the same event on the other side
	cause  *Finding // that it is, or is a part of
	follow *Finding // that it differs because of
	twin   *row     // of what is left over: the one of the same name on its side that has a mate
	marked bool     // used by one step
}

// touched gives the cause at a row that may change totals.
func (r *row) touched() *Finding {
	if r == nil || r.cause == nil || !r.cause.touches {
		return nil
	}
	return r.cause
}

// account is one while it is looked at.
type account struct {
	n     *Namer
	rows  [2][]*row // in the order of event ids
	found []*Finding
	// grants counts totals that follow from what was before the landing.
	grants int64
	byWay  map[way]*Finding
}

// way is what is wrong with a trade: later events of which the same is wrong follow from the first.
type way struct {
	cash   bool
	number int64
	kind   string
	side   Side
}

// Account looks at an account: all its events, each side's in the order of event ids, then as they stand in Kafka. It keeps the events until [Namer.Finish]. It gives how many
// were repeats, and how many totals were granted ([Config].Opening).
func (n *Namer) Account(bank, bk []Event) (repeats, granted int64) {
	before := n.Repeats
	a := &account{n: n, byWay: map[way]*Finding{}}
	a.rows[Bank], a.rows[BK] = a.unrepeated(Bank, bank), a.unrepeated(BK, bk)
	a.match()
	a.pairs()
	a.order()
	a.chains()
	a.blame()
	a.ends()
	a.spelling()
	for _, l := range a.rows[Bank] {
		if r := l.mate; r != nil && (l.Hash != r.Hash || n.cfg.Moments && (l.BookedAt != r.BookedAt || l.CanceledAt != r.CanceledAt)) {
			n.Unequal++
		}
	}
	for _, f := range a.found {
		if f.Kind == WrongField+"trade_id" || f.Kind == WrongField+"cash_id" {
			n.wrongIDs = append(n.wrongIDs, f)
		} else if !f.held {
			n.cfg.Emit(f)
		}
	}
	for _, rows := range a.rows {
		for _, r := range rows {
			if r.cause != nil && r.cause.held && r.cause.begins(r) {
				n.hold(r)
			}
		}
	}
	return n.Repeats[Bank] + n.Repeats[BK] - before[Bank] - before[BK], a.grants
}

// begins tells whether a row is the first of its finding.
func (f *Finding) begins(r *row) bool {
	place := f.Bank
	if r.side == BK {
		place = f.BK
	}
	return place != nil && *place == r.Place
}

// hold keeps a row without a mate until all accounts have been looked at.
func (n *Namer) hold(r *row) {
	if len(n.open) >= n.cfg.MaxOpen {
		n.cfg.Emit(r.cause)
		return
	}
	n.open = append(n.open, r)
}

// finding begins one at an event and, if there is one, its mate.
func (a *account) finding(kind string, r *row) *Finding {
	f := &Finding{
		Kind: kind, Account: r.Account, Cash: r.Cash, Number: r.Number, Client: r.Client, Event: r.Kind, BusinessDate: r.BusinessDate, Symbol: r.Symbol, Currency: r.Currency,
	}
	for _, one := range [...]*row{r, r.mate} {
		if one == nil {
			continue
		}
		place := one.Place
		if one.side == Bank {
			f.Bank = &place
		} else {
			f.BK = &place
		}
		one.cause = f
	}
	a.found = append(a.found, f)
	return f
}

// stake is what a whole event is worth.
func stake(e *Event) Money { return Money{e.Amount.Abs()} }

// unrepeated makes rows, without those that came again under the same id.
func (a *account) unrepeated(side Side, events []Event) []*row {
	rows := make([]*row, 0, len(events))
	block := make([]row, len(events))
	first := 0 // of the rows with this id
	for i := range events {
		e := &events[i]
		if len(rows) > 0 && rows[len(rows)-1].EventID != e.EventID {
			first = len(rows)
		}
		repeat := false
		for _, earlier := range rows[first:] {
			repeat = repeat || earlier.EventID == e.EventID && earlier.key() == e.key() && earlier.Hash == e.Hash
		}
		if repeat {
			a.n.Repeats[side]++
			continue
		}
		block[i] = row{Event: e, side: side}
		rows = append(rows, &block[i])
	}
	return rows
}
