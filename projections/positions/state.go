package positions

import (
	"fmt"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// state is where a line stands after some of its records. The position is both buckets together. Cost is signed as the position is: above
// zero what was paid for a long one, below zero what was received for a short one.
type state struct {
	projections.Holding
	cost     ledger.Amount
	realised ledger.Amount
}

// apply takes in the next record. All of average cost is here.
func (st *state) apply(r *record) error {
	had, q := st.TradeDate(), r.quantity()
	st.Unsettled, st.Settled = st.Unsettled.Add(r.u), st.Settled.Add(r.s)
	if q.IsZero() {
		return nil
	}
	value := r.value // signed as the quantity is: paid, or received
	if q.Sign() < 0 {
		value = value.Neg()
	}
	has := st.TradeDate()
	var err error
	switch {
	case had.Sign()*q.Sign() >= 0: // opens, or adds
		st.cost = st.cost.Add(value)
	case has.Sign() == had.Sign(): // closes a part
		var released ledger.Amount
		if released, err = ledger.MulDivHalfEven(st.cost, q.Neg(), had); err == nil {
			st.close(r, value, released)
		}
	case has.IsZero(): // closes all, and takes what cost is left
		st.close(r, value, st.cost)
	default: // closes all, and opens the other side
		var closing ledger.Amount
		if r.fill {
			closing, err = ledger.MulDivHalfEven(had.Neg(), r.price, ledger.AmountOf(1))
		}
		if err == nil {
			st.close(r, closing, st.cost)
			st.cost = value.Sub(closing)
		}
	}
	if err != nil {
		return fmt.Errorf("entry %d: its cost has %w", r.seq, err)
	}
	return nil
}

// close releases cost against the closing part's value. Selling what is long, value is minus the proceeds; buying back what is short, value is what is
// paid and the cost minus what was received: so both ways the profit is minus both.
func (st *state) close(r *record, value, released ledger.Amount) {
	st.cost = st.cost.Sub(released)
	if r.fill {
		st.realised = st.realised.Sub(value).Sub(released)
	}
}

// view is a question's two times: which records it sees.
type view struct {
	asOf    ledger.Date // 0: all dates
	knownAt uint64      // 0: all that is there
}

// sees says whether the record was there; counts, whether it stood.
func (v view) sees(r *record) bool {
	return (v.knownAt == 0 || r.seq <= v.knownAt) && (v.asOf == 0 || r.date <= v.asOf)
}

func (v view) counts(r *record) bool {
	return v.sees(r) && (r.canceled == 0 || v.knownAt != 0 && r.canceled > v.knownAt)
}

// applyAll takes in those of the records that count, and says whether any is there.
func (st *state) applyAll(records []record, v view) (any bool, err error) {
	for i := range records {
		r := &records[i]
		any = any || v.sees(r)
		if v.counts(r) {
			if err := st.apply(r); err != nil {
				return any, err
			}
		}
	}
	return any, nil
}
