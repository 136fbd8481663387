package modeltest

import (
	"fmt"
	"math/big"
	"sort"
	"strings"
)

// Command is what a client asks for, in plain text. A sequence of them is all that a test depends on.
type Command struct {
	Kind string `json:",omitempty"` // as the journal calls it, or "roll"
	Key  string `json:",omitempty"`

	TradeDate, SettleDate, EffectiveDate Date `json:",omitempty"`

	Trade     *Terms            `json:",omitempty"`
	Replaces  *Ref              `json:",omitempty"` // on trades: a correction
	Link      bool              `json:",omitempty"` // with Replaces: if that is cancelled already, only link
	Unsettled bool              `json:",omitempty"` // on cancels and corrections: only if the trade is not settled
	Target    *Ref              `json:",omitempty"` // on cancels and street settlements
	Legs      []Leg             `json:",omitempty"` // on postings given as they are
	Fields    map[string]string `json:",omitempty"` // on other events

	To     Date `json:",omitempty"` // on rolls
	Street bool `json:",omitempty"`
}

// Ref names a trade by the key of the command that booked it, which the client sends as it is, or sends the id of that trade instead. Or is another
// one, by whose id the trade is named beside the key: it counts if the key booked no trade.
type Ref struct {
	Key  string
	ByID bool   `json:",omitempty"`
	Or   string `json:",omitempty"`
}

// Terms are a trade as a client gives it. Accounts are codes, the security is a ticker.
type Terms struct {
	Account    string
	Target     string `json:",omitempty"`
	Contra     string `json:",omitempty"`
	Direction  string
	Short      bool `json:",omitempty"`
	Quantity   string
	Price      string
	Security   string
	Currency   string
	Commission string `json:",omitempty"`
	Accrued    string `json:",omitempty"`
	OmitSEC    bool   `json:",omitempty"`
	OmitTAF    bool   `json:",omitempty"`
}

// Leg is a posting as a client gives it.
type Leg struct {
	Account, Instrument, Bucket, Quantity string
}

// content is what makes two commands the same: all of it, with numbers as numbers.
func (m *Model) content(c Command) string {
	var b strings.Builder
	effective := c.EffectiveDate
	if effective == 0 {
		effective = c.TradeDate
	}
	fmt.Fprintln(&b, c.Kind, c.TradeDate, c.SettleDate, effective, c.Link, c.Unsettled)
	if t := c.Trade; t != nil {
		fmt.Fprintln(&b, t.Account, t.Target, t.Contra, t.Direction, t.Short, Text(number(t.Quantity)), Text(number(t.Price)), t.Security, m.currency(t),
			Text(orZero(t.Commission)), Text(orZero(t.Accrued)), t.OmitSEC, t.OmitTAF)
	}
	for _, ref := range []*Ref{c.Replaces, c.Target} {
		if ref != nil {
			fmt.Fprintln(&b, *ref)
		}
	}
	for _, l := range c.Legs {
		fmt.Fprintln(&b, l.Account, l.Instrument, l.Bucket, Text(number(l.Quantity)))
	}
	var names []string
	for name := range c.Fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		value := c.Fields[name]
		if n, ok := new(big.Rat).SetString(value); ok {
			value = Text(n)
		}
		fmt.Fprintln(&b, name, value)
	}
	return b.String()
}

// currency is what a trade is paid in: as it says, else the listing's.
func (m *Model) currency(t *Terms) string {
	if t.Currency != "" {
		return t.Currency
	}
	return m.Instruments[t.Security].Currency
}

func (c Command) isTrade() bool {
	switch c.Kind {
	case "trade.exchange", "trade.bilateral", "trade.away", "trade.allocation", "trade.transfer":
		return true
	}
	return false
}

// hasTarget reports whether the trade is between two accounts of the ledger.
func (c Command) hasTarget() bool { return c.Kind == "trade.allocation" || c.Kind == "trade.transfer" }
