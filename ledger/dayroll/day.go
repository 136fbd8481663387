package dayroll

import (
	"context"
	"errors"
	"fmt"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// pageTrades is how many trades are asked for, and booked, at a time.
const pageTrades = ledger.MaxBatch

// days does what is left of the roll.
func (r *Roller) days(ctx context.Context, hold *journal.Hold, resumed bool) error {
	for {
		day, err := r.cfg.Journal.BusinessDay(ctx)
		if err != nil {
			return err
		}
		if !day.Rolling() {
			return nil
		}
		if day.Ended {
			next := ledger.Day{Date: day.Date.Next(), To: day.To, Street: day.Street}
			if err := r.book(ctx, hold, &ledger.Command{Kind: ledger.KindDayBegin, Day: &next}); err != nil {
				return fmt.Errorf("begin %s: %w", next.Date, err)
			}
			continue
		}
		if err := r.day(ctx, hold, day, resumed); err != nil {
			return fmt.Errorf("roll to %s: %w", day.Date, err)
		}
		resumed = false
	}
}

// day opens and settles what is due on the day that has begun, and ends it.
func (r *Roller) day(ctx context.Context, hold *journal.Hold, day ledger.BusinessDay, resumed bool) error {
	end := ledger.Day{Date: day.Date, To: day.To, Street: day.Street}
	if resumed {
		var err error
		if end.Opened, end.Settled, err = r.count(ctx, day.Seq); err != nil {
			return err
		}
	}
	steps := []struct {
		name string
		kind ledger.Kind
		due  func(ctx context.Context, day ledger.Date, after ledger.ID, limit int, atLeast uint64) ([]ledger.ID, error)
		done *int64
	}{{"open", ledger.KindTradeOpen, r.cfg.Due.DueToOpen, &end.Opened}, {"settle", ledger.KindSettle, r.cfg.Due.DueToSettle, &end.Settled}}
	for _, s := range steps {
		w := &worker{r: r, hold: hold, kind: s.kind, done: s.done}
		atLeast := r.cfg.Journal.Head().Seq
		for after, more := ledger.ID(0), true; more; {
			r.progress(Progress{Date: day.Date, To: day.To, Doing: s.name, Done: *s.done})
			ids, err := s.due(ctx, day.Date, after, pageTrades, atLeast)
			if err == nil && len(ids) > 0 {
				err = w.book(ctx, ids)
				after = ids[len(ids)-1]
			}
			if err != nil {
				return errors.Join(fmt.Errorf("%s what is due: %w", s.name, err), w.wait(ctx, 0)) // all that is on its way comes to rest first
			}
			more = len(ids) == pageTrades
		}
		if err := w.wait(ctx, 0); err != nil {
			return fmt.Errorf("%s what is due: %w", s.name, err)
		}
	}
	r.progress(Progress{Date: day.Date, To: day.To, Doing: "cut", Done: end.Settled})
	var err error
	if end.CutRows, end.CutHash, err = r.cfg.Cuts.Cut(ctx, day.Date, r.cfg.Journal.Head().Seq); err != nil {
		return fmt.Errorf("take the cut: %w", err)
	}
	return r.book(ctx, hold, &ledger.Command{Kind: ledger.KindDayEnd, Day: &end})
}

// book books one command of the roll.
func (r *Roller) book(ctx context.Context, hold *journal.Hold, c *ledger.Command) error {
	o := hold.BookAsync(ctx, []*ledger.Command{c}).Wait(ctx)[0]
	if o.Err != nil {
		return o.Err
	}
	if e := o.Receipt.Entry; e.Kind == ledger.KindDayEnd {
		r.dayEnded(e)
		r.cfg.Log.Info("day ended", "date", e.Day.Date.String(), "opened", e.Day.Opened, "settled", e.Day.Settled,
			"cut_rows", e.Day.CutRows, "cut_hash", fmt.Sprintf("%x", e.Day.CutHash), "entry", e.ID)
	}
	return nil
}

// count gives how many trades were opened and settled behind an entry.
func (r *Roller) count(ctx context.Context, after uint64) (opened, settled int64, err error) {
	for {
		entries, err := r.cfg.Journal.Read(ctx, after, pageTrades)
		if err != nil {
			return 0, 0, fmt.Errorf("count what is done: %w", err)
		}
		if len(entries) == 0 {
			return opened, settled, nil
		}
		for _, e := range entries {
			switch e.Kind {
			case ledger.KindTradeOpen:
				opened++
			case ledger.KindSettle:
				settled++
			}
		}
		after = entries[len(entries)-1].ID.Seq()
	}
}

// worker takes trades one step further, page after page, a few pages on their way at once.
type worker struct {
	r     *Roller
	hold  *journal.Hold
	kind  ledger.Kind
	done  *int64
	pages []*journal.Pending
}

func (w *worker) book(ctx context.Context, ids []ledger.ID) error {
	commands := make([]*ledger.Command, len(ids))
	for i, id := range ids {
		commands[i] = &ledger.Command{Kind: w.kind, Source: "roll", Target: &ledger.Target{Trade: id}}
	}
	page := w.hold.BookAsync(ctx, commands)
	w.pages = append(w.pages, page)
	most := journal.MaxHeld/pageTrades - 1
	select {
	case <-page.Done(): // so soon only if it failed: no later page may come before it
		most = 0
	default:
	}
	return w.wait(ctx, most)
}

// wait waits until at most so many pages are on their way. After an error none is.
func (w *worker) wait(ctx context.Context, most int) (first error) {
	for len(w.pages) > most || first != nil && len(w.pages) > 0 {
		page := w.pages[0]
		w.pages = w.pages[1:]
		for _, o := range page.Wait(ctx) {
			if o.Err == nil {
				*w.done++
			} else if first == nil {
				first = o.Err
			}
		}
	}
	return first
}
