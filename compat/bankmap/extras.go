package bankmap

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/bkledger/bk/compat/bank"
)

// MetadataKey is the name of the extras in a command's metadata.
const MetadataKey = "bank"

// MaxInline is how long extras may be to stand in the metadata themselves, in bytes. BK takes 64 KiB of metadata.
const MaxInline = 60 << 10

// Extras are the fields of a trade that BK's has no field for, or can't hold. The zero value is none.
type Extras struct {
	// What BK's field can't hold; in BK it is empty or a stand-in.
	Timestamp         *int64           `json:"timestamp,omitempty"`
	ClientTradeID     string           `json:"client_trade_id,omitempty"`
	Instrument        *bank.Instrument `json:"instrument,omitempty"` // other than the identifier that the trade was booked with
	MIC               string           `json:"mic,omitempty"`
	ExecMPID          string           `json:"exec_mpid,omitempty"`
	ContraMPID        string           `json:"contra_mpid,omitempty"`
	ContraClearingNum string           `json:"contra_clearing_num,omitempty"`
	OrderID           string           `json:"order_id,omitempty"`
	TargetAccountID   bank.ID          `json:"target_account_id,omitzero"` // on types that have none

	// What BK has no field for.
	SettlementDate      bank.Date       `json:"settlement_date,omitempty"` // given, not worked out
	OmitBill            bool            `json:"omit_bill,omitempty"`
	Interest            *interest       `json:"interest,omitempty"`
	IsWhenIssued        bool            `json:"is_when_issued,omitempty"`
	CancelTradeID       string          `json:"cancel_trade_id,omitempty"`
	ContraSideQualifier json.RawMessage `json:"contra_side_qualifier,omitempty"`
	NSCCClearing        json.RawMessage `json:"nscc_clearing,omitempty"`
	LastMarket          json.RawMessage `json:"last_market,omitempty"`
	Locate              json.RawMessage `json:"locate,omitempty"`
	BehalfOfAccountID   json.RawMessage `json:"behalf_of_account_id,omitempty"`
	Solicited           json.RawMessage `json:"solicited,omitempty"`
	RegisteredRep       json.RawMessage `json:"registered_rep,omitempty"`
	BranchOffice        json.RawMessage `json:"branch_office,omitempty"`
	UserData            json.RawMessage `json:"user_data,omitempty"`

	// What a system charged otherwise than the request says (see [Charged]); BK was told to omit it.
	NoSECFee bool `json:"no_sec_fee,omitempty"`
	NoTAFFee bool `json:"no_taf_fee,omitempty"`

	any bool // anything is set
}

// interest is there where a trade has interest that its accrued amount alone doesn't show.
type interest struct {
	Yield       *bank.Decimal `json:"yield,omitempty"`
	AccruedDays *int64        `json:"accrued_days,omitempty"`
}

// encode gives the extras' one text, "" if there are none.
func (x *Extras) encode() (string, error) {
	if !x.any {
		return "", nil
	}
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false) // what is kept as given stays as it is
	if err := to.Encode(x); err != nil {
		return "", fmt.Errorf("encode what BK has no field for: %w", err)
	}
	return string(bytes.TrimRight(text.Bytes(), "\n")), nil
}

// ParseExtras reads the extras' text; "" is none.
func ParseExtras(text string) (Extras, error) {
	if text == "" {
		return Extras{}, nil
	}
	x, err := readExtras(text)
	return *x, err
}

// readExtras is apart for its memory, which most trades do not need.
func readExtras(text string) (*Extras, error) {
	x := &Extras{}
	if err := json.Unmarshal([]byte(text), x); err != nil {
		return &Extras{}, fmt.Errorf("metadata.%s: %w", MetadataKey, err)
	}
	x.any = true
	return x, nil
}

// Inline reports whether a text may stand in the metadata itself, at most so many bytes of it; else [Hashed] of it stands there, and the text has to be kept
// elsewhere.
func Inline(text string, most int) bool { return len(text) <= most && utf8.ValidString(text) }

// keep keeps a text that a field of BK can't hold, and gives what stands in the field.
func (x *Extras) keep(to *string, text string, fits bool, standIn string) string {
	if fits || text == "" {
		return text
	}
	*to, x.any = text, true
	return standIn
}

// raw keeps what a client said in its own way.
func (x *Extras) raw(to *json.RawMessage, given json.RawMessage) {
	if len(given) > 0 && string(given) != "null" {
		*to, x.any = given, true
	}
}
