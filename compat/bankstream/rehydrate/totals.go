package rehydrate

import (
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bankstream/state"
	"github.com/bkledger/bk/ledger"
)

// sums are an account's holdings right after an entry, of the instruments that it moves. They are put into the view at the end.
type sums struct {
	account  int64
	few      [usual]holding
	holdings []holding // in order of first appearance; mostly of few
}

type holding struct {
	instrument int64
	sum        state.Holding
}

// usual is how many instruments an entry moves on an account, mostly: a security and a currency.
const usual = 2

// add takes what an entry moves on the account.
func (s *sums) add(v state.View, e *bkv1.Entry) error {
	for i, p := range e.GetPostings() {
		if p.GetAccount() != s.account {
			continue
		}
		quantity, err := ledger.ParseAmount(p.GetQuantity())
		if err != nil {
			return poison("postings[%d].quantity: %q is %w", i, p.GetQuantity(), err)
		}
		if p.GetInstrument() <= 0 {
			return poison("postings[%d].instrument: %d", i, p.GetInstrument())
		}
		to := s.at(v, p.GetInstrument())
		part := &to.Settled
		if p.GetBucket() == bkv1.Bucket_BUCKET_UNSETTLED {
			part = &to.Unsettled
		}
		if *part = part.Add(quantity); !summable(to.Unsettled) || !summable(to.Settled) {
			return poison("account %d's holding of instrument %d is beyond what can be held", s.account, p.GetInstrument())
		}
	}
	return nil
}

// summable reports whether two such amounts, or one and a posting, can be added without overflow.
func summable(a ledger.Amount) bool {
	const most = 1 << 61
	hi, _ := a.Bits()
	return -most < hi && hi < most
}

// at gives a holding to be changed.
func (s *sums) at(v state.View, instrument int64) *state.Holding {
	if s.holdings == nil {
		s.holdings = s.few[:0]
	}
	for i := range s.holdings {
		if s.holdings[i].instrument == instrument {
			return &s.holdings[i].sum
		}
	}
	s.holdings = append(s.holdings, holding{instrument, v.Holding(state.HoldingKey{Account: s.account, Instrument: instrument})})
	return &s.holdings[len(s.holdings)-1].sum
}

// after gives the running totals of an instrument: by trade date and settled.
func (s *sums) after(v state.View, instrument int64) (traded, settled bank.Decimal) {
	for i := range s.holdings {
		if s.holdings[i].instrument == instrument {
			return totals(s.holdings[i].sum)
		}
	}
	return totals(v.Holding(state.HoldingKey{Account: s.account, Instrument: instrument}))
}

func totals(h state.Holding) (traded, settled bank.Decimal) {
	return bankmap.Amount(h.Unsettled.Add(h.Settled)), bankmap.Amount(h.Settled)
}

// keep puts the holdings into the view.
func (s *sums) keep(v state.View) {
	for i := range s.holdings {
		v.SetHolding(state.HoldingKey{Account: s.account, Instrument: s.holdings[i].instrument}, s.holdings[i].sum)
	}
}
