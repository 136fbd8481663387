package ledger_test

import (
	"strings"
	"testing"

	"github.com/bkledger/bk/ledger"
)

// TestRefusedSteps has a row for every step that a trade's state does not allow. The trade is the sample, settling on 2013-10-10.
func TestRefusedSteps(t *testing.T) {
	t.Parallel()
	states := map[string]func(w *world) ledger.ID{
		"none": func(*world) ledger.ID { return 77 },
		"new":  func(w *world) ledger.ID { w.roll(20131004, true); return w.trade(plain) },
		"open": func(w *world) ledger.ID { return w.trade(plain) },
		"street settled": func(w *world) ledger.ID {
			trade := w.trade(plain)
			w.must(on(ledger.KindSettleStreet, trade))
			return trade
		},
		"settled":    func(w *world) ledger.ID { trade := w.trade(plain); w.roll(20131010, true); return trade },
		"allocation": func(w *world) ledger.ID { return w.must(tradeWith(ledger.KindAllocationTrade, plain)).Links.Trade },
		"canceled": func(w *world) ledger.ID {
			trade := w.trade(plain)
			w.must(on(ledger.KindCancel, trade))
			return trade
		},
	}
	for _, c := range []struct {
		state  string
		kind   ledger.Kind // "" is a correction
		reason ledger.Reason
	}{
		{"none", ledger.KindTradeOpen, ledger.ReasonTradeNotFound},
		{"none", ledger.KindSettle, ledger.ReasonTradeNotFound},
		{"none", ledger.KindSettleStreet, ledger.ReasonTradeNotFound},
		{"none", ledger.KindCancel, ledger.ReasonTradeNotFound},
		{"none", "", ledger.ReasonTradeNotFound},
		{"new", ledger.KindSettle, ledger.ReasonTradeNotOpen},
		{"new", ledger.KindSettleStreet, ledger.ReasonTradeNotOpen},
		{"new", ledger.KindReverse, ledger.ReasonInvalid},
		{"open", ledger.KindTradeOpen, ledger.ReasonTradeOpen},
		{"open", ledger.KindReverse, ledger.ReasonInvalid},
		{"street settled", ledger.KindTradeOpen, ledger.ReasonTradeOpen},
		{"street settled", ledger.KindSettleStreet, ledger.ReasonTradeSettled},
		{"settled", ledger.KindTradeOpen, ledger.ReasonTradeSettled},
		{"settled", ledger.KindSettle, ledger.ReasonTradeSettled},
		{"settled", ledger.KindSettleStreet, ledger.ReasonTradeSettled},
		{"settled", ledger.KindReverse, ledger.ReasonInvalid},
		{"allocation", ledger.KindSettleStreet, ledger.ReasonTradeSettled},
		{"canceled", ledger.KindTradeOpen, ledger.ReasonTradeCanceled},
		{"canceled", ledger.KindSettle, ledger.ReasonTradeCanceled},
		{"canceled", ledger.KindSettleStreet, ledger.ReasonTradeCanceled},
		{"canceled", ledger.KindCancel, ledger.ReasonTradeCanceled},
		{"canceled", ledger.KindReverse, ledger.ReasonInvalid},
		{"canceled", "", ledger.ReasonTradeCanceled},
		{"none", ledger.KindLink, ledger.ReasonTradeNotFound},
		{"open", ledger.KindLink, ledger.ReasonInvalid},
		{"canceled", ledger.KindLink, ledger.ReasonInvalid},
	} {
		w := newWorld(t)
		trade := states[c.state](w)
		booked, step, field := len(w.entries), on(c.kind, trade), "target"
		switch c.kind {
		case "":
			step, field = exchangeTrade(), "replaces"
			step.Replaces = &ledger.Target{Trade: trade}
			if c.state == "canceled" {
				step.Key = "again"
			}
		case ledger.KindReverse, ledger.KindLink:
			if c.state != "none" {
				field = "kind"
			}
		}
		_, rej := w.try(step)
		if rej == nil || rej.Reason != c.reason || rej.Field != field || len(w.entries) != booked {
			t.Errorf("%s of a trade that is %s: %v (%d entries more), want %s at %s", step.Kind, c.state, rej, len(w.entries)-booked, c.reason, field)
		}
	}
}

// TestUnlessSettled: what asks for it is refused of a settled trade, and of no other.
func TestUnlessSettled(t *testing.T) {
	t.Parallel()
	settled := func(w *world) ledger.ID { trade := w.trade(plain); w.roll(20131010, false); return trade }
	for name, c := range map[string]struct {
		trade  func(w *world) ledger.ID
		reason ledger.Reason // of a cancel and a correction
	}{
		"new":     {func(w *world) ledger.ID { w.roll(20131004, true); return w.trade(plain) }, ""},
		"open":    {func(w *world) ledger.ID { return w.trade(plain) }, ""},
		"settled": {settled, ledger.ReasonTradeSettled},
		"its street side alone settled": {func(w *world) ledger.ID {
			trade := w.trade(plain)
			w.must(on(ledger.KindSettleStreet, trade))
			return trade
		}, ""},
		"cancelled after it had settled": {func(w *world) ledger.ID {
			trade := settled(w)
			w.must(on(ledger.KindCancel, trade))
			return trade
		}, ledger.ReasonTradeCanceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, field := range []string{"target", "replaces"} {
				w := newWorld(t)
				trade := c.trade(w)
				step, target := on(ledger.KindCancel, trade), &ledger.Target{Trade: trade, UnlessSettled: true}
				if step.Target = target; field == "replaces" {
					step = exchangeTrade()
					step.Key, step.Replaces = "again", target
				}
				_, rej := w.try(step)
				if c.reason == "" && rej != nil || c.reason != "" && (rej == nil || rej.Reason != c.reason || rej.Field != field) {
					t.Errorf("%s: %v, want %q", step.Kind, rej, c.reason)
				}
			}
		})
	}
	w := newWorld(t)
	trade := settled(w)
	w.must(on(ledger.KindCancel, trade))
	w.trade(func(c *ledger.Command, t *ledger.Trade) {
		linked(trade)(c, t)
		c.Replaces.UnlessSettled = true
	})
}

// TestStepsNeedATrade: what acts on a trade is refused without one, and before anything else.
func TestStepsNeedATrade(t *testing.T) {
	t.Parallel()
	for _, kind := range []ledger.Kind{ledger.KindTradeOpen, ledger.KindSettle, ledger.KindSettleStreet, ledger.KindReverse, ledger.KindLink, ledger.KindCancel} {
		w := newWorld(t)
		if booked, rej := w.try(&ledger.Command{Kind: kind}); rej == nil || rej.Reason != ledger.ReasonMissing || rej.Field != "target" {
			t.Errorf("%s: %v, %v", kind, booked, rej)
		}
		with := on(kind, 1)
		with.Fields = map[string]string{"a": "b"}
		if booked, rej := w.try(with); rej == nil || rej.Reason != ledger.ReasonInvalid || !strings.HasPrefix(rej.Field, "fields") {
			t.Errorf("%s with a field: %v, %v", kind, booked, rej)
		}
	}
}

// TestDaysFollow: days begin and end one after the other; only the first may be any day.
func TestDaysFollow(t *testing.T) {
	t.Parallel()
	begin := func(d ledger.Date) *ledger.Command {
		return &ledger.Command{Kind: ledger.KindDayBegin, Day: &ledger.Day{Date: d, To: 20131010, Street: true}}
	}
	end := func(d ledger.Date) *ledger.Command {
		c := begin(d)
		c.Kind, c.Day.CutRows, c.Day.Opened = ledger.KindDayEnd, 7, 3
		return c
	}
	w := newWorld(t)
	refused := func(c *ledger.Command) {
		t.Helper()
		if _, rej := w.try(c); rej == nil || rej.Reason != ledger.ReasonDayPassed || rej.Field != "day.date" {
			t.Errorf("%s %s after %+v: %v", c.Kind, c.Day.Date, w.day, rej)
		}
	}
	if w.day.Rolling() {
		t.Error("rolling before the first roll")
	}
	refused(end(20131009))
	w.must(begin(20131009))
	if !w.day.Rolling() || w.day.Ended || w.day.Date != 20131009 || w.day.Seq != 1 {
		t.Errorf("in the first day: %+v", w.day)
	}
	refused(begin(20131009))
	refused(begin(20131010))
	refused(end(20131010))
	e := w.must(end(20131009))
	if e.Day.CutRows != 7 || e.Day.Opened != 3 || e.EffectiveDate != 20131009 || e.Key != "" || len(e.Postings) != 0 {
		t.Errorf("the end of a day: %+v, %+v", e, e.Day)
	}
	if !w.day.Rolling() || !w.day.Ended {
		t.Errorf("between two days of a roll: %+v", w.day)
	}
	refused(end(20131009))
	refused(begin(20131009))
	refused(begin(20131008))
	refused(begin(20131011))
	w.must(begin(20131010))
	w.must(end(20131010))
	if w.day.Rolling() || w.day.Seq != 4 {
		t.Errorf("after the roll: %+v", w.day)
	}
}

// TestBusinessDate: events without a date count on the business date, before the first roll on the day of booking.
func TestBusinessDate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	deposit := func(on ledger.Date) ledger.Date {
		return w.must(&ledger.Command{Kind: ledger.KindDeposit, EffectiveDate: on, Fields: map[string]string{"account": "100001", "currency": "USD", "amount": "1"}}).EffectiveDate
	}
	if got := deposit(0); got != 20131007 {
		t.Errorf("before the first roll: %s", got)
	}
	w.roll(20131010, true)
	if got := deposit(0); got != 20131010 {
		t.Errorf("after it: %s", got)
	}
	if got := deposit(20130902); got != 20130902 {
		t.Errorf("with a date: %s", got)
	}
}
