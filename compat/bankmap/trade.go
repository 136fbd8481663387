package bankmap

import (
	"encoding/json"
	"fmt"
	"strings"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
)

// The kinds of BK's entries that mean something to Bank, besides the five that book trades.
const (
	kindOpen    = "trade.open"
	kindSettle  = "trade.settle"
	kindReverse = "trade.reverse"
	kindCancel  = "trade.cancel"
)

// Books reports whether an entry books a trade.
func Books(e *bkv1.Entry) bool { return e.GetTrade() != nil && e.GetId() == e.GetTrade().GetId() }

// Cancels reports whether an entry cancels a trade.
func Cancels(e *bkv1.Entry) bool { return e.GetKind() == kindCancel }

// Opens reports whether an entry brings a trade into force.
func Opens(e *bkv1.Entry) bool {
	return e.GetKind() == kindOpen || Books(e) && e.GetTrade().GetState() != bkv1.TradeState_TRADE_STATE_NEW
}

// MovesCash reports whether an entry is a cash movement as Bank knows them.
func MovesCash(e *bkv1.Entry) bool { return cashKinds.from(e.GetKind()) != "" }

// ToTrade is the inverse of [FromTrade]: the request, out of what BK has of the trade. (An extras' text that was kept elsewhere has to be brought here.)
func ToTrade(r *bkv1.TradeRecord, x Extras) (bank.Trade, error) {
	b := r.GetTrade()
	t := bank.Trade{
		Type: tradeTypes.from(b.GetType()), Timestamp: b.GetExecutedAt().AsTime().UnixMilli(), ClientTradeID: or(x.ClientTradeID, b.GetClientTradeId()),
		Date: bank.Date(r.GetTradeDate()), AccountID: bank.ID(b.GetAccount().GetId()), Instrument: instrumentOf(b.GetInstrument()),
		Side:     bank.Side{Direction: directions.from(b.GetDirection()), Position: effects.from(b.GetEffect())},
		Capacity: capacities.from(b.GetCapacity()), MIC: or(x.MIC, b.GetMic()), ExecMPID: or(x.ExecMPID, b.GetExecMpid()),
		ContraMPID: or(x.ContraMPID, b.GetContraMpid()), ContraClearingNum: or(x.ContraClearingNum, b.GetContraClearingNum()),
		TargetAccountID: bank.ID(b.GetTarget().GetId()),
		Settlement:      bank.Settlement{Currency: b.GetCurrency(), Date: x.SettlementDate},
		Fees:            bank.Fees{OmitSEC: b.GetOmitSec(), OmitTAF: b.GetOmitTaf(), OmitBill: x.OmitBill},
		IsWhenIssued:    x.IsWhenIssued, OrderID: or(x.OrderID, b.GetOrderId()), CancelTradeID: x.CancelTradeID,
		ContraSideQualifier: x.ContraSideQualifier, NSCCClearing: x.NSCCClearing, LastMarket: x.LastMarket, Locate: x.Locate,
		BehalfOfAccountID: x.BehalfOfAccountID, Solicited: x.Solicited, RegisteredRep: x.RegisteredRep, BranchOffice: x.BranchOffice, UserData: x.UserData,
	}
	if b.GetShort() {
		t.Side.Qualifier = qualifierShort
	}
	if x.Timestamp != nil {
		t.Timestamp = *x.Timestamp
	}
	if x.Instrument != nil {
		t.Instrument = *x.Instrument
	}
	if x.TargetAccountID != 0 {
		t.TargetAccountID = x.TargetAccountID
	}
	var accrued bank.Decimal
	err := decimals(
		field{"quantity", b.GetQuantity(), &t.Quantity}, field{"price", b.GetPrice(), &t.Price},
		field{"commission", b.GetCommission(), &t.Fees.Commission}, field{"accrued", b.GetAccrued(), &accrued},
	)
	if x.Interest != nil {
		t.Interest = &bank.Interest{Yield: x.Interest.Yield, Accrued: accrued, AccruedDays: x.Interest.AccruedDays}
	} else if !accrued.IsZero() {
		t.Interest = &bank.Interest{Accrued: accrued}
	}
	if err != nil {
		err = fmt.Errorf("trade %d: %w", r.GetId(), err)
	}
	return t, err
}

// Stored gives a trade as it stands: BK's record of it with all entries about it, and Bank's ids of it, of the trade that stands in its place and of the one in whose place it
// stands (0: none).
func Stored(r *bkv1.TradeRecord, entries []*bkv1.Entry, x Extras, id, replacedBy, replaces bank.ID) (bank.StoredTrade, error) {
	if len(entries) == 0 {
		return bank.StoredTrade{}, fmt.Errorf("trade %d has no entries", r.GetId())
	}
	trade, err := ToTrade(r, x)
	if err != nil {
		return bank.StoredTrade{}, err
	}
	s := bank.StoredTrade{
		Trade: trade, TradeID: id, State: State(r.GetState()), SettleDate: bank.Date(r.GetSettleDate()), BookedAt: Moment(entries[0]),
	}
	for _, e := range entries {
		if Cancels(e) {
			at := Moment(e)
			s.CanceledAt = &at
		}
	}
	if replacedBy != 0 {
		s.ReplacedBy = &replacedBy
	}
	if replaces != 0 {
		s.Replaces = &replaces
	}
	err = decimals(
		field{"gross", r.GetGross(), &s.GrossAmount}, field{"sec_fee", r.GetSecFee(), &s.SECFee},
		field{"taf_fee", r.GetTafFee(), &s.TAFFee}, field{"net", r.GetNet(), &s.NetAmount},
	)
	return s, err
}

// Moment gives when the work of an entry was decided, in milliseconds: by Bank, if it decided it, else by BK.
func Moment(e *bkv1.Entry) int64 {
	if o, ok := ParseOrigin(e.GetSource()); ok && o.At != 0 {
		return o.At
	}
	return e.GetBookedAt().AsTime().UnixMilli()
}

// ToCash is the inverse of [FromCash].
func ToCash(e *bkv1.Entry) (bank.Cash, error) {
	c := bank.Cash{Kind: cashKinds.from(e.GetKind()), ClientID: strings.TrimPrefix(e.GetKey(), "cash/"), Currency: e.GetFields()["currency"]}
	if text := e.GetMetadata()[MetadataKey]; text != "" {
		if err := json.Unmarshal([]byte(text), &c.ClientID); err != nil {
			return c, fmt.Errorf("entry %d: metadata.%s: %w", e.GetId(), MetadataKey, err)
		}
	}
	from, to := "account", ""
	if c.Kind == bank.CashJournal {
		from, to = "from", "to"
	}
	var err error
	if c.AccountID, err = bank.ParseID(e.GetFields()[from]); err == nil && to != "" {
		c.TargetAccountID, err = bank.ParseID(e.GetFields()[to])
	}
	if err != nil {
		return c, fmt.Errorf("entry %d: account: %w", e.GetId(), err)
	}
	return c, decimals(field{"amount", e.GetFields()["amount"], &c.Amount})
}

var states = pairs[string, bkv1.TradeState]{
	{bank.StateNew, bkv1.TradeState_TRADE_STATE_NEW}, {bank.StateOpen, bkv1.TradeState_TRADE_STATE_OPEN},
	{bank.StateSettled, bkv1.TradeState_TRADE_STATE_SETTLED}, {bank.StateCanceled, bkv1.TradeState_TRADE_STATE_CANCELED},
}

// State gives Bank's word for a state.
func State(s bkv1.TradeState) string { return states.from(s) }

// States gives the states of BK that a filter names; "" is all but the cancelled.
func States(filter string) []bkv1.TradeState {
	if filter != "" {
		return []bkv1.TradeState{states.to(filter)}
	}
	return []bkv1.TradeState{states[0].b, states[1].b, states[2].b}
}

// field is a decimal of BK to be read; "" is zero.
type field struct {
	name, text string
	to         *bank.Decimal
}

func decimals(fields ...field) error {
	for _, f := range fields {
		d, err := Decimal(f.text)
		if err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		*f.to = d
	}
	return nil
}

// Decimal reads a decimal of BK, a sum too; "" is zero.
func Decimal(text string) (bank.Decimal, error) {
	var d bank.Decimal
	if text == "" {
		return d, nil
	}
	if err := d.UnmarshalJSON([]byte(`"` + text + `"`)); err != nil {
		return d, fmt.Errorf("%q: %w", text, err)
	}
	return d, nil
}

func or(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// quoted is a text as JSON.
func quoted(text string) string {
	out, _ := json.Marshal(text) // a string can always be written
	return string(out)
}
