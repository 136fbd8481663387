package modeltest_test

import (
	"fmt"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/modeltest"
	"github.com/bkledger/bk/projections/positions"
)

// answer asks the folds in memory; reads says which ones there are.
func (s *memory) answer(a answers, at modeltest.Time) (reads []string, err error) {
	if err := s.fold(); err != nil {
		return nil, err
	}
	for k, h := range s.holdings(at) {
		if !h.IsZero() {
			a.add(readBalances, s.codes[k.Account]+" "+s.names[k.Instrument], "%s u, %s s", h.Unsettled, h.Settled)
		}
	}
	for id := range s.codes {
		page, err := s.positions.Positions(positions.Query{Account: id, Limit: positions.MaxLimit, AsOf: ledger.Date(at.AsOf), KnownAt: at.KnownAt})
		if err != nil {
			return nil, fmt.Errorf("positions: %w", err)
		}
		for _, r := range page.Rows {
			if !r.Holding.IsZero() || !r.Cost.IsZero() || !r.Realised.IsZero() {
				a.add(readPositions, s.codes[r.Account]+" "+s.names[r.Instrument]+" "+r.Currency,
					"%s u, %s s, cost %s, average %s, realised %s", r.Unsettled, r.Settled, r.Cost, r.AverageCost(), r.Realised)
			}
		}
	}
	for _, t := range s.trades.Trades(ledger.Date(at.AsOf), at.KnownAt) {
		a.add(readTrades, fmt.Sprint(t.Trade.Seq()), "%s %s %s %s>%s %s %s @ %s %s, gross %s, net %s, commission %s, sec %s, taf %s, accrued %s, %d, settles %d, "+
			"corrects %d, replaced by %d, opened %d, settled %d, street %t, canceled %d", t.State, t.Kind, t.Direction, s.codes[t.Account], s.codes[t.Target],
			s.names[t.Instrument], t.Quantity, t.Price, t.Currency, t.Gross, t.Net, t.Commission, t.SECFee, t.TAFFee, t.Accrued, t.TradeDate, t.SettleDate,
			t.Corrects.Seq(), t.ReplacedBy.Seq(), t.Opened.Seq(), t.Settled.Seq(), t.Street, t.Canceled.Seq())
	}
	for _, c := range s.cash.Cash() {
		name := s.codes[c.Account] + " " + s.names[c.Instrument]
		if !c.Holding.IsZero() {
			a.add(readCash, name, "%s u, %s s", c.Unsettled, c.Settled)
		}
		for _, d := range c.Dates {
			a.add(readCash, fmt.Sprintf("%s %d", name, d.SettleDate), "debits %s, credits %s", d.Debits, d.Credits)
		}
	}
	return []string{readBalances, readPositions, readTrades, readCash}, nil
}

// holdings gives balances: as known now from the daily movements, as known before from the entries themselves.
func (s *memory) holdings(at modeltest.Time) map[projections.Key]projections.Holding {
	if at.KnownAt == 0 {
		return s.daily.Balances(ledger.Date(at.AsOf))
	}
	sums := map[projections.Key]projections.Holding{}
	for _, e := range s.books.All()[:at.KnownAt] {
		for _, p := range e.Postings {
			if key := (projections.Key{Account: p.Account, Instrument: p.Instrument}); at.AsOf == 0 || e.EffectiveDate <= ledger.Date(at.AsOf) {
				sums[key], _ = sums[key].Add(p)
			}
		}
	}
	return sums
}
