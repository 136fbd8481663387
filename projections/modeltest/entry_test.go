package modeltest_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections/modeltest"
)

func kinds(entries []*ledger.Entry) string {
	var all []string
	for _, e := range entries {
		all = append(all, string(e.Kind))
	}
	return fmt.Sprint(all)
}

func wantedKinds(entries []*modeltest.Entry) string {
	var all []string
	for _, e := range entries {
		all = append(all, e.Kind)
	}
	return fmt.Sprint(all)
}

// entryText writes all of an entry that the model knows, and wantedText what the model says of it.
func (s *memory) entryText(e *ledger.Entry) string {
	var postings []string
	sums := map[string]ledger.Amount{}
	for _, p := range e.Postings {
		key := s.codes[p.Account] + " " + s.names[p.Instrument] + "/" + string(rune(p.Bucket))
		sums[key] = sums[key].Add(p.Quantity)
	}
	for key, sum := range sums {
		if !sum.IsZero() {
			postings = append(postings, key+" "+sum.String())
		}
	}
	slices.Sort(postings)
	text := fmt.Sprintf("%d %s %s effective %d, trade date %d, settles %d, [%s] trade %d, reverses %d, corrects %d, root %d, replaced by %d", e.ID.Seq(), e.Kind, e.State,
		e.EffectiveDate, e.TradeDate, e.SettleDate, strings.Join(postings, ", "), e.Links.Trade.Seq(), e.Links.Reverses.Seq(), e.Links.Corrects.Seq(), e.Links.Root.Seq(),
		e.Links.ReplacedBy.Seq())
	if t := e.Trade; t != nil {
		text += fmt.Sprintf(", %s %s @ %s = %s, sec %s, taf %s, commission %s, accrued %s, net %s", t.Direction, t.Quantity, t.Price, t.Gross, t.SECFee, t.TAFFee,
			t.Commission, t.Accrued, t.Net)
	}
	if d := e.Day; d != nil {
		text += fmt.Sprintf(", day %d to %d street %t opened %d settled %d rows %d hash %x", d.Date, d.To, d.Street, d.Opened, d.Settled, d.CutRows, d.CutHash)
	}
	return text
}

func (s *memory) wantedText(e *modeltest.Entry) string {
	var postings []string
	for _, p := range modeltest.Added(e.Postings) {
		postings = append(postings, p.Account+" "+p.Instrument+"/"+p.Bucket+" "+modeltest.Text(p.Quantity))
	}
	slices.Sort(postings)
	var trade, corrects, root uint64
	if e.Trade != nil {
		trade = e.Trade.Seq
		if e.Trade.Corrects != nil {
			corrects, root = e.Trade.Corrects.Seq, e.Trade.Place()
		}
	}
	text := fmt.Sprintf("%d %s %s effective %d, trade date %d, settles %d, [%s] trade %d, reverses %d, corrects %d, root %d, replaced by %d", e.Seq, e.Kind, e.State,
		e.Effective, e.TradeDate, e.SettleDate, strings.Join(postings, ", "), trade, e.Reverses, corrects, root, e.ReplacedBy)
	if t := e.Trade; t != nil {
		text += fmt.Sprintf(", %s %s @ %s = %s, sec %s, taf %s, commission %s, accrued %s, net %s", t.Terms.Direction, modeltest.Text(t.Quantity), modeltest.Text(t.Price),
			modeltest.Text(t.Gross), modeltest.Text(t.SEC), modeltest.Text(t.TAF), modeltest.Text(t.Commission), modeltest.Text(t.Accrued), modeltest.Text(t.Net))
	}
	if d := e.Day; d != nil {
		var hash [32]byte
		if e.Kind == "day.end" {
			hash = s.model.CutHash(d.Date, d.Cut)
		}
		text += fmt.Sprintf(", day %d to %d street %t opened %d settled %d rows %d hash %x", d.Date, d.To, d.Street, d.Opened, d.Settled, len(d.Cut), hash)
	}
	return text
}
