package rehydrate

import (
	"context"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bankstream/state"
)

// cash tells a movement of cash.
func (t *Translator) cash(ctx context.Context, v state.View, r Record, s *sums) ([]bank.Event, error) {
	e := r.Entry
	id, err := t.books.CashID(ctx, e)
	if err != nil {
		return nil, err
	}
	if id == 0 {
		t.unnamed.Add(1)
		s.keep(v)
		return nil, nil
	}
	cash, err := bankmap.ToCash(e)
	if err != nil {
		return nil, poison("%w", err)
	}
	leg, amount, party := bankmap.CashLeg(&cash, bank.ID(r.Account))
	if !party || len(s.holdings) != 1 {
		return nil, poison("it moves %d instruments on an account that is party to it: %t", len(s.holdings), party)
	}
	date, err := t.books.Date(ctx, e.GetSequence())
	if err != nil {
		return nil, err
	}
	event := bank.Event{
		ID: eventID(e, leg), Kind: cash.Kind, At: at(e), BusinessDate: date, AccountID: bank.ID(r.Account),
		CashID: id, ClientID: cash.ClientID, Currency: cash.Currency, Amount: amount,
	}
	event.Balance, event.SettledBalance = totals(s.holdings[0].sum)
	s.keep(v)
	return []bank.Event{event}, nil
}
