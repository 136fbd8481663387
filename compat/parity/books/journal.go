package books

import (
	"context"
	"fmt"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

// reader lands BK's journal, and remembers what names need.
type reader struct {
	bk       *bkSide
	accounts map[bank.ID]bool   // BK's that Bank may know
	names    map[int64]string   // symbols of securities, by BK's number
	codes    map[int64]string   // codes of currencies, likewise
	booked   map[int64]bool     // instruments whose symbol a booking told
	place    int64              // all up to here is landed
	token    string             // the same, as BK writes it
	sinks    map[string]*sink   // while it reads
	days     map[int32]struct{} // whose cuts are landed
	opening  int64              // up to here rows are archived, 0: none are
	lastRow  bank.ID            // the last of these
	dates    map[bank.ID]int32  // effective dates of the trades that were loaded with an archive
}

// symbol gives the symbol of a security, or the code of a currency.
func (r *reader) symbol(number int64) (symbol, currency string, err error) {
	if code, ok := r.codes[number]; ok {
		return "", code, nil
	}
	if name, ok := r.names[number]; ok {
		return name, "", nil
	}
	return "", "", fmt.Errorf("BK's instrument %d is defined nowhere in its journal up to entry %d", number, r.place)
}

// read lands the journal behind what is there, up to a place.
func (r *reader) read(ctx context.Context, to int64) (landed int64, err error) {
	w := r.bk.w
	r.sinks = map[string]*sink{accountTable: w.into(accounts), bookingTable: w.into(bookings), cancelTable: w.into(cancels), journalTable: w.into(journal)}
	first := r.place == 0
	if first {
		if r.opening, r.lastRow, err = r.bk.names.Opening(ctx); err != nil {
			return 0, err
		}
	}
	size := int32(pageRows)
	question := &bkv1.ListEntriesRequest{FirstSequence: r.place + 1, LastSequence: to, PageSize: &size, AtLeast: r.token}
	for r.place < to {
		answer, err := ask(ctx, r.bk, r.bk.client.Query.ListEntries, question)
		if err != nil {
			return 0, fmt.Errorf("BK's journal from entry %d on: %w", r.place+1, err)
		}
		for _, e := range answer.Entries {
			if err := r.entry(ctx, e); err != nil {
				return 0, fmt.Errorf("BK's entry %d: %w", e.Id, err)
			}
			r.place = e.Sequence
		}
		if question.PageToken = answer.NextPageToken; question.PageToken == "" {
			break
		}
	}
	if r.place < to {
		return 0, fmt.Errorf("BK's journal ends at entry %d, and should go on to %d", r.place, to)
	}
	if first && r.opening > 0 {
		if err := r.archived(ctx); err != nil {
			return 0, fmt.Errorf("the archive: %w", err)
		}
	}
	for _, s := range r.sinks {
		if err := s.flush(ctx); err != nil {
			return 0, err
		}
		landed += s.landed
	}
	return landed, nil
}

// entry lands what an entry says.
func (r *reader) entry(ctx context.Context, e *bkv1.Entry) error {
	switch {
	case e.GetAccount() != nil:
		a := e.GetAccount()
		if !bankmap.IsBankAccount(a) {
			return nil
		}
		r.accounts[bank.ID(a.Id)] = true
		return r.sinks[accountTable].add(ctx, sideBK, a.Id, a.Entity)
	case e.GetInstrument() != nil:
		in := e.GetInstrument()
		if in.Kind == bkv1.InstrumentKind_INSTRUMENT_KIND_CURRENCY {
			r.codes[in.Id] = in.Identifiers[0].Value
		} else {
			r.names[in.Id] = in.Symbol
		}
		return nil
	case bankmap.Books(e):
		if err := r.booking(ctx, e); err != nil {
			return err
		}
	case bankmap.Cancels(e):
		if err := r.sinks[cancelTable].add(ctx, e.Id, bankmap.Moment(e)); err != nil {
			return err
		}
	}
	return r.rows(ctx, e)
}

// booking lands the request that an entry books, in Bank's words.
func (r *reader) booking(ctx context.Context, e *bkv1.Entry) error {
	id, err := r.bk.names.TradeID(ctx, e)
	if err != nil {
		return err
	}
	text, err := r.bk.names.Extras(ctx, e.GetMetadata()[bankmap.MetadataKey])
	if err != nil {
		return err
	}
	x, err := bankmap.ParseExtras(text)
	if err != nil {
		return err
	}
	request, err := bankmap.ToTrade(e.GetTrade(), x)
	if err != nil {
		return err
	}
	if e.Sequence <= r.opening {
		r.dates[id] = e.EffectiveDate
	}
	replaced := bank.ID(0)
	if e.GetTrade().GetCorrects() == 0 {
		if replaced, err = r.bk.names.ArchivedReplaced(ctx, e); err != nil {
			return err
		}
	}
	return r.sinks[bookingTable].add(ctx, e.Id, orNull(id), bankmap.Moment(e), orNull(replaced), string(request.AppendJSON(nil)))
}

// rows lands an entry's journal rows, of each of Bank's accounts.
func (r *reader) rows(ctx context.Context, e *bkv1.Entry) error {
	if len(e.GetPostings()) == 0 {
		return nil
	}
	names := bankmap.RowNames{Instrument: r.symbol}
	var cash bank.ID
	var err error
	if names.Date, err = r.bk.names.Date(ctx, e.Sequence); err == nil && bankmap.MovesCash(e) {
		cash, err = r.bk.names.CashID(ctx, e)
	}
	if err != nil {
		return err
	}
	var trade any
	if t := e.GetTrade(); t != nil {
		trade = t.Id
	}
	for i, p := range e.GetPostings() {
		r.learn(e, p.Instrument)
		account := bank.ID(p.Account)
		if !r.accounts[account] || seen(e.Postings[:i], p.Account) || e.Sequence <= r.opening {
			continue
		}
		rows, err := bankmap.Rows(e, account, names)
		if err != nil {
			return err
		}
		for _, row := range rows {
			err := r.sinks[journalTable].add(ctx, sideBK, int64(account), int64(row.JournalID+r.lastRow), int32(row.Date), nil, trade, orNull(cash), row.Symbol, row.Currency, row.Memo,
				row.TDQuantity.String(), row.TDAmount.String(), row.SDQuantity.String(), row.SDAmount.String(), e.Sequence, e.EffectiveDate)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// archived lands the rows that are archived in the place of those of BK's first entries: known since then, effective as the trades that were loaded, else on the day of the opening.
func (r *reader) archived(ctx context.Context) error {
	date, err := r.bk.names.Date(ctx, r.opening)
	if err != nil {
		return err
	}
	return r.bk.names.ArchivedRows(ctx, func(account, cash bank.ID, row *bank.JournalRow) error {
		effective, trade := int32(date), bank.ID(0)
		if row.TradeID != nil {
			trade = *row.TradeID
			effective = max(effective, r.dates[trade])
		}
		return r.sinks[journalTable].add(ctx, sideBK, int64(account), int64(row.JournalID), int32(row.Date), orNull(trade), nil, orNull(cash), row.Symbol, row.Currency, row.Memo,
			row.TDQuantity.String(), row.TDAmount.String(), row.SDQuantity.String(), row.SDAmount.String(), r.opening, effective)
	})
}

// learn takes the symbol of a security from the first trade in it: the identifier that it is booked under is Bank's symbol, whatever BK's own users call it.
func (r *reader) learn(e *bkv1.Entry, instrument int64) {
	t := e.GetTrade()
	if _, security := r.names[instrument]; t == nil || !security || r.booked[instrument] {
		return
	}
	r.names[instrument], r.booked[instrument] = t.GetTrade().GetInstrument().GetValue(), true
}

func seen(before []*bkv1.Posting, account int64) bool {
	for _, p := range before {
		if p.Account == account {
			return true
		}
	}
	return false
}
