package bankmap

import (
	"strings"

	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
)

var (
	tradeTypes = pairs[string, bkv1.TradeType]{
		{bank.ExchangeTrade, bkv1.TradeType_TRADE_TYPE_EXCHANGE},
		{bank.BilateralTrade, bkv1.TradeType_TRADE_TYPE_BILATERAL},
		{bank.AwayTrade, bkv1.TradeType_TRADE_TYPE_AWAY},
		{bank.AllocationTrade, bkv1.TradeType_TRADE_TYPE_ALLOCATION},
		{bank.TransferTrade, bkv1.TradeType_TRADE_TYPE_TRANSFER},
	}
	directions = pairs[string, bkv1.Direction]{
		{bank.Buy, bkv1.Direction_DIRECTION_BUY}, {bank.Sell, bkv1.Direction_DIRECTION_SELL},
	}
	effects = pairs[string, bkv1.Effect]{
		{"", bkv1.Effect_EFFECT_UNSPECIFIED}, {"open", bkv1.Effect_EFFECT_OPEN}, {"close", bkv1.Effect_EFFECT_CLOSE},
	}
	capacities = pairs[string, bkv1.Capacity]{
		{"", bkv1.Capacity_CAPACITY_UNSPECIFIED}, {"agency", bkv1.Capacity_CAPACITY_AGENCY}, {"principal", bkv1.Capacity_CAPACITY_PRINCIPAL},
		{"mixed", bkv1.Capacity_CAPACITY_MIXED}, {"riskless_principal", bkv1.Capacity_CAPACITY_RISKLESS_PRINCIPAL},
	}
)

const (
	qualifierShort = "short"

	// lastMillisecond is that of the year 9999.
	lastMillisecond = 253402300799999
)

// FromTrade makes the command that books a trade; instrument is the identifier of what stands for its symbol. What BK has no field for comes as
// text, to be put into the metadata under [MetadataKey] as it is, or hashed where it is too long ([Inline], [Hashed]); "" is nothing. Which trade it
// replaces is still to be said ([Replacing]).
func FromTrade(t *bank.Trade, instrument *bkv1.Identifier) (command *bkv1.Command, extras string, err error) {
	return FromCharged(t, instrument, Charged{})
}

// Charged says what Bank made of a trade otherwise than BK's rules would of the same request. The zero value is nothing.
type Charged struct {
	NoSECFee, NoTAFFee bool      // it charged none
	SettleDate         bank.Date // it settles then, though the request names no date; 0: regularly
}

// FromCharged is [FromTrade] of a trade that Bank has booked. What is read back is the request as it was, and BK does what Bank did.
func FromCharged(t *bank.Trade, instrument *bkv1.Identifier, charged Charged) (_ *bkv1.Command, extras string, err error) {
	var x Extras
	two := bank.TwoAccounts(t.Type)
	var parts struct { // of every trade, in one piece of memory
		command bkv1.Command
		book    bkv1.Command_Trade
		trade   bkv1.Trade
		account bkv1.AccountRef
		at      timestamppb.Timestamp
	}
	command, trade := &parts.command, &parts.trade
	setAccount(&parts.account, t.AccountID)
	x.time(&parts.at, t.Timestamp)
	*trade = bkv1.Trade{
		Type: tradeTypes.to(t.Type), ExecutedAt: &parts.at, Account: &parts.account,
		Direction: directions.to(t.Side.Direction), Short: t.Side.Qualifier == qualifierShort, Effect: effects.to(t.Side.Position),
		Quantity: t.Quantity.String(), Price: t.Price.String(), Instrument: instrument, Currency: t.Settlement.Currency,
		Capacity: capacities.to(t.Capacity), OmitSec: t.Fees.OmitSEC, OmitTaf: t.Fees.OmitTAF,
		ClientTradeId:     x.keep(&x.ClientTradeID, t.ClientTradeID, fitsText(t.ClientTradeID), ""),
		OrderId:           x.keep(&x.OrderID, t.OrderID, fitsText(t.OrderID), ""),
		Mic:               x.keep(&x.MIC, t.MIC, fitsCode(t.MIC), standIn(t.MIC)),
		ExecMpid:          x.keep(&x.ExecMPID, t.ExecMPID, fitsCode(t.ExecMPID), standIn(t.ExecMPID)),
		ContraMpid:        x.keep(&x.ContraMPID, t.ContraMPID, fitsCode(t.ContraMPID), standIn(t.ContraMPID)),
		ContraClearingNum: x.keep(&x.ContraClearingNum, t.ContraClearingNum, fitsCode(t.ContraClearingNum), standIn(t.ContraClearingNum)),
	}
	if t.TargetAccountID != 0 && two {
		trade.Target = AccountRef(t.TargetAccountID)
	} else if t.TargetAccountID != 0 {
		x.TargetAccountID, x.any = t.TargetAccountID, true
	}
	if !t.Fees.Commission.IsZero() {
		trade.Commission = t.Fees.Commission.String()
	}
	if in := t.Interest; in != nil {
		if !in.Accrued.IsZero() {
			trade.Accrued = in.Accrued.String()
		}
		if in.Accrued.IsZero() || in.Yield != nil || in.AccruedDays != nil {
			x.Interest, x.any = &interest{in.Yield, in.AccruedDays}, true
		}
	}
	parts.book.Trade = trade
	command.Key, command.TradeDate, command.Command = TradeKey(t.AccountID, t.ClientTradeID), int32(t.Date), &parts.book
	x.rest(t, command)
	x.charged(charged, command, trade)
	if instrumentOf(instrument) != t.Instrument {
		own := t.Instrument
		x.Instrument, x.any = &own, true
	}
	extras, err = x.encode()
	return command, extras, err
}

// rest takes what BK's trade has no field for, and the settlement date.
func (x *Extras) rest(t *bank.Trade, command *bkv1.Command) {
	switch {
	case t.Settlement.Date != 0:
		command.SettleDate = int32(t.Settlement.Date)
		x.SettlementDate, x.any = t.Settlement.Date, true
	case t.IsWhenIssued:
		command.SettleDate = int32(bank.WhenIssued)
	}
	x.OmitBill, x.IsWhenIssued, x.CancelTradeID = t.Fees.OmitBill, t.IsWhenIssued, t.CancelTradeID
	x.any = x.any || x.OmitBill || x.IsWhenIssued || x.CancelTradeID != ""
	x.raw(&x.ContraSideQualifier, t.ContraSideQualifier)
	x.raw(&x.NSCCClearing, t.NSCCClearing)
	x.raw(&x.LastMarket, t.LastMarket)
	x.raw(&x.Locate, t.Locate)
	x.raw(&x.BehalfOfAccountID, t.BehalfOfAccountID)
	x.raw(&x.Solicited, t.Solicited)
	x.raw(&x.RegisteredRep, t.RegisteredRep)
	x.raw(&x.BranchOffice, t.BranchOffice)
	x.raw(&x.UserData, t.UserData)
}

// charged takes what Bank made of the trade otherwise.
func (x *Extras) charged(c Charged, command *bkv1.Command, trade *bkv1.Trade) {
	if c.SettleDate != 0 {
		command.SettleDate = int32(c.SettleDate)
	}
	if c.NoSECFee && !trade.OmitSec {
		trade.OmitSec, x.NoSECFee, x.any = true, true, true
	}
	if c.NoTAFFee && !trade.OmitTaf {
		trade.OmitTaf, x.NoTAFFee, x.any = true, true, true
	}
}

// time puts an execution time; one that BK can't hold is kept, and 1970 stands in.
func (x *Extras) time(to *timestamppb.Timestamp, milliseconds int64) {
	if milliseconds < 0 || milliseconds > lastMillisecond {
		x.Timestamp, x.any = &milliseconds, true
		return
	}
	to.Seconds, to.Nanos = milliseconds/1000, int32(milliseconds%1000*1e6)
}

// Replacing makes a command one that books in place of the trade that t names: the client's id in the same account, else BK's trade of that id (0: there
// is none). One that is cancelled is only linked, one that is settled is refused.
func Replacing(command *bkv1.Command, t *bank.Trade, trade int64) {
	command.Replaces = &bkv1.Replaces{
		Trade: trade, Key: TradeKey(t.AccountID, t.CancelTradeID), LinkIfCanceled: true, UnlessSettled: true,
	}
}

// FromCancel makes the command that cancels BK's trade of an id.
func FromCancel(trade int64) *bkv1.Command {
	return &bkv1.Command{Key: CancelKey(trade), Command: &bkv1.Command_Cancel{
		Cancel: &bkv1.Cancel{Target: &bkv1.Target{Trade: trade}, UnlessSettled: true},
	}}
}

// FromClientCancel makes the command that cancels the trade of a client's id.
func FromClientCancel(account bank.ID, clientTradeID string) *bkv1.Command {
	return &bkv1.Command{Key: ClientCancelKey(account, clientTradeID), Command: &bkv1.Command_Cancel{
		Cancel: &bkv1.Cancel{Target: &bkv1.Target{Key: TradeKey(account, clientTradeID)}, UnlessSettled: true},
	}}
}

var cashKinds = pairs[string, string]{
	{bank.Deposit, "cash.deposit"}, {bank.Withdrawal, "cash.withdrawal"}, {bank.CashJournal, "journal.cash"},
}

// FromCash makes the command that moves cash.
func FromCash(c *bank.Cash) *bkv1.Command {
	fields := map[string]string{"currency": c.Currency, "amount": c.Amount.String()}
	if c.Kind == bank.CashJournal {
		fields["from"], fields["to"] = AccountCode(c.AccountID), AccountCode(c.TargetAccountID)
	} else {
		fields["account"] = AccountCode(c.AccountID)
	}
	command := &bkv1.Command{Key: CashKey(c.ClientID), Command: &bkv1.Command_Event{
		Event: &bkv1.NewEvent{Kind: cashKinds.to(c.Kind), Fields: fields},
	}}
	if command.Key != "cash/"+c.ClientID {
		command.Metadata = map[string]string{MetadataKey: quoted(c.ClientID)}
	}
	return command
}

// fitsText reports whether BK keeps a text as it is.
func fitsText(text string) bool { return len(text) <= maxTextBytes && plain(text) }

// maxCodeBytes is BK's limit on codes of markets and parties.
const maxCodeBytes = 10

// fitsCode reports whether BK keeps a code of a market or a party: letters and digits.
func fitsCode(code string) bool {
	if len(code) > maxCodeBytes {
		return false
	}
	for i := 0; i < len(code); i++ {
		if c := code[i] | 0x20; (c < 'a' || c > 'z') && (code[i] < '0' || code[i] > '9') {
			return false
		}
	}
	return true
}

// standIn is what BK gets for a code that it can't hold: different codes, different stand-ins, so that each party keeps an account of its own.
func standIn(code string) string {
	if fitsCode(code) {
		return code
	}
	return "Z" + strings.ToUpper(Hashed(code)[len(hashed):][:maxCodeBytes-1])
}
