package rehydrate

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bankstream/state"
	"github.com/bkledger/bk/compat/facade/books"
)

// ErrPoison says that a record can't be told, and that trying again does not help.
var ErrPoison = errors.New("the record can't be told as Bank's")

// Record is one of bk.events.v1.
type Record struct {
	Account   int64       // of its key; 0: a day's or an instrument's
	Entry     *bkv1.Entry // its value; it is only read
	Leg, Legs int         // of its headers: which of the entry's events it is
	By        *Reader     // who has read Entry, and keeps what Apply needs again and again; nil does without
}

// Translator tells records as Bank's events. It is safe for concurrent use, by a goroutine for each partition.
type Translator struct {
	books *books.Stream

	unnamed, unknown, foreign, opening atomic.Int64
}

// New makes a translator; what has to be looked up is asked of from.
func New(from *books.Stream) *Translator { return &Translator{books: from} }

// Silent counts records that gave no event although an account's trade or cash moved. What is given twice counts twice.
type Silent struct {
	Unnamed int64 // trades and cash movements that have no id of Bank's
	Unknown int64 // of accounts that Bank doesn't know
	Foreign int64 // of kinds that Bank doesn't know
	Opening int64 // of an opening with balances: Bank has told of these trades itself
}

// Silent gives the counts since New.
func (t *Translator) Silent() Silent {
	return Silent{Unnamed: t.unnamed.Load(), Unknown: t.unknown.Load(), Foreign: t.foreign.Load(), Opening: t.opening.Load()}
}

// Apply gives the events that Bank has of a record, one or none, and brings v up to it. Records of a partition are to be given in order, each once. After an
// error v is as before; one that is no [ErrPoison] may pass. With a reader the events stand until it reads again.
func (t *Translator) Apply(ctx context.Context, v state.View, r Record) ([]bank.Event, error) {
	events, err := t.apply(ctx, v, r)
	if err == nil && len(events) > 0 {
		events, err = t.told(ctx, r.Entry, events)
	}
	if err == nil {
		return events, nil
	}
	if errors.Is(err, books.ErrMissing) {
		err = poison("%w", err)
	}
	return nil, fmt.Errorf("entry %d (%s), leg %d of %d, account %d: %w", r.Entry.GetId(), r.Entry.GetKind(), r.Leg, r.Legs, r.Account, err)
}

// told leaves out what Bank has told itself: the trades that were alive when BK's books were opened with balances.
func (t *Translator) told(ctx context.Context, e *bkv1.Entry, events []bank.Event) ([]bank.Event, error) {
	head, _, err := t.books.Opening(ctx)
	if err != nil {
		return nil, err
	}
	if e.GetSequence() > head {
		return events, nil
	}
	t.opening.Add(int64(len(events)))
	return nil, nil
}

func (t *Translator) apply(ctx context.Context, v state.View, r Record) ([]bank.Event, error) {
	e := r.Entry
	switch {
	case e.GetSequence() <= 0 || e.GetBookedAt() == nil || e.GetKind() == "":
		return nil, poison("it is no entry of BK's journal: sequence %d, booked at %v", e.GetSequence(), e.GetBookedAt())
	case e.GetDay() != nil:
		return t.day(ctx, e)
	case e.GetInstrument() != nil:
		return nil, nil
	case r.Account <= 0:
		return nil, poison("its key is no account")
	case e.GetAccount() != nil:
		return nil, opened(v, r)
	case !known(v, r.Account):
		t.unknown.Add(1)
		return nil, nil
	}
	sums := sums{account: r.Account}
	if err := sums.add(v, e); err != nil {
		return nil, err
	}
	switch {
	case e.GetTrade() != nil:
		return t.trade(ctx, v, r, &sums)
	case bankmap.MovesCash(e):
		return t.cash(ctx, v, r, &sums)
	}
	t.foreign.Add(1)
	sums.keep(v)
	return nil, nil
}

// opened remembers an account that Bank doesn't know.
func opened(v state.View, r Record) error {
	a := r.Entry.GetAccount()
	if a.GetId() != r.Account {
		return poison("it opens account %d", a.GetId())
	}
	if !bankmap.IsBankAccount(a) && r.Account <= int64(bank.MaxAccountID) {
		v.SetTrade(unknownKey(r.Account), state.Trade{Extras: a.GetCode()})
	}
	return nil
}

// known reports whether Bank has an account. Those above its highest number are the house's.
func known(v state.View, account int64) bool {
	if account > int64(bank.MaxAccountID) {
		return false
	}
	_, marked := v.Trade(unknownKey(account))
	return !marked
}

// unknownKey is where an account is marked that Bank doesn't know: no trade has the number 0.
func unknownKey(account int64) state.TradeKey { return state.TradeKey{Account: account} }

// eventID is that of one of an entry's two events.
func eventID(e *bkv1.Entry, leg int) int64 { return 2*e.GetSequence() + int64(leg) }

// at is when BK did the work, in milliseconds.
func at(e *bkv1.Entry) int64 { return e.GetBookedAt().AsTime().UnixMilli() }

func poison(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrPoison, fmt.Errorf(format, args...))
}
