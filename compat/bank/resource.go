package bank

import (
	"bytes"
	"errors"
	"strconv"
)

// ID is a number that names something. Requests give it as a number or a string of digits, answers as a string.
type ID int64

// MarshalJSON gives a string of digits.
func (id ID) MarshalJSON() ([]byte, error) {
	return append(strconv.AppendInt([]byte{'"'}, int64(id), 10), '"'), nil
}

// UnmarshalJSON reads a number or a string of digits, from 0 to 9223372036854775807.
func (id *ID) UnmarshalJSON(data []byte) error {
	parsed, err := ParseID(string(bytes.Trim(data, `"`)))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// String gives the digits.
func (id ID) String() string { return strconv.FormatInt(int64(id), 10) }

// Date is a day as YYYYMMDD; 0 is none.
type Date int32

// String gives the digits.
func (d Date) String() string { return strconv.Itoa(int(d)) }

// ErrDate is the error of [ParseDate].
var ErrDate = errors.New("not a day such as 20131007")

// ParseDate reads eight digits that are a day.
func ParseDate(text string) (Date, error) {
	number, err := strconv.ParseUint(text, 10, 31)
	if err != nil || len(text) != 8 || !Date(number).Real() {
		return 0, ErrDate
	}
	return Date(number), nil
}

// WhenIssued is the settlement date of a trade that has none yet.
const WhenIssued Date = 99991231

const whenIssued = "99991231"

// Entity is a legal entity that owns accounts.
type Entity struct {
	EntityID   ID     `json:"entity_id"`
	ClientCode string `json:"client_code"`
	LegalName  string `json:"legal_name"`
}

// NewAccount opens an account: POST /accounts.
type NewAccount struct {
	AccountID ID     `json:"account_id"`
	EntityID  ID     `json:"entity_id"`
	Name      string `json:"name"`
}

// Account is an account: GET /accounts/{id}.
type Account struct {
	AccountID     ID     `json:"account_id"`
	AccountNumber string `json:"account_number"` // the same
	EntityID      ID     `json:"entity_id"`
	Name          string `json:"name"`
}

// Account gives the account that it opens.
func (a NewAccount) Account() Account {
	return Account{AccountID: a.AccountID, AccountNumber: a.AccountID.String(), EntityID: a.EntityID, Name: a.Name}
}

// Position is an account's holding of a symbol.
type Position struct {
	AccountID       ID       `json:"account_id"`
	Symbol          string   `json:"symbol"`
	Quantity        Decimal  `json:"quantity"`                   // by trade date
	SettledQuantity *Decimal `json:"settled_quantity,omitempty"` // with ?view=full
}

// Balance is an account's cash in a currency. TradeCash = SettledCash + UnsettledCredits - UnsettledDebits.
type Balance struct {
	Currency         string  `json:"currency"`
	TradeCash        Decimal `json:"trade_cash"`
	SettledCash      Decimal `json:"settled_cash"`
	UnsettledDebits  Decimal `json:"unsettled_debits"`  // to pay for open trades, positive
	UnsettledCredits Decimal `json:"unsettled_credits"` // to receive for open trades, positive
}

// JournalRow is one change of one account.
type JournalRow struct {
	JournalID  ID      `json:"journal_id"`
	Date       Date    `json:"date"`     // the business date of the work, 0 before the first
	TradeID    *ID     `json:"trade_id"` // null on cash movements
	Symbol     string  `json:"symbol"`   // "" on cash movements
	Currency   string  `json:"currency"`
	Memo       string  `json:"memo"`
	TDQuantity Decimal `json:"td_quantity"`
	TDAmount   Decimal `json:"td_amount"`
	SDQuantity Decimal `json:"sd_quantity"`
	SDAmount   Decimal `json:"sd_amount"`
}

// The kinds of cash movement.
const (
	Deposit     = "deposit"
	Withdrawal  = "withdrawal"
	CashJournal = "journal"
)

// Cash moves cash: POST /cash. It settles at once.
type Cash struct {
	ClientID        string  `json:"client_id"` // makes it idempotent
	AccountID       ID      `json:"account_id"`
	Currency        string  `json:"currency"`
	Amount          Decimal `json:"amount"` // > 0
	Kind            string  `json:"kind"`
	TargetAccountID ID      `json:"target_account_id,omitzero"` // journals: the account that receives
}

// Replay is what another system has already decided: POST /replay. One of three: a trade (TradeID, BookedAt, Request), a cancel (TradeID,
// CanceledAt), a cash movement (CashID, Cash).
type Replay struct {
	TradeID    ID
	BookedAt   int64 // milliseconds
	Request    *Trade
	CanceledAt int64 // milliseconds
	CashID     ID
	Cash       *Cash
}

// ReplayPlace says how far the ids of a system have come: GET /replay on the operations listener. Zeros where nothing was booked.
type ReplayPlace struct {
	LastTradeID ID `json:"last_trade_id"`
	LastCashID  ID `json:"last_cash_id"`
	LastEventID ID `json:"last_event_id"` // of committed work

	// FirstUnsentEventID is the lowest event of committed work that Kafka may not have yet; 0: it has all. nil: the system doesn't say.
	FirstUnsentEventID *ID `json:"first_unsent_event_id,omitempty"`
}
