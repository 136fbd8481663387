package history

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/facade/books/script"
	"github.com/bkledger/bk/ledger"
)

// movement is a cash movement that was booked, and which of its rows were seen.
type movement struct {
	cashRecord
	held *heldBack // it was not booked
	left uint8     // rows that are still to come: 1 the account's, 2 the target's
}

// cashRow sees to it that a movement is booked, and compares.
func (s *stage) cashRow(row *step) error {
	id := *row.row.CashID
	m := s.moved[id]
	if m == nil {
		found, err := s.findCash(id)
		if err != nil {
			return err
		}
		if found == nil {
			return s.oddRow(row, RowOrphan, fmt.Sprintf("cash_id: there is no cash movement %d that lacks a row", id))
		}
		if m, err = s.move(found); err != nil {
			return fmt.Errorf("cash movement %d: %w", id, err)
		}
		s.moved[id] = m
	}
	if m.held != nil {
		m.held.add(row)
		return nil
	}
	want, bit := step{row: source.JournalRow{Currency: m.row.Currency}}, uint8(0)
	amount := m.amount
	switch {
	case row.row.AccountID == m.row.AccountID:
		if bit = 1; m.row.Kind != bank.Deposit {
			amount = amount.Neg()
		}
	case m.row.TargetAccountID != nil && row.row.AccountID == *m.row.TargetAccountID:
		bit = 2
	}
	switch {
	case bit == 0:
		return s.oddRow(row, RowOdd, fmt.Sprintf("account_id: %d is no account of cash movement %d", row.row.AccountID, id))
	case m.left&bit == 0:
		return s.oddRow(row, RowOrphan, fmt.Sprintf("cash_id: cash movement %d has had its row of the account", id))
	case id < 0 && row.row.Memo == bank.CashJournal:
		if err := s.repair(source.Journal, row.row.JournalID.String(), CashApart, "memo", row.row.Memo, m.row.Kind); err != nil {
			return err
		}
	case row.row.Memo != m.row.Kind:
		return s.oddRow(row, RowOdd, fmt.Sprintf("memo: it is no %s", m.row.Kind))
	}
	want.tdAmount, want.sdAmount = amount, amount
	if m.left &^= bit; m.left == 0 {
		delete(s.moved, id)
	}
	return s.compareRow(row, &want)
}

// findCash gives the movement of an id, nil if there is none that was not given before.
func (s *stage) findCash(id bank.ID) (*cashRecord, error) {
	for {
		if m := s.waiting[id]; m != nil {
			delete(s.waiting, id)
			return m, nil
		}
		if cashPlace(id) <= s.cashRead {
			return nil, nil
		}
		next, err := s.cash.next()
		if err != nil || next == nil {
			return nil, err
		}
		s.readCash(next)
	}
}

// readCash notes a movement whose turn has not come.
func (s *stage) readCash(next *cashRecord) {
	s.cashRead = next.place()
	s.report.LastCashID = max(s.report.LastCashID, next.row.CashID)
	s.waiting[next.row.CashID] = next
}

// move books a movement, or holds it back.
func (s *stage) move(c *cashRecord) (*movement, error) {
	r, m := &c.row, &movement{cashRecord: *c, left: 1}
	for _, f := range c.fixes {
		if err := s.repair(source.CashMovements, r.CashID.String(), f.rule, f.field, f.was, f.now); err != nil {
			return nil, err
		}
	}
	rule, reason := c.rule, c.reason
	switch {
	case rule != "":
	case !s.accounts[r.AccountID]:
		rule, reason = NoAccount, fmt.Sprintf("account_id: there is no account %d", r.AccountID)
	case r.TargetAccountID != nil && !s.accounts[*r.TargetAccountID]:
		rule, reason = NoTarget, fmt.Sprintf("target_account_id: there is no account %d", *r.TargetAccountID)
	default:
		rej, err := s.bookCash(c)
		if err != nil {
			return nil, err
		}
		if rej != nil {
			rule, reason = Refused, rej.Error()
		}
	}
	if rule != "" {
		var err error
		m.held, err = s.hold(source.CashMovements, r.CashID.String(), rule, reason, asRow(c.raw, r))
		return m, err
	}
	if r.TargetAccountID != nil {
		m.left |= 2
		to := s.mirror.money(*r.TargetAccountID, r.Currency)
		to.settled = to.settled.Add(c.amount)
	}
	amount := c.amount
	if r.Kind != bank.Deposit {
		amount = amount.Neg()
	}
	own := s.mirror.money(r.AccountID, r.Currency)
	own.settled = own.settled.Add(amount)
	return m, nil
}

func (s *stage) bookCash(c *cashRecord) (*ledger.Rejection, error) {
	if rej, err := s.currency(c.row.Currency); rej != nil || err != nil {
		return rej, err
	}
	command := script.Cash(c.asked(), c.row.CashID, c.row.BookedAt)
	if c.row.CashID <= 0 {
		command.Source = "bank:api" // it is known by its journal row alone
	}
	receipt, rej, err := s.book(command, c.row.BookedAt)
	if rej != nil || err != nil {
		return rej, err
	}
	s.report.Cash++
	if c.row.CashID <= 0 {
		return nil, nil
	}
	if s.opens != nil {
		return nil, s.archiveCash(c)
	}
	return nil, s.put(tableID, "cash", c.row.CashID.String(), strconv.FormatInt(receipt.Entry, 10))
}

// rest does what the journal shows nothing of: trades that are not in force yet, and all that lacks its rows.
func (s *stage) rest(context.Context) error {
	if s.date < s.in.BusinessDate {
		if err := s.rollTo(s.in.BusinessDate, nil); err != nil {
			return err
		}
	}
	if err := s.bookThrough(1<<63 - 1); err != nil {
		return err
	}
	for _, id := range sortedIDs(s.live) {
		t := s.live[id]
		if t.final == bank.StateCanceled && t.state != bank.StateCanceled {
			if err := s.cancelLive(t); err != nil {
				return err
			}
		}
		if err := s.missingRows(t); err != nil {
			return err
		}
		end := s.over
		if t.state == bank.StateNew || t.state == bank.StateOpen {
			end = s.checkLink
		}
		if err := end(t); err != nil {
			return err
		}
	}
	return s.restOfCash()
}

// missingRows tells of rows that BK has, and Bank has not.
func (s *stage) missingRows(t *live) error {
	for step := range memos {
		for slot := range rowsPerStep {
			bit := uint16(1) << (step*rowsPerStep + slot)
			if t.want&^t.seen&bit == 0 {
				continue
			}
			row := Missing{AccountID: t.account, TradeID: t.id, Memo: memos[step][slot%rowTarget], Currency: t.currency}
			if slot == rowTarget {
				row.AccountID = t.target
			}
			if slot%rowTarget == 0 { // the others are fees
				row.Symbol = t.symbol
			}
			if err := s.missing(fmt.Sprint("trade ", t.id), row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stage) restOfCash() error {
	for {
		next, err := s.cash.next()
		if err != nil {
			return err
		}
		if next == nil {
			break
		}
		s.readCash(next)
	}
	for _, id := range sortedIDs(s.waiting) {
		c := s.waiting[id]
		rule, reason := CashUnbooked, "cash_id: no journal row has it"
		if c.rule != "" {
			rule, reason = c.rule, c.reason
		}
		if err := s.quarantine(source.CashMovements, id.String(), rule, reason, asRow(c.raw, c.row)); err != nil {
			return err
		}
	}
	for _, id := range sortedIDs(s.moved) {
		m := s.moved[id]
		if m.held == nil && m.left&1 != 0 {
			if err := s.missingCashRow(m, m.row.AccountID); err != nil {
				return err
			}
		}
		if m.held == nil && m.left&2 != 0 {
			if err := s.missingCashRow(m, *m.row.TargetAccountID); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *stage) missingCashRow(m *movement, account bank.ID) error {
	return s.missing(fmt.Sprint("cash ", m.row.CashID), Missing{AccountID: account, Memo: m.row.Kind, Currency: m.row.Currency})
}

// releaseAll tells of all that is in quarantine with what its journal rows added up to.
func (s *stage) releaseAll(context.Context) error {
	for _, id := range slices.Sorted(maps.Keys(s.held)) {
		if err := s.release(s.held[id]); err != nil {
			return err
		}
	}
	for _, id := range sortedIDs(s.moved) {
		if m := s.moved[id]; m.held != nil {
			if err := s.release(m.held); err != nil {
				return err
			}
		}
	}
	return nil
}
