package rehydrate

import (
	"context"
	"fmt"
	"strings"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/bankstream/state"
)

// trade tells an entry about a trade.
func (t *Translator) trade(ctx context.Context, v state.View, r Record, s *sums) (events []bank.Event, err error) {
	e := r.Entry
	record := e.GetTrade()
	if record.GetId() <= 0 || record.GetTrade() == nil {
		return nil, poison("trade: it has no terms, or no id: %d", record.GetId())
	}
	leg, party := bankmap.TradeLeg(record.GetTrade(), r.Account)
	kind := bankmap.TradeEvent(e)
	if !party || kind == "" {
		if kind == "" && len(e.GetPostings()) > 0 {
			t.foreign.Add(1)
		}
		s.keep(v)
		return nil, nil
	}
	key := state.TradeKey{Account: r.Account, Trade: record.GetId()}
	about, there := state.Trade{}, false
	if !bankmap.Books(e) {
		about, there = v.Trade(key)
	}
	if !there {
		if about, err = t.about(ctx, e); err != nil {
			return nil, err
		}
	}
	if about.BankID == 0 {
		t.unnamed.Add(1)
	} else if events, err = t.tell(ctx, v, r, s, kind, leg, &about); err != nil {
		return nil, err
	}
	s.keep(v)
	switch record.GetState() {
	case bkv1.TradeState_TRADE_STATE_NEW, bkv1.TradeState_TRADE_STATE_OPEN:
		if !there {
			v.SetTrade(key, about)
		}
	default: // no event follows
		v.DropTrade(key)
	}
	return events, nil
}

// about gives what is kept of the trade that an entry is about, out of the entry that booked it.
func (t *Translator) about(ctx context.Context, e *bkv1.Entry) (about state.Trade, err error) {
	if !bankmap.Books(e) {
		if e, err = t.books.Booking(ctx, e.GetTrade().GetId()); err != nil {
			return about, err
		}
	}
	about.BookedAt = bankmap.Moment(e)
	if about.BankID, err = t.books.TradeID(ctx, e); err != nil || about.BankID == 0 {
		return about, err
	}
	about.Extras = strings.Clone(e.GetMetadata()[bankmap.MetadataKey]) // not with all of the entry's text
	if replaced := e.GetTrade().GetCorrects(); replaced != 0 {
		if about.Replaces, err = t.books.IDOf(ctx, replaced); err != nil {
			return about, fmt.Errorf("the trade that it replaces: %w", err)
		}
	} else if about.Replaces, err = t.books.ArchivedReplaced(ctx, e); err != nil {
		return about, fmt.Errorf("the archived trade that it replaces: %w", err)
	}
	return about, nil
}

// told is an event with the trade in it, in one piece of memory.
type told struct {
	events [1]bank.Event
	trade  bank.StoredTrade
}

// room gives an empty one.
func (r *Reader) room() *told {
	if r == nil {
		return &told{}
	}
	r.told = told{}
	return &r.told
}

// instrument gives BK's number of an instrument.
func (t *Translator) instrument(ctx context.Context, by *Reader, id *bkv1.Identifier) (int64, error) {
	if by == nil || by.last == nil || id != &by.last.id { // the generated code has read it
		return t.books.Instrument(ctx, id)
	}
	if by.last.number == 0 {
		number, err := t.books.Instrument(ctx, id)
		if err != nil {
			return 0, err
		}
		by.last.number = number
	}
	return by.last.number, nil
}

// currency gives BK's number of a currency.
func (t *Translator) currency(ctx context.Context, by *Reader, code string) (int64, error) {
	if by == nil {
		return t.books.Currency(ctx, code)
	}
	if number, ok := by.currencies[code]; ok {
		return number, nil
	}
	code = strings.Clone(code) // it is kept
	number, err := t.books.Currency(ctx, code)
	if err == nil {
		if by.currencies == nil {
			by.currencies = map[string]int64{}
		}
		by.currencies[code] = number
	}
	return number, err
}

// tell gives the event of a trade with an id of Bank's.
func (t *Translator) tell(ctx context.Context, v state.View, r Record, s *sums, kind string, leg int, about *state.Trade) ([]bank.Event, error) {
	e, record := r.Entry, r.Entry.GetTrade()
	standing := bankmap.Standing{ID: about.BankID, Replaces: about.Replaces, BookedAt: about.BookedAt}
	var err error
	if kind == bank.EventCanceled {
		standing.CanceledAt = bankmap.Moment(e)
		if standing.ReplacedBy, err = t.books.ReplacedBy(ctx, e); err != nil {
			return nil, fmt.Errorf("the trade that replaces it: %w", err)
		}
	}
	date, err := t.books.Date(ctx, e.GetSequence())
	if err != nil {
		return nil, err
	}
	security, err := t.instrument(ctx, r.By, record.GetTrade().GetInstrument())
	if err != nil {
		return nil, err
	}
	money, err := t.currency(ctx, r.By, record.GetTrade().GetCurrency())
	if err != nil {
		return nil, err
	}
	text, err := t.books.Extras(ctx, about.Extras)
	if err != nil {
		return nil, err
	}
	extras, err := bankmap.ParseExtras(text)
	if err != nil {
		return nil, poison("%w", err)
	}
	out := r.By.room()
	if err := standing.Put(&out.trade, record, &extras); err != nil {
		return nil, poison("%w", err)
	}
	event := &out.events[0]
	*event = bank.Event{ID: eventID(e, leg), Kind: kind, At: at(e), BusinessDate: date, AccountID: bank.ID(s.account), Trade: &out.trade}
	event.Position, event.SettledPosition = s.after(v, security)
	event.Balance, event.SettledBalance = s.after(v, money)
	if standing.ReplacedBy != 0 {
		t.books.Keep(record.GetId(), about.BankID) // the next entry says that it replaces this trade
	}
	return out.events[:], nil
}
