package ledger_test

import (
	"testing"

	"github.com/bkledger/bk/ledger"
)

// failToReceive is a step of a trade's life that was added to the registry: the street's side moves to an account for fails.
func failToReceive() ledger.Rule {
	return ledger.Rule{Kind: "trade.fail", Post: func(_ *ledger.Command, _ *ledger.Entry, d *ledger.Desk) *ledger.Rejection {
		d.House("street:ftr")
		return nil
	}, OnTrade: func(e *ledger.Entry, trade ledger.Life, d *ledger.Desk) *ledger.Rejection {
		street := d.House(ledger.CodeStreetCNS)
		for _, p := range trade.Made() {
			if p.Account == street {
				e.Postings = append(e.Postings, ledger.Posting{Account: street, Instrument: p.Instrument, Bucket: p.Bucket, Quantity: p.Quantity.Neg()},
					ledger.Posting{Account: d.House("street:ftr"), Instrument: p.Instrument, Bucket: p.Bucket, Quantity: p.Quantity})
			}
		}
		return nil
	}}
}

// TestAddedStepOfATrade: a rule that acts on trades keeps its own date, and a cancel takes back what it did, before all else.
func TestAddedStepOfATrade(t *testing.T) {
	w := newWorld(t, failToReceive())
	id := w.trade(func(*ledger.Command, *ledger.Trade) {})
	fail := on("trade.fail", id)
	fail.EffectiveDate = 20131009
	if e := w.must(fail); e.EffectiveDate != 20131009 || len(e.Postings) != 4 || e.State != ledger.TradeOpen {
		t.Errorf("the added step: %+v", e)
	}
	if _, rej := w.try(on("trade.fail", id)); rej == nil || rej.Reason != ledger.ReasonUnbalanced {
		t.Errorf("a step that moves nothing: %v", rej)
	}
	entries, rej := w.try(on(ledger.KindCancel, id))
	if rej != nil || len(entries) != 2 || entries[0].Kind != ledger.KindReverse || entries[0].EffectiveDate != 20131009 {
		t.Fatalf("its cancel: %+v, %v", entries, rej)
	}
	if left := w.lives[id].Made(); len(left) != 0 {
		t.Errorf("left of the cancelled trade: %+v", left)
	}
}

// TestEventThatMovesNothing: the stream has no place for an entry without postings.
func TestEventThatMovesNothing(t *testing.T) {
	w := newWorld(t, ledger.EventRule("fee.waived", []ledger.Field{{Name: "account", Type: ledger.AccountField}}, func(ev *ledger.Event) {}))
	_, rej := w.try(&ledger.Command{Kind: "fee.waived", Fields: map[string]string{"account": "100001"}})
	if rej == nil || rej.Reason != ledger.ReasonUnbalanced || rej.Field != "postings" {
		t.Errorf("booked, or %v", rej)
	}
}

// TestPrecedenceOfTarget: a target that is out of place comes after a field that is missing or too large.
func TestPrecedenceOfTarget(t *testing.T) {
	w := newWorld(t)
	_, rej := w.try(&ledger.Command{Kind: ledger.KindDeposit, Target: &ledger.Target{Trade: 1}})
	if rej == nil || rej.Reason != ledger.ReasonMissing || rej.Field != "fields.account" {
		t.Errorf("a deposit with a target and without fields: %v", rej)
	}
}
