package bankmap

import (
	"encoding/json"
	"errors"
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
func ToTrade(r *bkv1.TradeRecord, x Extras) (t bank.Trade, err error) {
	err = putTrade(&t, r, &x)
	return t, err
}

// putTrade is ToTrade into a zero value.
func putTrade(t *bank.Trade, r *bkv1.TradeRecord, x *Extras) error {
	b := r.GetTrade()
	t.Type, t.Timestamp, t.ClientTradeID = tradeTypes.from(b.GetType()), b.GetExecutedAt().AsTime().UnixMilli(), or(x.ClientTradeID, b.GetClientTradeId())
	t.Date, t.AccountID, t.TargetAccountID = bank.Date(r.GetTradeDate()), bank.ID(b.GetAccount().GetId()), bank.ID(b.GetTarget().GetId())
	t.Side.Direction, t.Side.Position = directions.from(b.GetDirection()), effects.from(b.GetEffect())
	t.Capacity, t.MIC, t.ExecMPID = capacities.from(b.GetCapacity()), or(x.MIC, b.GetMic()), or(x.ExecMPID, b.GetExecMpid())
	t.ContraMPID, t.ContraClearingNum = or(x.ContraMPID, b.GetContraMpid()), or(x.ContraClearingNum, b.GetContraClearingNum())
	t.Settlement.Currency, t.Settlement.Date = b.GetCurrency(), x.SettlementDate
	t.Fees.OmitSEC, t.Fees.OmitTAF, t.Fees.OmitBill = b.GetOmitSec() && !x.NoSECFee, b.GetOmitTaf() && !x.NoTAFFee, x.OmitBill
	t.IsWhenIssued, t.OrderID, t.CancelTradeID = x.IsWhenIssued, or(x.OrderID, b.GetOrderId()), x.CancelTradeID
	t.ContraSideQualifier, t.NSCCClearing, t.LastMarket, t.Locate, t.BehalfOfAccountID = x.ContraSideQualifier, x.NSCCClearing, x.LastMarket, x.Locate, x.BehalfOfAccountID
	t.Solicited, t.RegisteredRep, t.BranchOffice, t.UserData = x.Solicited, x.RegisteredRep, x.BranchOffice, x.UserData
	if b.GetShort() {
		t.Side.Qualifier = qualifierShort
	}
	if x.Timestamp != nil {
		t.Timestamp = *x.Timestamp
	}
	if x.Instrument != nil {
		t.Instrument = *x.Instrument
	} else {
		t.Instrument = instrumentOf(b.GetInstrument())
	}
	if x.TargetAccountID != 0 {
		t.TargetAccountID = x.TargetAccountID
	}
	var read decimals
	t.Quantity, t.Price, t.Fees.Commission = read.decimal("quantity", b.GetQuantity()), read.decimal("price", b.GetPrice()), read.decimal("commission", b.GetCommission())
	accrued := read.decimal("accrued", b.GetAccrued())
	if x.Interest != nil {
		t.Interest = &bank.Interest{Yield: x.Interest.Yield, Accrued: accrued, AccruedDays: x.Interest.AccruedDays}
	} else if !accrued.IsZero() {
		t.Interest = &bank.Interest{Accrued: accrued}
	}
	if read.err != nil {
		return fmt.Errorf("trade %d: %w", r.GetId(), read.err)
	}
	return nil
}

// Stored gives a trade as it stands: BK's record of it with all entries about it, and Bank's ids of it, of the trade that stands in its place and of the one in whose place it
// stands (0: none).
func Stored(r *bkv1.TradeRecord, entries []*bkv1.Entry, x Extras, id, replacedBy, replaces bank.ID) (bank.StoredTrade, error) {
	if len(entries) == 0 {
		return bank.StoredTrade{}, fmt.Errorf("trade %d has no entries", r.GetId())
	}
	s := Standing{ID: id, ReplacedBy: replacedBy, Replaces: replaces, BookedAt: Moment(entries[0])}
	for _, e := range entries {
		if Cancels(e) {
			s.CanceledAt = Moment(e)
		}
	}
	var stored bank.StoredTrade
	err := s.Put(&stored, r, &x)
	return stored, err
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
	var read decimals
	c.Amount = read.decimal("amount", e.GetFields()["amount"])
	return c, read.err
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

// decimals reads decimals of BK; "" is zero. Its error is the first one's.
type decimals struct{ err error }

func (d *decimals) decimal(name, text string) bank.Decimal {
	read, err := Decimal(text)
	if err != nil && d.err == nil {
		d.err = fmt.Errorf("%s: %w", name, err)
	}
	return read
}

// Decimal reads a decimal of BK, a sum too; "" is zero.
func Decimal(text string) (bank.Decimal, error) {
	if text == "" {
		return bank.Decimal{}, nil
	}
	d, err := bank.ParseDecimal(text)
	if errors.Is(err, bank.ErrDecimalRange) { // sums may be
		err = d.UnmarshalJSON([]byte(`"` + text + `"`))
	}
	if err != nil {
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
