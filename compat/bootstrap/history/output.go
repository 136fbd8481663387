package history

import (
	"encoding/json"
	"time"

	"github.com/bkledger/bk/api/bulk"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/source"
)

// Ledger is what the history is booked into; *[bulk.Builder] is one.
type Ledger interface {
	OpenAccount(a *bkv1.Account, source string, at time.Time) (bulk.Receipt, error)
	DefineInstrument(in *bkv1.Instrument, source string, at time.Time) (bulk.Receipt, error)
	Book(c *bkv1.Command, at time.Time) (bulk.Receipt, error)
	Roll(to int32, at time.Time) error
}

// Input is what Stage reads.
type Input struct {
	Runs         []Run // of all transformed chunks
	BusinessDate bank.Date
	Opening      bool // the books are opened with balances and what is alive; all else is archived
	// The tables that are taken as they were extracted, each in any order.
	Entities  Rows[source.Entity]
	Accounts  Rows[source.Account]
	Positions Rows[source.Position]
	Balances  Rows[source.Balance]
	Uploads   Rows[source.Upload]
	Errors    Rows[source.UploadError]
	GivenUp   Rows[source.GivenUp]
}

// Output takes what Stage makes beside the journal, in an order that is the same each time. An error of it ends the stage.
type Output interface {
	// Row takes a row of a table of the façade's, each value as Postgres' text.
	Row(table string, columns, values []string) error
	Quarantine(Quarantined) error
	Repair(Repaired) error
	Adjust(Adjusted) error
}

// Quarantined is a row that was not loaded, or not as it is.
type Quarantined struct {
	Table  source.Table    `json:"table"`
	Key    string          `json:"key"`
	Rule   Rule            `json:"rule"`
	Reason string          `json:"reason"`
	Row    json.RawMessage `json:"row"`
	// Effects is what the old books have by it and the new ones have not: old - new. Of a trade or a cash movement it is what its journal rows add up to in
	// each holding that they move: 0 where they moved it there and back, which only the sums of days show.
	Effects []Change `json:"effects,omitempty"`
}

// Change is a change of one account's position in a symbol, or of its cash in a currency: the other of the two is "".
type Change struct {
	AccountID     bank.ID      `json:"account_id"`
	Symbol        string       `json:"symbol,omitempty"`
	Currency      string       `json:"currency,omitempty"`
	Amount        bank.Decimal `json:"amount"`         // by trade date
	SettledAmount bank.Decimal `json:"settled_amount"` // what of it is settled
}

// IsZero tells whether nothing is left of it.
func (c Change) IsZero() bool { return c.Amount.IsZero() && c.SettledAmount.IsZero() }

// Repaired says that the new books have another value in a field than the old ones.
type Repaired struct {
	Table source.Table `json:"table"`
	Key   string       `json:"key"`
	Rule  Rule         `json:"rule"`
	Field string       `json:"field"`
	Was   string       `json:"was"` // "": null, or no row
	Now   string       `json:"now"`
	Row   *Missing     `json:"row,omitempty"` // of [RowMissing]
}

// Missing is a journal row that Bank should have, by what BK has booked.
type Missing struct {
	AccountID bank.ID `json:"account_id"`
	TradeID   bank.ID `json:"trade_id,omitzero"` // 0: it is of a cash movement
	Memo      string  `json:"memo"`
	Symbol    string  `json:"symbol,omitempty"` // that it moves; "": cash alone
	Currency  string  `json:"currency"`
}

// Adjusted is an entry of the new books that the old ones have no row for. In Bank's terms it is one more journal row with the memo posting.
type Adjusted struct {
	Rule   Rule   `json:"rule"`
	Key    string `json:"key"`   // of the entry
	Entry  int64  `json:"entry"` // BK's id of it
	Memo   string `json:"memo"`
	Change Change `json:"change"`
}

// Report is what Stage has done.
type Report struct {
	Trades      int64   `json:"trades"` // booked
	Cancels     int64   `json:"cancels"`
	Cash        int64   `json:"cash"`
	JournalRows int64   `json:"journal_rows"` // read
	Fired       Counts  `json:"rules"`        // rows that each rule was about
	Quarantined int64   `json:"quarantined"`
	Repaired    int64   `json:"repaired"`
	Adjusted    int64   `json:"adjusted"`
	LastTradeID bank.ID `json:"last_trade_id"`
	LastCashID  bank.ID `json:"last_cash_id"`
	Opened      int64   `json:"opened,omitempty"`   // opening balances
	Alive       int64   `json:"alive,omitempty"`    // trades that were booked behind these
	Archived    int64   `json:"archived,omitempty"` // trades that were over
	// MostLive is how many trades were in memory at once, at most.
	MostLive int `json:"most_live"`
}
