package history

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/ledger"
)

// rollTo takes the business date to a day, once all is booked that Bank had booked before. first is the first journal row of that day, nil if there is none.
func (s *stage) rollTo(day bank.Date, first *step) error {
	opens, last, err := s.openedByRoll(day, first)
	if err != nil {
		return err
	}
	if err := s.bookBefore(day, last); err != nil {
		return err
	}
	if err := s.bookNever(day, opens); err != nil {
		return err
	}
	return s.roll(day)
}

// openedByRoll looks at the rows with which a day begins. A roll opens by id, and then settles by id; so if a row of that form settles a trade which was in force before, the trades
// that were opened before that row were opened by the roll. last is the highest id of them, 0 if that can't be said, in which case it makes no difference. opens are all
// that the day begins with.
func (s *stage) openedByRoll(day bank.Date, first *step) (opens map[bank.ID]bool, last bank.ID, err error) {
	opens = map[bank.ID]bool{}
	var opening, settling bank.ID
	row := first
	for n := 0; row != nil && (row.row.Date == day || row.bad != "" || row.row.Date < s.date); n++ {
		if row.row.CashID != nil && row.bad == "" {
			return opens, 0, nil
		}
		if what, _, known := slotOf(row.row.Memo); known && row.row.TradeID != nil && row.row.Date == day {
			id := *row.row.TradeID
			t := s.live[id]
			switch {
			case what == stepOpen && settling == 0 && id >= opening:
				opens[id], opening = true, id
			case what == stepSettle && id >= settling:
				settling = id
				if t != nil && t.state == bank.StateOpen || opens[id] && id != opening {
					return opens, opening, nil
				}
			default:
				return opens, 0, nil
			}
		}
		if row, err = s.steps.peek(n); err != nil {
			return nil, 0, err
		}
	}
	return opens, 0, nil
}

// bookBefore books all trades up to an id on a day before one.
func (s *stage) bookBefore(day bank.Date, id bank.ID) error {
	next, err := s.trades.peek(0)
	if err != nil || next == nil || next.row.TradeID > id {
		return err
	}
	if s.date == 0 { // a trade is only new where there is a business date; there was one, on which nothing happened
		if err := s.roll(dayBefore(day)); err != nil {
			return err
		}
	}
	return s.bookThrough(id)
}

// bookNever books the trades that a day's roll would open, had Bank not cancelled them before. They have no journal row. They were booked before all that
// was booked on the day, whose ids are higher.
func (s *stage) bookNever(day bank.Date, opens map[bank.ID]bool) error {
	var last bank.ID
	earliest := day
	for n := 0; ; n++ {
		in, err := s.trades.peek(n)
		if err != nil {
			return err
		}
		if in == nil {
			break
		}
		if in.open != nil {
			late := in.row.TradeDate < in.open.date
			if in.open.date >= day && (late || in.open.date == day && !opens[in.row.TradeID]) {
				break
			}
			continue
		}
		if in.rule == "" && in.never() && in.row.TradeDate <= day {
			last, earliest = in.row.TradeID, min(earliest, in.row.TradeDate)
		}
	}
	if last == 0 {
		return nil
	}
	return s.bookBefore(earliest, last)
}

func dayBefore(day bank.Date) bank.Date {
	return bank.Date(ledger.DateOf(ledger.Date(day).Time().AddDate(0, 0, -1)))
}

// roll takes the business date on, day by day: what a day would open or settle although Bank had cancelled it is cancelled before.
func (s *stage) roll(to bank.Date) error {
	for s.date < to {
		day := to
		if s.date != 0 {
			day = bank.Date(ledger.Date(s.date).Next())
		}
		for _, id := range s.due(s.newDue, day) {
			if t := s.live[id]; t != nil && t.state == bank.StateNew && t.never {
				if err := s.cancelLive(t); err != nil {
					return err
				}
			}
		}
		for _, id := range s.due(s.settleDue, day) {
			if t := s.live[id]; t != nil && t.state == bank.StateOpen && t.final == bank.StateCanceled {
				if err := s.cancelLive(t); err != nil {
					return err
				}
			}
		}
		if err := s.to.Roll(int32(day), s.moment(0)); err != nil {
			return fmt.Errorf("roll to %d: %w", day, err)
		}
		s.rolled(day)
	}
	return nil
}

// due gives the trades that are due on a day, by id.
func (s *stage) due(of map[bank.Date][]bank.ID, day bank.Date) (ids []bank.ID) {
	if s.date != 0 {
		ids = slices.Clone(of[day])
	} else {
		for _, date := range slices.Sorted(maps.Keys(of)) {
			if date <= day {
				ids = append(ids, of[date]...)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// rolled does what BK has done in a roll.
func (s *stage) rolled(day bank.Date) {
	newly, settling := s.due(s.newDue, day), s.due(s.settleDue, day)
	s.date = day
	for _, id := range newly {
		if t := s.live[id]; t != nil && t.state == bank.StateNew {
			s.open(t)
			if t.settleDate <= day {
				settling = append(settling, id)
			}
		}
	}
	for _, id := range settling {
		if t := s.live[id]; t != nil && t.state == bank.StateOpen {
			s.mirror.settle(t)
		}
	}
	for _, of := range []map[bank.Date][]bank.ID{s.newDue, s.settleDue} {
		maps.DeleteFunc(of, func(date bank.Date, _ []bank.ID) bool { return date <= day })
	}
}
