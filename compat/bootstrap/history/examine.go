package history

import (
	"errors"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/ledger"
)

// examiner looks at trades by themselves: whether the request can be read, and whether BK's rules make of it what Bank's did.
type examiner struct{ rules *ledger.Rules }

func newExaminer() *examiner { return &examiner{ledger.StandardRules()} }

// trade examines a row.
func (x *examiner) trade(row *source.Trade) tradeRecord {
	t := tradeRecord{row: *row}
	var fixes []fix
	t.row.BookedAt, t.fixes = milliseconds("booked_at", row.BookedAt)
	if row.CanceledAt != nil {
		at := *row.CanceledAt
		at, fixes = milliseconds("canceled_at", at)
		t.row.CanceledAt, t.fixes = &at, append(t.fixes, fixes...)
	}
	if inSeconds(row.Request) {
		t.fixes = append(t.fixes, fix{rule: SecondsAsked})
	}
	request, err := bank.ReadTrade([]byte(row.Request))
	if err != nil {
		fault := &bank.Error{Message: err.Error()}
		errors.As(err, &fault)
		t.refuse(ruleOfFault(fault.Message), "request: "+fault.Message)
		return t
	}
	t.request = string(request.AppendJSON(nil))
	if what := columnsDiffer(row, &request); what != "" {
		rule := OtherColumns
		if what == "target_account_id" && row.TargetAccountID == nil {
			rule = NoTarget
		}
		t.refuse(rule, what+": the column says something else than the request")
		return t
	}
	switch known := row.State == bank.StateNew || row.State == bank.StateOpen || row.State == bank.StateSettled || row.State == bank.StateCanceled; {
	case !known:
		t.refuse(StateDates, fmt.Sprintf("state: there is no state %q", row.State))
	case (row.State == bank.StateCanceled) != (row.CanceledAt != nil):
		t.refuse(StateDates, "canceled_at: it goes with the state canceled, and only with it")
	case row.SettleDate < row.TradeDate:
		t.refuse(StateDates, fmt.Sprintf("settle_date: %d is before the trade date %d", row.SettleDate, row.TradeDate))
	default:
		x.amounts(&t, &request)
	}
	return t
}

func (t *tradeRecord) refuse(rule Rule, reason string) { t.rule, t.reason = rule, reason }

// ruleOfFault names the rule for a fault of a request by the field that its message begins with.
func ruleOfFault(message string) Rule {
	switch field, _, _ := strings.Cut(message, ":"); {
	case strings.HasPrefix(field, "instrument"):
		return BadInstrument
	case field == "target_account_id":
		return NoTarget
	}
	return BadRequest
}

// inSeconds reports whether a stored request has its execution time in seconds. Bank takes such a request as one in milliseconds, and so does whoever reads it.
func inSeconds(request string) bool {
	_, behind, ok := strings.Cut(request, `"timestamp":`)
	if !ok {
		return false
	}
	behind = strings.TrimLeft(behind, " ")
	end := strings.IndexFunc(behind, func(c rune) bool { return c < '0' || c > '9' })
	if end <= 0 {
		return false
	}
	at, err := strconv.ParseInt(behind[:end], 10, 64)
	return err == nil && at < secondsBelow
}

// columnsDiffer names the first column that is not what the request says.
func columnsDiffer(row *source.Trade, t *bank.Trade) string {
	target := bank.ID(0)
	if row.TargetAccountID != nil {
		target = *row.TargetAccountID
	}
	switch {
	case row.AccountID != t.AccountID:
		return "account_id"
	case row.ClientTradeID != t.ClientTradeID:
		return "client_trade_id"
	case bank.TwoAccounts(t.Type) && target != t.TargetAccountID:
		return "target_account_id"
	case row.TradeDate != t.Date:
		return "trade_date"
	case row.Symbol != t.Instrument.Identifier:
		return "symbol"
	case row.Currency != t.Settlement.Currency:
		return "currency"
	case row.Sell != (t.Side.Direction == bank.Sell):
		return "sell"
	case !row.Quantity.Equal(t.Quantity.Decimal):
		return "quantity"
	case !row.Price.Equal(t.Price.Decimal):
		return "price"
	}
	return ""
}

// amounts lets BK's rules book the trade by itself, and holds what comes out against what Bank stored.
func (x *examiner) amounts(t *tradeRecord, request *bank.Trade) {
	booked, rej := x.book(request)
	if rej != nil {
		rule := Refused
		if strings.HasPrefix(rej.Field, "trade.instrument") {
			rule = BadInstrument
		}
		t.refuse(rule, rej.Error())
		return
	}
	got, row := booked.Trade, &t.row
	t.quantity, t.principal = got.Quantity, got.Gross.Add(got.Accrued)
	t.fees = [3]ledger.Amount{got.Commission, got.SECFee, got.TAFFee}
	net := got.Net
	if row.SECFee.IsZero() && !got.SECFee.IsZero() {
		t.charged.NoSECFee, t.fees[1], net = true, ledger.Amount{}, net.Add(got.SECFee)
	}
	if row.TAFFee.IsZero() && !got.TAFFee.IsZero() {
		t.charged.NoTAFFee, t.fees[2], net = true, ledger.Amount{}, net.Add(got.TAFFee)
	}
	for _, amount := range []struct {
		name string
		row  bank.Decimal
		want ledger.Amount
	}{{"gross_amount", row.GrossAmount, got.Gross}, {"sec_fee", row.SECFee, t.fees[1]}, {"taf_fee", row.TAFFee, t.fees[2]}, {"net_amount", row.NetAmount, net}} {
		if !amount.row.Equal(bankmap.Amount(amount.want).Decimal) {
			t.refuse(OtherAmounts, fmt.Sprintf("%s: it is %s, and %s follows from the request", amount.name, amount.row, amount.want))
			return
		}
	}
	if bank.Date(booked.SettleDate) != row.SettleDate {
		t.charged.SettleDate = row.SettleDate
	}
}

// book makes the entry that books the trade, in books in which every account and instrument is there.
func (x *examiner) book(request *bank.Trade) (*ledger.Entry, *ledger.Rejection) {
	command, _, err := bankmap.FromTrade(request, bankmap.Natural(request.Instrument))
	if err != nil {
		return nil, ledger.Reject(ledger.ReasonInvalid, "metadata", "%v", err)
	}
	asked, _, rej := wire.Command(command)
	if rej != nil {
		return nil, rej
	}
	if rej := definable(request); rej != nil {
		return nil, rej
	}
	draft, rej := x.rules.Prepare(asked, anyBooks{}, time.Unix(0, 0))
	if rej != nil {
		return nil, rej
	}
	return draft.Entry, nil
}

// definable reports whether BK could define the trade's symbol and currency.
func definable(request *bank.Trade) *ledger.Rejection {
	for _, id := range []*bkv1.Identifier{bankmap.OwnIdentifiers(request.Instrument.Identifier)[0], bankmap.Currency(request.Settlement.Currency)} {
		in, rej := wire.InstrumentFrom(&bkv1.Instrument{Identifiers: []*bkv1.Identifier{id}})
		if rej == nil {
			c := ledger.Command{Kind: ledger.KindInstrument, Define: in}
			rej = c.Normalize()
		}
		if rej != nil {
			return ledger.Reject(rej.Reason, "trade.instrument", "%s", rej.Message)
		}
	}
	return nil
}

// anyBooks are books that have every account and every instrument.
type anyBooks struct{}

// Account finds any.
func (anyBooks) Account(ref ledger.AccountRef) (ledger.Account, bool) {
	a := ledger.Account{ID: ref.ID, Code: ref.Code}
	if a.ID == 0 {
		a.ID = numberOf(ref.Code)
	}
	return a, true
}

// Instrument finds any.
func (anyBooks) Instrument(id ledger.Identifier) (ledger.Instrument, bool) {
	return ledger.Instrument{ID: numberOf(id.String()), Identifiers: []ledger.Identifier{id}}, true
}

func numberOf(name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	return int64(h.Sum64()>>1) | 1<<62
}

// examineCash examines a cash movement by itself.
func examineCash(row *source.Cash) cashRecord {
	m := cashRecord{row: *row}
	m.row.BookedAt, m.fixes = milliseconds("booked_at", row.BookedAt)
	var err error
	target := row.TargetAccountID != nil
	switch m.amount, err = ledger.ParseAmount(row.Amount.String()); {
	case err != nil:
		m.rule, m.reason = BadCash, "amount: "+err.Error()
	case m.amount.Sign() <= 0:
		m.rule, m.reason = BadCash, "amount: it is not above zero"
	case row.Kind != bank.Deposit && row.Kind != bank.Withdrawal && row.Kind != bank.CashJournal:
		m.rule, m.reason = BadCash, fmt.Sprintf("kind: there is no kind %q", row.Kind)
	case target != (row.Kind == bank.CashJournal):
		m.rule, m.reason = NoTarget, "target_account_id: a journal has one, and nothing else"
	case target && *row.TargetAccountID == row.AccountID:
		m.rule, m.reason = BadCash, "target_account_id: it is account_id"
	}
	if m.rule == "" {
		currency := ledger.Currency(row.Currency)
		c := ledger.Command{Kind: ledger.KindInstrument, Define: &currency}
		if rej := c.Normalize(); rej != nil {
			m.rule, m.reason = BadCash, "currency: "+rej.Message
		}
	}
	return m
}

// asked gives the movement as a client asks for it.
func (m *cashRecord) asked() *bank.Cash {
	c := &bank.Cash{ClientID: m.row.ClientID, AccountID: m.row.AccountID, Currency: m.row.Currency, Amount: m.row.Amount, Kind: m.row.Kind}
	if m.row.TargetAccountID != nil {
		c.TargetAccountID = *m.row.TargetAccountID
	}
	if c.ClientID == "" { // read through Bank's API, which doesn't tell it: no client can have this one
		c.ClientID = "sha256:bank/cash/" + m.row.CashID.String()
	}
	return c
}
