package bank

import "encoding/json"

// The types of trade.
const (
	ExchangeTrade   = "exchange_trade"
	BilateralTrade  = "bilateral_trade"
	AllocationTrade = "allocation_trade"
	TransferTrade   = "transfer_trade"
	AwayTrade       = "away_trade"
)

// The directions of a trade, as seen from the account that it is booked to.
const (
	Buy  = "buy"
	Sell = "sell"
)

// The states of a trade.
const (
	StateNew      = "new"      // its trade date is after the business date
	StateOpen     = "open"     // in the books, not settled
	StateSettled  = "settled"  // its settlement date has come
	StateCanceled = "canceled" // undone
)

// Instrument names what is traded. A position is kept under the identifier alone, whatever its type, country and currency.
type Instrument struct {
	Identifier     string `json:"identifier"`
	IdentifierType string `json:"identifier_type"` // ticker, cusip, isin, sedol
	Country        string `json:"country,omitempty"`
	Currency       string `json:"currency,omitempty"`
}

// Side says which way the trade goes.
type Side struct {
	Direction string `json:"direction"`           // buy, sell
	Qualifier string `json:"qualifier,omitempty"` // short; sells only
	Position  string `json:"position,omitempty"`  // open, close
}

// Settlement says in what and when it settles.
type Settlement struct {
	Currency string `json:"currency"`       // filled in: the instrument's, else USD
	Date     Date   `json:"date,omitempty"` // only if irregular
}

// Fees are what the account is charged, and what it is not.
type Fees struct {
	Commission Decimal `json:"commission"`
	OmitSEC    bool    `json:"omit_sec"`
	OmitTAF    bool    `json:"omit_taf"`
	OmitBill   bool    `json:"omit_bill"`
}

// Interest is that of a bond's trade.
type Interest struct {
	Yield       *Decimal `json:"yield,omitempty"`
	Accrued     Decimal  `json:"accrued"` // what the buyer pays on top
	AccruedDays *int64   `json:"accrued_days,omitempty"`
}

// Trade is a trade as a client asks for it, normalised: defaults filled in, old names replaced, seconds turned into milliseconds. Two trades
// are the same if their JSON is.
type Trade struct {
	Type              string     `json:"type"`
	Timestamp         int64      `json:"timestamp"` // execution, milliseconds since 1970-01-01 UTC
	ClientTradeID     string     `json:"client_trade_id"`
	Date              Date       `json:"date"` // trade date
	AccountID         ID         `json:"account_id"`
	Quantity          Decimal    `json:"quantity"`
	Price             Decimal    `json:"price"`
	Instrument        Instrument `json:"instrument"`
	Side              Side       `json:"side"`
	Capacity          string     `json:"capacity,omitempty"`
	MIC               string     `json:"mic,omitempty"`
	ExecMPID          string     `json:"exec_mpid,omitempty"`
	ContraMPID        string     `json:"contra_mpid,omitempty"`
	ContraClearingNum string     `json:"contra_clearing_num,omitempty"`
	TargetAccountID   ID         `json:"target_account_id,omitzero"`
	Settlement        Settlement `json:"settlement"`
	Fees              Fees       `json:"fees"`
	Interest          *Interest  `json:"interest,omitempty"`
	IsWhenIssued      bool       `json:"is_when_issued"`
	OrderID           string     `json:"order_id,omitempty"`
	CancelTradeID     string     `json:"cancel_trade_id,omitempty"` // the trade that this one replaces
	// Kept as given, compacted JSON, nil where left out or null.
	ContraSideQualifier json.RawMessage `json:"contra_side_qualifier,omitempty"`
	NSCCClearing        json.RawMessage `json:"nscc_clearing,omitempty"`
	LastMarket          json.RawMessage `json:"last_market,omitempty"`
	Locate              json.RawMessage `json:"locate,omitempty"`
	BehalfOfAccountID   json.RawMessage `json:"behalf_of_account_id,omitempty"`
	Solicited           json.RawMessage `json:"solicited,omitempty"`
	RegisteredRep       json.RawMessage `json:"registered_rep,omitempty"`
	BranchOffice        json.RawMessage `json:"branch_office,omitempty"`
	UserData            json.RawMessage `json:"user_data,omitempty"`
}

// StoredTrade is a trade as it stands: GET /trades/{trade_id}.
type StoredTrade struct {
	TradeID ID `json:"trade_id"`
	Trade
	State       string  `json:"state"`
	SettleDate  Date    `json:"settle_date"`
	GrossAmount Decimal `json:"gross_amount"` // quantity x price
	SECFee      Decimal `json:"sec_fee"`
	TAFFee      Decimal `json:"taf_fee"`
	NetAmount   Decimal `json:"net_amount"`  // the account's cash, signed
	BookedAt    int64   `json:"booked_at"`   // milliseconds
	CanceledAt  *int64  `json:"canceled_at"` // milliseconds; null while it is not cancelled
	ReplacedBy  *ID     `json:"replaced_by"` // the trade that stands in its place
	Replaces    *ID     `json:"replaces"`    // the trade in whose place it stands
}

// Booked answers a booking.
type Booked struct {
	ClientTradeID string `json:"client_trade_id"`
	TradeID       ID     `json:"trade_id"`
}

// TradeRef names a trade: by its id, or by the account and the client's id.
type TradeRef struct {
	TradeID       ID // 0: by the client's
	AccountID     ID
	ClientTradeID string
}

// AccountTrade is a trade as one of its accounts sees it: GET /accounts/{id}/trades.
type AccountTrade struct {
	TradeID         ID       `json:"trade_id"`
	AccountID       ID       `json:"account_id"`
	CreatedAt       int64    `json:"created_at"` // execution, milliseconds
	OrderID         string   `json:"order_id"`
	Symbol          string   `json:"symbol"`
	Side            string   `json:"side"` // buy, sell, sell-short: as this account sees it
	Quantity        Decimal  `json:"quantity"`
	Price           Decimal  `json:"price"`
	RunningPosition *Decimal `json:"running_position"` // the account's position in the symbol right after the trade opened; null until then
}
