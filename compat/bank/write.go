package bank

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Same tells whether two trades ask for the same: all fields are equal after normalising.
func (t *Trade) Same(other *Trade) bool {
	return bytes.Equal(t.AppendJSON(nil), other.AppendJSON(nil))
}

// AppendJSON appends the trade's JSON in its one spelling: fields in the order of the struct, those that were left out and have no default left out again,
// no space, no escape that JSON does not ask for, a timestamp of before March 1973 in seconds, as its milliseconds would be taken for some. [ReadTrade]
// reads it as the same trade.
func (t *Trade) AppendJSON(to []byte) []byte {
	return append(t.appendFields(append(to, '{'), asked), '}')
}

// UnmarshalJSON reads what MarshalJSON gives, field by field: unlike [ReadTrade] it checks no rule of the contract.
func (t *Trade) UnmarshalJSON(text []byte) error {
	type fields Trade // without methods
	if err := json.Unmarshal(text, (*fields)(t)); err != nil {
		return err
	}
	t.Timestamp = milliseconds(t.Timestamp)
	return nil
}

// MarshalJSON gives AppendJSON's text, with the escapes that encoding/json adds for HTML.
func (t Trade) MarshalJSON() ([]byte, error) { return t.AppendJSON(make([]byte, 0, 1<<10)), nil }

// The two spellings of a trade's timestamp.
const (
	asked = true  // one that is read as the same again: seconds before March 1973, where milliseconds would be taken for seconds
	told  = false // milliseconds
)

func (t *Trade) appendFields(to []byte, asked bool) []byte {
	to = appendText(to, `"type":`, t.Type)
	if asked {
		to = appendTimestamp(to, `,"timestamp":`, t.Timestamp)
	} else {
		to = appendInteger(to, `,"timestamp":`, t.Timestamp)
	}
	to = appendText(to, `,"client_trade_id":`, t.ClientTradeID)
	to = appendInteger(to, `,"date":`, int64(t.Date))
	to = appendID(to, `,"account_id":`, t.AccountID)
	to = appendDecimal(to, `,"quantity":`, t.Quantity)
	to = appendDecimal(to, `,"price":`, t.Price)
	to = appendText(to, `,"instrument":{"identifier":`, t.Instrument.Identifier)
	to = appendText(to, `,"identifier_type":`, t.Instrument.IdentifierType)
	to = appendGiven(to, `,"country":`, t.Instrument.Country)
	to = appendGiven(to, `,"currency":`, t.Instrument.Currency)
	to = appendText(to, `},"side":{"direction":`, t.Side.Direction)
	to = appendGiven(to, `,"qualifier":`, t.Side.Qualifier)
	to = appendGiven(to, `,"position":`, t.Side.Position)
	to = append(to, '}')
	to = appendGiven(to, `,"capacity":`, t.Capacity)
	to = appendGiven(to, `,"mic":`, t.MIC)
	to = appendGiven(to, `,"exec_mpid":`, t.ExecMPID)
	to = appendGiven(to, `,"contra_mpid":`, t.ContraMPID)
	to = appendGiven(to, `,"contra_clearing_num":`, t.ContraClearingNum)
	if t.TargetAccountID != 0 {
		to = appendID(to, `,"target_account_id":`, t.TargetAccountID)
	}
	to = appendText(to, `,"settlement":{"currency":`, t.Settlement.Currency)
	if t.Settlement.Date != 0 {
		to = appendInteger(to, `,"date":`, int64(t.Settlement.Date))
	}
	to = appendDecimal(to, `},"fees":{"commission":`, t.Fees.Commission)
	to = appendFlag(to, `,"omit_sec":`, t.Fees.OmitSEC)
	to = appendFlag(to, `,"omit_taf":`, t.Fees.OmitTAF)
	to = appendFlag(to, `,"omit_bill":`, t.Fees.OmitBill)
	to = append(to, '}')
	if in := t.Interest; in != nil {
		to = append(to, `,"interest":{`...)
		if in.Yield != nil {
			to = append(appendDecimal(to, `"yield":`, *in.Yield), ',')
		}
		to = appendDecimal(to, `"accrued":`, in.Accrued)
		if in.AccruedDays != nil {
			to = appendInteger(to, `,"accrued_days":`, *in.AccruedDays)
		}
		to = append(to, '}')
	}
	to = appendFlag(to, `,"is_when_issued":`, t.IsWhenIssued)
	to = appendGiven(to, `,"order_id":`, t.OrderID)
	to = appendGiven(to, `,"cancel_trade_id":`, t.CancelTradeID)
	to = appendKept(to, `,"contra_side_qualifier":`, t.ContraSideQualifier)
	to = appendKept(to, `,"nscc_clearing":`, t.NSCCClearing)
	to = appendKept(to, `,"last_market":`, t.LastMarket)
	to = appendKept(to, `,"locate":`, t.Locate)
	to = appendKept(to, `,"behalf_of_account_id":`, t.BehalfOfAccountID)
	to = appendKept(to, `,"solicited":`, t.Solicited)
	to = appendKept(to, `,"registered_rep":`, t.RegisteredRep)
	to = appendKept(to, `,"branch_office":`, t.BranchOffice)
	return appendKept(to, `,"user_data":`, t.UserData)
}

// AppendJSON appends the trade's JSON: its id, what was asked for in its one spelling, and what became of it.
func (t *StoredTrade) AppendJSON(to []byte) []byte {
	to = append(appendID(to, `{"trade_id":`, t.TradeID), ',')
	to = t.appendFields(to, told)
	to = appendText(to, `,"state":`, t.State)
	to = appendInteger(to, `,"settle_date":`, int64(t.SettleDate))
	to = appendDecimal(to, `,"gross_amount":`, t.GrossAmount)
	to = appendDecimal(to, `,"sec_fee":`, t.SECFee)
	to = appendDecimal(to, `,"taf_fee":`, t.TAFFee)
	to = appendDecimal(to, `,"net_amount":`, t.NetAmount)
	to = appendInteger(to, `,"booked_at":`, t.BookedAt)
	if t.CanceledAt != nil {
		to = appendInteger(to, `,"canceled_at":`, *t.CanceledAt)
	} else {
		to = append(to, `,"canceled_at":null`...)
	}
	to = appendIDOrNull(to, `,"replaced_by":`, t.ReplacedBy)
	return append(appendIDOrNull(to, `,"replaces":`, t.Replaces), '}')
}

// UnmarshalJSON reads what MarshalJSON gives. (That of Trade would take milliseconds for seconds, and leave the rest out.)
func (t *StoredTrade) UnmarshalJSON(text []byte) error {
	type fields Trade // without methods
	var whole struct {
		TradeID ID `json:"trade_id"`
		fields
		State       string  `json:"state"`
		SettleDate  Date    `json:"settle_date"`
		GrossAmount Decimal `json:"gross_amount"`
		SECFee      Decimal `json:"sec_fee"`
		TAFFee      Decimal `json:"taf_fee"`
		NetAmount   Decimal `json:"net_amount"`
		BookedAt    int64   `json:"booked_at"`
		CanceledAt  *int64  `json:"canceled_at"`
		ReplacedBy  *ID     `json:"replaced_by"`
		Replaces    *ID     `json:"replaces"`
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		return err
	}
	*t = StoredTrade{
		TradeID: whole.TradeID, Trade: Trade(whole.fields), State: whole.State, SettleDate: whole.SettleDate, GrossAmount: whole.GrossAmount,
		SECFee: whole.SECFee, TAFFee: whole.TAFFee, NetAmount: whole.NetAmount, BookedAt: whole.BookedAt, CanceledAt: whole.CanceledAt,
		ReplacedBy: whole.ReplacedBy, Replaces: whole.Replaces,
	}
	return nil
}

// MarshalJSON gives AppendJSON's text, with the escapes that encoding/json adds for HTML.
func (t StoredTrade) MarshalJSON() ([]byte, error) { return t.AppendJSON(make([]byte, 0, 1<<10)), nil }

func appendText(to []byte, name, text string) []byte { return appendQuoted(append(to, name...), text) }

func appendGiven(to []byte, name, text string) []byte {
	if text == "" {
		return to
	}
	return appendText(to, name, text)
}

func appendInteger(to []byte, name string, number int64) []byte {
	return strconv.AppendInt(append(to, name...), number, 10)
}

// appendTimestamp appends milliseconds such that a reader of requests reads them as the same. Those below secondsBelow were given in seconds.
func appendTimestamp(to []byte, name string, at int64) []byte {
	if 0 <= at && at < secondsBelow {
		at /= 1000
	}
	return appendInteger(to, name, at)
}

func appendID(to []byte, name string, id ID) []byte {
	return append(strconv.AppendInt(append(append(to, name...), '"'), int64(id), 10), '"')
}

func appendIDOrNull(to []byte, name string, id *ID) []byte {
	if id == nil {
		return append(append(to, name...), "null"...)
	}
	return appendID(to, name, *id)
}

func appendDecimal(to []byte, name string, d Decimal) []byte {
	return append(d.append(append(append(to, name...), '"')), '"')
}

func appendFlag(to []byte, name string, flag bool) []byte {
	return strconv.AppendBool(append(to, name...), flag)
}

// appendKept appends a field that was kept.
func appendKept(to []byte, name string, kept json.RawMessage) []byte {
	if len(kept) == 0 || string(kept) == "null" {
		return to
	}
	return append(append(to, name...), kept...)
}

// AppendBooked appends the answer to POST /trades.
func AppendBooked(to []byte, booked []Booked) []byte {
	to = append(to, '[')
	for i, b := range booked {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendText(to, `{"client_trade_id":`, b.ClientTradeID)
		to = append(appendID(to, `,"trade_id":`, b.TradeID), '}')
	}
	return append(to, ']')
}
