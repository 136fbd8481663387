package history

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/source"
)

// Stage books all of Bank's history, in Bank's order, and writes what books keeps beside BK. See the package's comment for the order and its proof.
func Stage(ctx context.Context, in Input, to Ledger, out Output) (Report, error) {
	s := &stage{
		in: in, to: to, out: out, report: Report{Fired: Counts{}}, mirror: newMirror(), symbols: newSymbols(),
		trades: newTradeStream(ctx, in.Runs), cash: merge[cashRecord](ctx, KindCash, in.Runs), steps: stepStream{from: merge[step](ctx, KindSteps, in.Runs)},
		live: map[bank.ID]*live{}, held: map[bank.ID]*heldBack{}, waiting: map[bank.ID]*cashRecord{}, moved: map[bank.ID]*movement{}, claims: map[bank.ID]bank.ID{},
		newDue: map[bank.Date][]bank.ID{}, settleDue: map[bank.Date][]bank.ID{}, texts: map[[32]byte]bool{}, accounts: map[bank.ID]bool{}, lack: newLack(),
	}
	if in.Opening {
		if err := s.rehearse(); err != nil {
			return s.report, fmt.Errorf("stage: %w", err)
		}
	}
	defer s.trades.close()
	defer s.cash.close()
	defer s.steps.from.close()
	for _, part := range []struct {
		what string
		do   func(context.Context) error
	}{
		{"directory", s.directory}, {"client ids", s.twins}, {"journal", s.journal}, {"rest", s.rest},
		{"what was held back", s.releaseAll}, {"opening", s.openBooks}, {"positions", s.positions}, {"balances", s.balances}, {"adjustments", s.adjust}, {"uploads", s.uploads},
	} {
		if err := part.do(ctx); err != nil {
			return s.report, fmt.Errorf("stage: %s: %w", part.what, err)
		}
	}
	return s.report, nil
}

// stage is one pass over the history. It is one goroutine.
type stage struct {
	in     Input
	to     Ledger
	opens  Ledger // that is opened with balances; nil: all of the history goes into to
	out    Output
	report Report

	trades *tradeStream
	cash   *merged[cashRecord, *cashRecord]
	steps  stepStream

	mirror  mirror
	symbols *symbols
	date    bank.Date // the business date that the books have come to
	at      time.Time // of the last work

	accounts map[bank.ID]bool
	live     map[bank.ID]*live
	claims   map[bank.ID]bank.ID     // replaced trades by the trade that they say stands in their place, which does not say so itself
	held     map[bank.ID]*heldBack   // trades that are not booked
	waiting  map[bank.ID]*cashRecord // cash movements whose turn has not come
	cashRead int64                   // the place of the last one that was read
	moved    map[bank.ID]*movement   // those whose journal rows have not all been seen
	lastRow  bank.ID

	newDue, settleDue map[bank.Date][]bank.ID

	texts   map[[32]byte]bool // that were written
	lack    lack
	changes []adjustment
}

// heldBack is a row in quarantine, with what its journal rows add up to.
type heldBack struct {
	q       Quarantined
	changes map[Change]*Change // by what they are of, amounts left out
}

func (s *stage) fired(rule Rule) { s.report.Fired[rule]++ }

// hold puts a trade or cash movement into quarantine; its effects are still to come.
func (s *stage) hold(table source.Table, key string, rule Rule, reason string, row any) (*heldBack, error) {
	raw, err := json.Marshal(row)
	if err != nil {
		return nil, fmt.Errorf("write %s %s for quarantine: %w", table, key, err)
	}
	return &heldBack{q: Quarantined{Table: table, Key: key, Rule: rule, Reason: reason, Row: raw}, changes: map[Change]*Change{}}, nil
}

// quarantine puts a row into quarantine that has no effect, or one that is known.
func (s *stage) quarantine(table source.Table, key string, rule Rule, reason string, row any, effects ...Change) error {
	h, err := s.hold(table, key, rule, reason, row)
	if err != nil {
		return err
	}
	h.q.Effects = effects
	return s.release(h)
}

// unreadable puts a row into quarantine that can't be read.
func (s *stage) unreadable(bad *source.BadRow) error {
	return s.quarantine(bad.Table, bad.Key, Unreadable, bad.Field+": "+bad.Reason, bad.Raw)
}

// release tells of a row in quarantine whose effects are known.
func (s *stage) release(h *heldBack) error {
	for _, c := range slices.SortedFunc(maps.Values(h.changes), func(a, b *Change) int { return compareChanges(*a, *b) }) {
		h.q.Effects = append(h.q.Effects, *c)
	}
	for _, c := range h.q.Effects {
		s.lack.add(c)
	}
	s.fired(h.q.Rule)
	s.report.Quarantined++
	if err := s.out.Quarantine(h.q); err != nil {
		return fmt.Errorf("quarantine %s %s: %w", h.q.Table, h.q.Key, err)
	}
	return nil
}

// repair tells of a field that is not what it was.
func (s *stage) repair(table source.Table, key string, rule Rule, field, was, now string) error {
	return s.repaired(Repaired{Table: table, Key: key, Rule: rule, Field: field, Was: was, Now: now})
}

// missing tells of a row that Bank's journal should have.
func (s *stage) missing(of string, row Missing) error {
	return s.repaired(Repaired{Table: source.Journal, Key: fmt.Sprintf("account %d, %s, %s", row.AccountID, of, row.Memo), Rule: RowMissing, Field: "memo", Now: row.Memo, Row: &row})
}

func (s *stage) repaired(r Repaired) error {
	s.fired(r.Rule)
	if r.Rule.Effect() != Repair {
		return nil
	}
	s.report.Repaired++
	if err := s.out.Repair(r); err != nil {
		return fmt.Errorf("repair %s of %s %s: %w", r.Field, r.Table, r.Key, err)
	}
	return nil
}

// moment gives the time under which an entry is booked; the ledger lets none go back.
func (s *stage) moment(milliseconds int64) time.Time {
	const farthest = 4102444800000 // 2100
	if milliseconds > 0 && milliseconds < farthest {
		if at := time.UnixMilli(milliseconds).UTC(); at.After(s.at) {
			s.at = at
		}
	}
	if s.at.IsZero() {
		s.at = time.UnixMilli(0).UTC()
	}
	return s.at
}

// journal walks along Bank's journal, and books what each row shows to have been done.
func (s *stage) journal(context.Context) error {
	for {
		row, err := s.steps.next()
		if err != nil || row == nil {
			return err
		}
		s.report.JournalRows++
		if err := s.step(row); err != nil {
			return fmt.Errorf("row %d: %w", row.row.JournalID, err)
		}
	}
}

func (s *stage) step(row *step) error {
	r := &row.row
	switch {
	case row.raw != "":
		return s.oddRow(row, Unreadable, row.bad)
	case row.bad != "":
		return s.oddRow(row, RowOdd, row.bad)
	case r.Date < s.date || r.Date > s.in.BusinessDate && r.Date != 0:
		return s.oddRow(row, RowDate, fmt.Sprintf("date: %d, where the business date is %d and becomes %d at last", r.Date, s.date, s.in.BusinessDate))
	case r.JournalID == s.lastRow:
		return s.oddRow(row, RowOrphan, fmt.Sprintf("journal_id: %d is another row's, too", r.JournalID))
	case (r.TradeID == nil) == (r.CashID == nil):
		return s.oddRow(row, RowOrphan, "trade_id, cash_id: one of the two has to be there")
	}
	s.lastRow = r.JournalID
	if r.Date > s.date {
		stays, err := s.dayGoesOn()
		if err != nil {
			return err
		}
		if stays {
			return s.oddRow(row, RowDate, fmt.Sprintf("date: %d, and rows of higher ids are of business date %d", r.Date, s.date))
		}
		if err := s.rollTo(r.Date, row); err != nil {
			return err
		}
	}
	if r.CashID != nil {
		return s.cashRow(row)
	}
	return s.tradeRow(row)
}

// dayGoesOn reports whether one of the next rows is of the business date that is under way: then a row before it that has a later date has it wrongly.
func (s *stage) dayGoesOn() (bool, error) {
	const looks = 64
	for n := range looks {
		row, err := s.steps.peek(n)
		if err != nil || row == nil {
			return false, err
		}
		if row.raw == "" && row.row.Date == s.date && s.date != 0 {
			return true, nil
		}
	}
	return false, nil
}

// tradeRow sees to it that what the row shows is booked, and compares.
func (s *stage) tradeRow(row *step) error {
	id := *row.row.TradeID
	what, slot, known := slotOf(row.row.Memo)
	if err := s.bookThrough(id); err != nil {
		return err
	}
	if h := s.held[id]; h != nil {
		h.add(row)
		return nil
	}
	t := s.live[id]
	switch {
	case t == nil:
		return s.oddRow(row, RowOrphan, fmt.Sprintf("trade_id: there is no trade %d that lacks a row", id))
	case !known:
		return s.oddRow(row, RowOdd, fmt.Sprintf("memo: %q is none of a trade's", row.row.Memo))
	}
	if what == stepCancel && t.state == bank.StateOpen && t.final == bank.StateCanceled {
		if err := s.cancelLive(t); err != nil {
			return err
		}
	}
	quantity, amount, bit, err := t.expect(row.row.AccountID, what, slot)
	switch {
	case err != nil:
		return s.oddRow(row, RowOdd, err.Error())
	case t.seen&bit != 0:
		return s.oddRow(row, RowOrphan, fmt.Sprintf("memo: trade %d has had its %s", id, row.row.Memo))
	case t.want&bit == 0:
		return s.oddRow(row, RowOdd, fmt.Sprintf("memo: %s of trade %d, which is %s by its dates on %d", row.row.Memo, id, t.state, s.date))
	}
	t.seen |= bit
	want := step{row: source.JournalRow{Symbol: t.symbol, Currency: t.currency}}
	if what == stepSettle {
		want.sdQuantity, want.sdAmount = quantity, amount
	} else {
		want.tdQuantity, want.tdAmount = quantity, amount
	}
	if err := s.compareRow(row, &want); err != nil {
		return err
	}
	return s.forget(t)
}

// compareRow holds a row against what BK has in its place.
func (s *stage) compareRow(row, want *step) error {
	if err := s.archiveRow(row, want); err != nil {
		return err
	}
	for _, part := range []struct {
		field string
		same  bool
	}{
		{"symbol", row.row.Symbol == want.row.Symbol}, {"currency", row.row.Currency == want.row.Currency}, {"td_quantity", row.tdQuantity == want.tdQuantity},
		{"td_amount", row.tdAmount == want.tdAmount}, {"sd_quantity", row.sdQuantity == want.sdQuantity}, {"sd_amount", row.sdAmount == want.sdAmount},
	} {
		if !part.same {
			return s.oddRow(row, RowOdd, fmt.Sprintf("%s: it is not what follows from the trade or the cash movement; BK has what follows", part.field))
		}
	}
	return nil
}

// oddRow quarantines a journal row by itself. What the books hold does not depend on it: positions and balances are compared with Bank's own tables.
func (s *stage) oddRow(row *step, rule Rule, reason string) error {
	return s.quarantine(source.Journal, row.row.JournalID.String(), rule, reason, asRow(row.raw, row.whole()))
}

// forget lets go of a trade of which all has been seen.
func (s *stage) forget(t *live) error {
	if t.seen != t.want || t.lastBy != 0 || t.state != bank.StateSettled && t.state != bank.StateCanceled {
		return nil
	}
	return s.over(t)
}

// over lets go of a trade that nothing happens to any more.
func (s *stage) over(t *live) error {
	delete(s.live, t.id)
	if err := s.checkLink(t); err != nil || s.opens == nil {
		return err
	}
	s.report.Archived++
	return s.archiveTrade(t)
}

// checkLink tells where the link to the trade that stands in another's place is not what it was.
func (s *stage) checkLink(t *live) error {
	if t.stored == t.replacedBy {
		return nil
	}
	rule := LinkRestored
	if t.replacedBy == 0 {
		rule = LinkDropped
	}
	return s.repair(source.Trades, t.id.String(), rule, "replaced_by", idOrNone(t.stored), idOrNone(t.replacedBy))
}

func idOrNone(id bank.ID) string {
	if id == 0 {
		return ""
	}
	return id.String()
}

// add adds a row of a trade or cash movement that is not booked to what the old books have by it.
func (h *heldBack) add(row *step) {
	r := row.whole()
	put := func(of Change, traded, settled bank.Decimal) {
		c := h.changes[of]
		if c == nil {
			c = &Change{AccountID: of.AccountID, Symbol: of.Symbol, Currency: of.Currency}
			h.changes[of] = c
		}
		c.Amount.Decimal, c.SettledAmount.Decimal = c.Amount.Add(traded.Decimal), c.SettledAmount.Add(settled.Decimal)
	}
	if r.Symbol != "" {
		put(Change{AccountID: r.AccountID, Symbol: r.Symbol}, r.TDQuantity, r.SDQuantity)
	}
	put(Change{AccountID: r.AccountID, Currency: r.Currency}, r.TDAmount, r.SDAmount)
}

// directory opens the accounts, and keeps entities and long names.
func (s *stage) directory(ctx context.Context) error {
	var entities []source.Entity
	if err := each(ctx, s.in.Entities, func(e *source.Entity) error { entities = append(entities, *e); return nil }, s.unreadable); err != nil {
		return err
	}
	slices.SortFunc(entities, func(a, b source.Entity) int { return int(a.EntityID - b.EntityID) })
	for _, e := range entities {
		if err := s.entity(e); err != nil {
			return err
		}
	}
	var accounts []source.Account
	if err := each(ctx, s.in.Accounts, func(a *source.Account) error { accounts = append(accounts, *a); return nil }, s.unreadable); err != nil {
		return err
	}
	slices.SortFunc(accounts, func(a, b source.Account) int { return int(a.AccountID - b.AccountID) })
	for _, a := range accounts {
		if err := s.account(a); err != nil {
			return err
		}
	}
	return nil
}

// sortedIDs gives the ids of a map in their order.
func sortedIDs[T any](of map[bank.ID]T) []bank.ID { return slices.Sorted(maps.Keys(of)) }
