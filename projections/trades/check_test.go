package trades_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/trades"
	"github.com/bkledger/bk/projections/trades/lifetest"
)

func contains(text, part string) bool { return strings.Contains(text, part) }

func id(trade ledger.ID) string { return strconv.FormatInt(int64(trade), 10) }

// verify compares the tables, as tx sees them, with a fold of the journal.
func (f *folded) verify(t *testing.T, l *lifetest.Ledger, tx pgx.Tx) projections.Result {
	t.Helper()
	v, err := projections.NewVerifier(t.Context(), tx, shard, []projections.Projection{trades.Projection{Books: l.Directory}})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range l.Journal.All() {
		if err := v.Add(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	results, err := v.Finish(t.Context())
	if err != nil || len(results) != 1 {
		t.Fatalf("%d results, %v", len(results), err)
	}
	return results[0]
}

func (f *folded) begin(t *testing.T) pgx.Tx {
	t.Helper()
	tx, err := f.pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

// TestTampering: whatever is altered in the tables is found and named.
func TestTampering(t *testing.T) {
	t.Parallel()
	l := random(t, 10, 900)
	f := fold(t, l, 200)
	tx := f.begin(t)
	if r := f.verify(t, l, tx); r.Breaches.Count != 0 || r.Rows != int64(2*len(l.Trades)) {
		t.Fatalf("%d rows, %+v", r.Rows, r.Breaches)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	inState := func(state ledger.TradeState) ledger.ID {
		for _, trade := range l.Trades[20:] {
			if l.Lives[trade].State() == state {
				return trade
			}
		}
		t.Fatalf("no trade is %s", state)
		return 0
	}
	settled, open, canceled := inState(ledger.TradeSettled), inState(ledger.TradeOpen), inState(ledger.TradeCanceled)
	const base, life = "trades", "trades_life"
	for _, c := range []struct {
		table, set string
		trade      ledger.ID
	}{
		{base, "quantity = quantity + 0.0000000001", open}, {base, "net = -net", open}, {base, "account = account + 1", open},
		{base, "booked_at = booked_at + interval '1 microsecond'", settled}, {base, "client_trade_id = 'x'", settled},
		{base, "corrects = 7", open}, {base, "target = 9", settled}, {base, "trade_date = 20131231", canceled}, {base, "taf_fee = 1", canceled},
		{life, "state = 'open'", settled}, {life, "settled = NULL", settled}, {life, "settled_on = settled_on + 1", settled}, {life, "state = 'settled'", open},
		{life, "opened = 5", open}, {life, "canceled = 77", open}, {life, "canceled = NULL", canceled},
		{life, "street = 12", open}, {life, "settle_date = 20131231", open}, {life, "street_on = 20131231, street = NULL", open},
	} {
		tx := f.begin(t)
		if _, err := tx.Exec(t.Context(), `UPDATE `+f.table(t, c.table)+` SET `+c.set+` WHERE trade = `+id(c.trade)); err != nil {
			t.Fatal(err)
		}
		r := f.verify(t, l, tx).Breaches
		named := false
		for _, b := range r.First {
			named = named || contains(b.What, "trade "+id(c.trade)+" ") && contains(b.What, c.table) && b.Seq == c.trade.Seq()
		}
		if !named {
			t.Errorf("%s of trade %d: %+v", c.set, c.trade, r)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTamperingRows: rows that are gone, too many, or altered together are found.
func TestTamperingRows(t *testing.T) {
	t.Parallel()
	l := random(t, 11, 900)
	f := fold(t, l, 200)
	first := id(l.Trades[0])
	for _, c := range []struct{ sql, want string }{
		{`DELETE FROM trades WHERE trade = ` + first, "trade " + first + " is not as the journal says; stored is no row"},
		{`DELETE FROM life WHERE trade = ` + first, "trade " + first + " is not as the journal says; stored is no row"},
		{`UPDATE trades SET price = 1 WHERE trade IN (SELECT trade FROM trades ORDER BY trade LIMIT 2)`, "several are not as the journal says"},
		{`UPDATE life SET trade = -trade WHERE trade = ` + first, "none of the journal's"},
		{`UPDATE trades SET trade = trade + 1000000 WHERE trade = ` + first, "none of the journal's"},
		{`DELETE FROM trades`, "booked by entries 0 to 255, several"},
	} {
		tx := f.begin(t)
		sql := strings.NewReplacer(" trades ", " "+f.table(t, "trades")+" ", " life ", " "+f.table(t, "trades_life")+" ").Replace(c.sql + " ")
		if _, err := tx.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		r := f.verify(t, l, tx).Breaches
		named := false
		for _, b := range r.First {
			named = named || contains(b.What, c.want)
		}
		if !named {
			t.Errorf("%s: %+v", c.sql, r)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
