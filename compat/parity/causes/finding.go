package causes

import (
	"strings"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

// The kinds of cause. WrongField and WrongDecimal have the column behind them: wrong_decimal:price.
const (
	Missing           = "missing" // one side has it, Side has not
	Extra             = "extra"   // Side has what the other has not
	Doubled           = "doubled" // Side has it twice, under two event ids
	OutOfOrder        = "out_of_order"
	Late              = "late" // out of order: behind two or more that it should stand before
	WrongAccount      = "wrong_account"
	SwappedIDs        = "swapped_ids" // two events have each other's id
	WrongEvent        = "wrong_event" // the same under another name: settled for opened
	WrongState        = "wrong_state"
	WrongBusinessDate = "wrong_business_date"
	WrongRunningTotal = "wrong_running_total"
	WrongDecimal      = "wrong_decimal:"
	WrongField        = "wrong_field:"
	NotCanonical      = "not_canonical" // equal, but not written as the contract says
	Unreadable        = "unreadable"    // a record that is no event
	WrongDay          = "wrong_day"     // of bank.business-date
	Unnamed           = "unnamed"       // SQL has found something here, and no name fits
	NotExamined       = "not_examined"  // more than is looked at
)

// Money is an exact amount. As JSON it is a number.
type Money struct{ decimal.Decimal }

// MarshalJSON gives a number with all its digits.
func (m Money) MarshalJSON() ([]byte, error) {
	return []byte(bank.Decimal{Decimal: m.Decimal}.String()), nil
}

// Finding is one cause: the first event that is wrong.
type Finding struct {
	Kind         string    `json:"kind"`
	Side         string    `json:"side,omitempty"` // where it is wrong; "" if that can't be said
	Account      int64     `json:"account,omitempty"`
	Cash         bool      `json:"cash,omitempty"`
	Number       int64     `json:"number,omitempty"` // the trade's id, the cash movement's
	Client       string    `json:"client_id,omitempty"`
	Event        string    `json:"event,omitempty"`
	BusinessDate bank.Date `json:"business_date,omitempty"`
	Symbol       string    `json:"symbol,omitempty"`
	Currency     string    `json:"currency,omitempty"`
	Bank         *Place    `json:"bank,omitempty"` // nil where that side has none
	BK           *Place    `json:"bk,omitempty"`
	BankValue    string    `json:"bank_value,omitempty"`
	BKValue      string    `json:"bk_value,omitempty"`
	Column       string    `json:"column,omitempty"` // that the values are of, where it is one column
	Note         string    `json:"note,omitempty"`
	// With is the other event where two are concerned: those that were swapped, the neighbour in the order, the other account.
	With *Other `json:"with,omitempty"`
	// Money is what is at stake: the difference of amounts or balances, of quantities times price, or the amount of what is missing; not negative.
	Money Money `json:"money"`
	// Follows is how many more events differ, or don't add up, only because of it; EndsOfDays how many positions and balances at the end of a day.
	Follows    int64 `json:"follows"`
	EndsOfDays int64 `json:"ends_of_days"`
	// ExplainedBy is the rule; ExpiredRule the one that would, had it not expired.
	ExplainedBy string `json:"explained_by,omitempty"`
	ExpiredRule string `json:"expired_rule,omitempty"`

	into    *Finding // it was merged
	touches bool     // it may change totals
	order   bool     // its event stands elsewhere
	self    bool     // the side that has its event does not add up there
	lacked  bool     // the side that has it not does not add up there
	held    bool     // another account may yet tell what it is
}

// Other is a second event of a finding.
type Other struct {
	Account int64  `json:"account"`
	Number  int64  `json:"number"`
	Event   string `json:"event"`
}

// Base is the kind without a column: wrong_decimal.
func (f *Finding) Base() string {
	base, _, _ := strings.Cut(f.Kind, ":")
	return base
}

// Field is the column that is wrong, "" if the kind has none.
func (f *Finding) Field() string {
	_, field, _ := strings.Cut(f.Kind, ":")
	return field
}

// merge makes g a part of f.
func (f *Finding) merge(g *Finding) {
	g.into = f
	f.Follows += g.Follows
	f.EndsOfDays += g.EndsOfDays
	if f.Bank == nil {
		f.Bank = g.Bank
	}
	if f.BK == nil {
		f.BK = g.BK
	}
}
