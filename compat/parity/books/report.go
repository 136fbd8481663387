package books

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/causes"
)

// The kinds of difference, or how they begin: behind [WrongTrade], [WrongRow], and [WrongBalance] is the name of the field.
const (
	MissingAccount = "books:missing_account" // BK does not have it
	ExtraAccount   = "books:extra_account"   // Bank does not have it
	WrongAccount   = "books:wrong_account"   // of another entity
	WrongDate      = "books:wrong_business_date"
	MissingTrade   = "books:missing_trade"
	ExtraTrade     = "books:extra_trade"
	DoubledTrade   = "books:doubled_trade" // one side has it twice
	WrongTrade     = "books:wrong_trade:"
	MissingRow     = "books:missing_row" // of the journal
	ExtraRow       = "books:extra_row"
	WrongRow       = "books:wrong_row:"
	OutOfOrder     = "books:out_of_order"        // the account's rows stand in another order from this one on
	WrongDay       = "books:wrong_day"           // what the journal adds up to on a business date
	WrongCut       = "books:wrong_cut"           // what it adds up to by the end of a day
	WrongPosition  = "books:wrong_position"      // now
	WrongBalance   = "books:wrong_balance:"      // now
	Contradiction  = "books:contradicts_journal" // a side's position or balance is not what its own journal adds up to
)

// Finding is a difference, as table [FindingsTable] has it.
type Finding struct {
	Kind         string    `json:"kind"`                    // one of the constants
	Account      bank.ID   `json:"account_id"`              // 0: of no account
	Trade        bank.ID   `json:"trade_id,omitzero"`       // Bank's id; 0: of none, or one that has no id of Bank's
	Symbol       string    `json:"symbol,omitempty"`        // of what differs; "": cash, or nothing of both
	Currency     string    `json:"currency,omitempty"`      // likewise
	BusinessDate bank.Date `json:"business_date,omitempty"` // of a row, a day, a cut
	What         string    `json:"what"`                    // which of the kind, for people
	Bank         *string   `json:"bank"`                    // Bank's value, null: not there
	BK           *string   `json:"bk"`                      // BK's
	Money        string    `json:"money"`                   // a decimal: how much of money it moves, in whatever currency
	Follows      int64     `json:"follows"`                 // of a cause: how many more rows differ only because of it
	EndsOfDays   int64     `json:"ends_of_days"`            // of a cause: how many holdings at the ends of days, besides
	Cause        int       `json:"cause"`                   // the place in [Report].Findings of the one that it follows from, its own if it is a cause; -1: that one is not kept
}

// String tells it in a line.
func (f Finding) String() string {
	text := f.Kind + " " + f.What
	if f.Account != 0 {
		text = fmt.Sprintf("account %d: %s", f.Account, text)
	}
	return fmt.Sprintf("%s: Bank %s, BK %s", text, orNone(f.Bank), orNone(f.BK))
}

func orNone(value *string) string {
	if value == nil {
		return "(none)"
	}
	return *value
}

// Cause is what the causes of a kind come to.
type Cause struct {
	Kind     string  `json:"kind"`
	Rows     int64   `json:"rows"`     // that differ, those that follow included
	Causes   int64   `json:"causes"`   // the first ones alone
	Accounts int64   `json:"accounts"` // that have such a row
	Money    string  `json:"money"`    // of the first ones
	First    Finding `json:"first"`
}

// Place is what was compared.
type Place struct {
	BankEvents bank.ID `json:"bank_event"` // the last event id that Bank had given when its snapshot was taken
	BKSequence int64   `json:"bk_entry"`   // up to which BK was read
}

// Report is what a comparison found.
type Report struct {
	Compared  map[string]int64 `json:"compared"`  // pairs, by what they are
	Differing int64            `json:"differing"` // rows
	Causes    []Cause          `json:"causes"`    // the most rows first
	Findings  []Finding        `json:"findings"`  // the first [Config].Keep, causes first
	Looks     int              `json:"looks"`     // one, and those at accounts that differed
	Place     Place            `json:"place"`     // of the first look
	Landed    int64            `json:"landed"`    // rows written to the warehouse
	Loading   time.Duration    `json:"loading_ns"`
	Comparing time.Duration    `json:"comparing_ns"` // SQL alone
	Took      time.Duration    `json:"took_ns"`
}

// ForParity gives the causes as package parity takes them, to be weighed by its rules and told in its report: those that were kept, and one more for all others.
func (r Report) ForParity() ([]causes.Finding, error) {
	var all []causes.Finding
	for i, f := range r.Findings {
		if f.Cause != i {
			continue
		}
		money, err := decimal.NewFromString(f.Money)
		if err != nil {
			return nil, fmt.Errorf("books: the money of %s: %w", f, err)
		}
		one := causes.Finding{
			Kind: f.Kind, Account: int64(f.Account), Number: int64(f.Trade), Symbol: f.Symbol, Currency: f.Currency, BusinessDate: f.BusinessDate, Note: f.What,
			Money: causes.Money{Decimal: money}, Follows: f.Follows, EndsOfDays: f.EndsOfDays,
		}
		if f.Bank != nil {
			one.BankValue = *f.Bank
		}
		if f.BK != nil {
			one.BKValue = *f.BK
		}
		switch f.Kind {
		case MissingAccount, MissingTrade, MissingRow, ExtraAccount, ExtraTrade, ExtraRow: // BK lacks it, or alone has it
			one.Side = sideBK
		}
		all = append(all, one)
	}
	left := -int64(len(all))
	for _, c := range r.Causes {
		left += c.Causes
	}
	if left > 0 {
		all = append(all, causes.Finding{Kind: causes.NotExamined, Note: fmt.Sprintf("%d more causes in the books, in table %s", left, FindingsTable)})
	}
	return all, nil
}

// Pairs is how many pairs were compared.
func (r Report) Pairs() (n int64) {
	for _, count := range r.Compared {
		n += count
	}
	return n
}

// String tells it in some lines.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the books, up to Bank's event %d and BK's entry %d: %d rows landed in %s, compared in %s, %d looks\n", r.Place.BankEvents, r.Place.BKSequence, r.Landed,
		r.Loading.Round(time.Millisecond), r.Comparing.Round(time.Millisecond), r.Looks)
	for _, what := range slices.Sorted(maps.Keys(r.Compared)) {
		fmt.Fprintf(&b, "%12d  %s\n", r.Compared[what], what)
	}
	fmt.Fprintf(&b, "%d differ\n", r.Differing)
	for _, c := range r.Causes {
		fmt.Fprintf(&b, "%12d rows, %d causes, %d accounts, money %s  %s\n              first: %s\n", c.Rows, c.Causes, c.Accounts, c.Money, c.Kind, c.First)
	}
	return b.String()
}
