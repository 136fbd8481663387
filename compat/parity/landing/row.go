package landing

import (
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// appendEvent appends an event as a row of its table. An error means that the row does not count.
func appendEvent(to Chunk, from *Origin, offset int64, landed time.Time, e *bank.Event, hash uint64, canonical bool) error {
	to.Begin()
	appendPlace(to, from, offset, landed)
	to.Integer(e.ID)
	to.Text(e.Kind)
	to.Integer(e.At)
	row := exact{to: to}
	switch {
	case e.Trade != nil:
		to.Integer(int64(e.BusinessDate))
		to.Integer(int64(e.AccountID))
		row.trade(e.Trade)
		row.decimal(e.Position)
		row.decimal(e.Balance)
		row.decimal(e.SettledPosition)
		row.decimal(e.SettledBalance)
	case e.Kind == bank.EventRolled:
		to.Integer(int64(e.From))
		to.Integer(int64(e.To))
	default:
		to.Integer(int64(e.BusinessDate))
		to.Integer(int64(e.AccountID))
		to.Integer(int64(e.CashID))
		to.Text(e.ClientID)
		to.Text(e.Currency)
		row.decimal(e.Amount)
		row.decimal(e.Balance)
		row.decimal(e.SettledBalance)
	}
	to.Integer(int64(hash))
	to.Flag(canonical)
	if row.err != nil {
		return row.err
	}
	to.End()
	return nil
}

// appendReject appends a record that is no event.
func appendReject(to Chunk, from *Origin, offset int64, landed time.Time, reason string, key, value []byte) {
	to.Begin()
	appendPlace(to, from, offset, landed)
	to.Text(reason)
	for _, content := range [][]byte{key, value} {
		if content == nil {
			to.Null()
		} else {
			to.Bytes(content)
		}
	}
	to.End()
}

func appendPlace(to Chunk, from *Origin, offset int64, landed time.Time) {
	to.Text(from.Side)
	to.Text(from.Name)
	to.Integer(int64(from.Partition))
	to.Integer(offset)
	to.Time(landed)
}

// exact appends values, and keeps the first fault.
type exact struct {
	to  Chunk
	err error
}

func (r *exact) decimal(d bank.Decimal) {
	if err := r.to.Decimal(d); err != nil && r.err == nil {
		r.err = err
	}
}

// given is a text that may have been left out.
func (r *exact) given(text string) {
	if text == "" {
		r.to.Null()
	} else {
		r.to.Text(text)
	}
}

// kept is JSON as it came.
func (r *exact) kept(text []byte) {
	if len(text) == 0 || string(text) == "null" {
		r.to.Null()
	} else {
		r.to.Text(string(text))
	}
}

func (r *exact) id(id *bank.ID) {
	if id == nil {
		r.to.Null()
	} else {
		r.to.Integer(int64(*id))
	}
}

func (r *exact) integer(n *int64) {
	if n == nil {
		r.to.Null()
	} else {
		r.to.Integer(*n)
	}
}

// nonzero is a number that is left out where it is 0.
func (r *exact) nonzero(n int64) {
	if n == 0 {
		r.to.Null()
	} else {
		r.to.Integer(n)
	}
}

func (r *exact) trade(t *bank.StoredTrade) {
	to := r.to
	to.Integer(int64(t.TradeID))
	to.Text(t.Type)
	to.Integer(t.Timestamp)
	to.Text(t.ClientTradeID)
	to.Integer(int64(t.Date))
	to.Integer(int64(t.AccountID))
	r.decimal(t.Quantity)
	r.decimal(t.Price)
	to.Text(t.Instrument.Identifier)
	to.Text(t.Instrument.IdentifierType)
	r.given(t.Instrument.Country)
	r.given(t.Instrument.Currency)
	to.Text(t.Side.Direction)
	r.given(t.Side.Qualifier)
	r.given(t.Side.Position)
	r.given(t.Capacity)
	r.given(t.MIC)
	r.given(t.ExecMPID)
	r.given(t.ContraMPID)
	r.given(t.ContraClearingNum)
	r.nonzero(int64(t.TargetAccountID))
	to.Text(t.Settlement.Currency)
	r.nonzero(int64(t.Settlement.Date))
	r.decimal(t.Fees.Commission)
	to.Flag(t.Fees.OmitSEC)
	to.Flag(t.Fees.OmitTAF)
	to.Flag(t.Fees.OmitBill)
	r.interest(t.Interest)
	to.Flag(t.IsWhenIssued)
	r.given(t.OrderID)
	r.given(t.CancelTradeID)
	r.kept(t.ContraSideQualifier)
	r.kept(t.NSCCClearing)
	r.kept(t.LastMarket)
	r.kept(t.Locate)
	r.kept(t.BehalfOfAccountID)
	r.kept(t.Solicited)
	r.kept(t.RegisteredRep)
	r.kept(t.BranchOffice)
	r.kept(t.UserData)
	to.Text(t.State)
	to.Integer(int64(t.SettleDate))
	r.decimal(t.GrossAmount)
	r.decimal(t.SECFee)
	r.decimal(t.TAFFee)
	r.decimal(t.NetAmount)
	to.Integer(t.BookedAt)
	r.integer(t.CanceledAt)
	r.id(t.ReplacedBy)
	r.id(t.Replaces)
}

func (r *exact) interest(in *bank.Interest) {
	if in == nil {
		r.to.Null()
		r.to.Null()
		r.to.Null()
		return
	}
	if in.Yield == nil {
		r.to.Null()
	} else {
		r.decimal(*in.Yield)
	}
	r.decimal(in.Accrued)
	r.integer(in.AccruedDays)
}
