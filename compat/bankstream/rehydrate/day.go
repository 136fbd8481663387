package rehydrate

import (
	"context"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
)

// dayEnd is the kind of entry that ends a day: all that was due has opened and settled.
const dayEnd = "day.end"

// day tells the end of a day: Bank's business date moves on when all of the day is done.
func (t *Translator) day(ctx context.Context, e *bkv1.Entry) ([]bank.Event, error) {
	if e.GetKind() != dayEnd {
		return nil, nil
	}
	to, err := t.books.Date(ctx, e.GetSequence())
	if err != nil {
		return nil, err
	}
	if to != bank.Date(e.GetDay().GetDate()) {
		return nil, poison("day.date: %d ends at a place where the business date is %d", e.GetDay().GetDate(), to)
	}
	from, err := t.books.DayBefore(ctx, e.GetSequence())
	if err != nil {
		return nil, err
	}
	return []bank.Event{{ID: eventID(e, 0), Kind: bank.EventRolled, At: at(e), From: from, To: to}}, nil
}
