package trades

import (
	"fmt"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// The columns of a stored trade, of tables b and l. Amounts go as the text that [ledger.Amount] writes; what is not there is 0.
const (
	bookedColumns = `b.trade, b.account, coalesce(b.target, 0), b.instrument, coalesce(b.corrects, 0), b.booked_at,
		b.trade_date, b.settle_date, b.effective_date, b.kind, b.direction, b.currency, b.client_trade_id,
		b.quantity::text, b.price::text, b.gross::text, b.net::text, b.commission::text, b.sec_fee::text, b.taf_fee::text, b.accrued::text`
	lifeColumns = `coalesce(l.opened, 0), coalesce(l.settled, 0), coalesce(l.street, 0), coalesce(l.canceled, 0),
		coalesce(l.settled_on, 0), coalesce(l.street_on, 0)`
)

// replacedBy gives the last trade that was booked in place of one, as known at $1; 0 if none was. Version 1 has the one of the cancel, and is read
// while version 2 is being built.
func replacedBy(g projections.Generation) string {
	if g.Version < linkedVersion {
		return `coalesce(l.replaced_by, 0)`
	}
	// Not by trade itself: the planner might go through all later trades for it.
	return `CASE WHEN l.canceled <= $1 THEN coalesce((SELECT r.trade FROM ` + g.Table(Name) + ` AS r
		WHERE r.corrects = b.trade AND r.trade <= $1 ORDER BY r.trade + 0 DESC LIMIT 1), 0) ELSE 0 END`
}

// scanned is a stored trade as it is read.
type scanned struct {
	trade, account, target, instrument, corrects  int64
	bookedAt                                      time.Time
	tradeDate, settleDate, effectiveDate          int32
	kind, direction, currency, clientTradeID      string
	amounts                                       [8]string
	opened, settled, street, canceled, replacedBy int64
	settledOn, streetOn                           int32
}

// booked gives where bookedColumns go.
func (s *scanned) booked() []any {
	to := []any{
		&s.trade, &s.account, &s.target, &s.instrument, &s.corrects, &s.bookedAt,
		&s.tradeDate, &s.settleDate, &s.effectiveDate, &s.kind, &s.direction, &s.currency, &s.clientTradeID,
	}
	for i := range s.amounts {
		to = append(to, &s.amounts[i])
	}
	return to
}

// life gives where lifeColumns go.
func (s *scanned) life() []any {
	return []any{&s.opened, &s.settled, &s.street, &s.canceled, &s.settledOn, &s.streetOn}
}

func (s *scanned) asBooked() (b booked, err error) {
	b = booked{
		Trade: ledger.ID(s.trade), Account: s.account, Target: s.target, Instrument: s.instrument,
		Kind: ledger.Kind(s.kind), Direction: ledger.Direction(s.direction), Currency: s.currency, ClientTradeID: s.clientTradeID,
		TradeDate: ledger.Date(s.tradeDate), SettleDate: ledger.Date(s.settleDate), EffectiveDate: ledger.Date(s.effectiveDate),
		BookedAt: s.bookedAt.UTC(), Corrects: ledger.ID(s.corrects),
	}
	for i, to := range [...]*ledger.Amount{&b.Quantity, &b.Price, &b.Gross, &b.Net, &b.Commission, &b.SECFee, &b.TAFFee, &b.Accrued} {
		if *to, err = ledger.ParseAmount(s.amounts[i]); err != nil {
			return b, fmt.Errorf("trade %d: amount %q: %w", b.Trade, s.amounts[i], err)
		}
	}
	return b, nil
}

func (s *scanned) lived() life {
	return life{
		opened: ledger.ID(s.opened), settled: ledger.ID(s.settled), settledOn: ledger.Date(s.settledOn),
		street: ledger.ID(s.street), streetOn: ledger.Date(s.streetOn), canceled: ledger.ID(s.canceled),
	}
}
