package source

import (
	"github.com/bkledger/bk/compat/bank"
)

// Row is a row of one of Bank's tables: a pointer to one of this package's types.
type Row interface {
	Table() Table
	Key() string // names it in its table: its id, or "account/symbol" and the like
}

// Entity is a row of bank.entity.
type Entity struct {
	EntityID   bank.ID `json:"entity_id"`
	ClientCode string  `json:"client_code"`
	LegalName  string  `json:"legal_name"`
}

// Account is a row of bank.account.
type Account struct {
	AccountID bank.ID `json:"account_id"`
	EntityID  bank.ID `json:"entity_id"`
	Name      string  `json:"name"`
}

// Trade is a row of bank.trade. What may be null there is nil here.
type Trade struct {
	TradeID         bank.ID       `json:"trade_id"`
	AccountID       bank.ID       `json:"account_id"`
	ClientTradeID   string        `json:"client_trade_id"`
	TargetAccountID *bank.ID      `json:"target_account_id"`
	TradeDate       bank.Date     `json:"trade_date"`
	SettleDate      bank.Date     `json:"settle_date"`
	State           string        `json:"state"`
	Symbol          string        `json:"symbol"`
	Currency        string        `json:"currency"`
	Sell            bool          `json:"sell"`
	Quantity        bank.Decimal  `json:"quantity"`
	Price           bank.Decimal  `json:"price"`
	GrossAmount     bank.Decimal  `json:"gross_amount"`
	SECFee          bank.Decimal  `json:"sec_fee"`
	TAFFee          bank.Decimal  `json:"taf_fee"`
	NetAmount       bank.Decimal  `json:"net_amount"`
	Running         *bank.Decimal `json:"running"` // not known through the API: nil
	TargetRunning   *bank.Decimal `json:"target_running"`
	BookedAt        int64         `json:"booked_at"`   // as it is in the column: milliseconds, but for old rows
	CanceledAt      *int64        `json:"canceled_at"` // likewise
	ReplacedBy      *bank.ID      `json:"replaced_by"`
	Replaces        *bank.ID      `json:"replaces"`
	Request         string        `json:"request"` // JSON as it is stored
}

// JournalRow is a row of bank.journal.
type JournalRow struct {
	JournalID  bank.ID      `json:"journal_id"`
	AccountID  bank.ID      `json:"account_id"`
	Date       bank.Date    `json:"date"` // the business date of the work, 0 before the first
	TradeID    *bank.ID     `json:"trade_id"`
	CashID     *bank.ID     `json:"cash_id"`
	Symbol     string       `json:"symbol"`
	Currency   string       `json:"currency"`
	Memo       string       `json:"memo"`
	TDQuantity bank.Decimal `json:"td_quantity"`
	TDAmount   bank.Decimal `json:"td_amount"`
	SDQuantity bank.Decimal `json:"sd_quantity"`
	SDAmount   bank.Decimal `json:"sd_amount"`
}

// Cash is a row of bank.cash. Bank's API has no list of them: read through it, a row stands for one journal row, its id is that row's, negated, and its ClientID is "": not known.
type Cash struct {
	CashID          bank.ID      `json:"cash_id"`
	ClientID        string       `json:"client_id"`
	AccountID       bank.ID      `json:"account_id"`
	TargetAccountID *bank.ID     `json:"target_account_id"`
	Currency        string       `json:"currency"`
	Amount          bank.Decimal `json:"amount"`
	Kind            string       `json:"kind"`
	BookedAt        int64        `json:"booked_at"` // as Trade's; 0: not known
}

// Position is a row of bank.position.
type Position struct {
	AccountID       bank.ID      `json:"account_id"`
	Symbol          string       `json:"symbol"`
	Quantity        bank.Decimal `json:"quantity"`
	SettledQuantity bank.Decimal `json:"settled_quantity"`
}

// Balance is a row of bank.balance.
type Balance struct {
	AccountID        bank.ID      `json:"account_id"`
	Currency         string       `json:"currency"`
	SettledCash      bank.Decimal `json:"settled_cash"`
	UnsettledDebits  bank.Decimal `json:"unsettled_debits"`
	UnsettledCredits bank.Decimal `json:"unsettled_credits"`
}

// Upload is a row of bank.upload. Its file is not read: an upload that is not worked off yet keeps a snapshot from being taken.
type Upload struct {
	Seq       int64  `json:"seq"`
	Kind      string `json:"kind"`
	UploadID  string `json:"upload_id"` // SHA-256 of the file, in hexadecimal
	Name      string `json:"name"`
	CreatedAt int64  `json:"created_at"` // milliseconds
	UpdatedAt int64  `json:"updated_at"`
	Status    string `json:"status"`
	Processed int64  `json:"processed"`
	Skipped   int64  `json:"skipped"`
	Attempted int64  `json:"attempted"`
}

// UploadError is a row of bank.upload_error.
type UploadError struct {
	Seq     int64  `json:"seq"`
	Row     int64  `json:"row"`
	Type    string `json:"type"`
	Message string `json:"message"`
}

// GivenUp is a row of bank.upload_given_up. Times are as Postgres spells a timestamptz.
type GivenUp struct {
	Seq       int64  `json:"seq"`
	Row       int64  `json:"row"`
	Attempts  int64  `json:"attempts"`
	Since     string `json:"since"`
	Type      string `json:"type"`
	Message   string `json:"message"`
	Who       string `json:"who"`
	Why       string `json:"why"`
	Force     bool   `json:"force"`
	GivenUpAt string `json:"given_up_at"`
}
