package trades_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/foldtest"
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

// verifyNow compares the tables as they are.
func (f *folded) verifyNow(t *testing.T, l *lifetest.Ledger) projections.Result {
	t.Helper()
	tx := f.begin(t)
	result := f.verify(t, l, tx)
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	return result
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
	want := int64(len(f.dump(t, "trades_life")) + len(f.dump(t, "trades_list")) + len(f.dump(t, "trades_corrects")))
	if r := f.verify(t, l, tx); r.Breaches.Count != 0 || r.Rows != want || r.Rows <= int64(len(l.Trades)) {
		t.Fatalf("%d rows, should be %d, %+v", r.Rows, want, r.Breaches)
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
	correction := l.Trades[slices.IndexFunc(l.Trades, func(trade ledger.ID) bool { return l.Lives[trade][0].Links.Corrects != 0 })]
	settled, open, canceled := inState(ledger.TradeSettled), inState(ledger.TradeOpen), inState(ledger.TradeCanceled)
	const life = "trades_life"
	for _, c := range []struct {
		table, set string
		trade      ledger.ID
	}{
		{life, "settled = NULL", settled}, {life, "settled_on = settled_on + 1", settled}, {life, "settled = 9", open}, {life, "opened = NULL", settled},
		{life, "opened = 5", open}, {life, "canceled = 77", open}, {life, "canceled = NULL", canceled}, {life, "trade_date = 20131231", canceled},
		{life, "street = 12", open}, {life, "settle_date = 20131231", open}, {life, "street_on = 20131231, street = NULL", open},
		{life, "effective_date = effective_date + 1", settled}, {"trades_corrects", "corrects = corrects + 1", correction},
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
	first, firstCustomer := id(l.Trades[0]), strconv.Itoa(foldtest.FirstCustomer)
	correction := id(l.Trades[slices.IndexFunc(l.Trades, func(trade ledger.ID) bool { return l.Lives[trade][0].Links.Corrects != 0 })])
	listed := slices.IndexFunc(l.Trades, func(trade ledger.ID) bool { return l.Lives[trade][0].Trade.Account.ID == foldtest.FirstCustomer })
	ofFirst := " WHERE kind = 'p' AND key = " + firstCustomer
	for _, c := range []struct{ sql, want string }{
		{`DELETE FROM life WHERE trade = ` + first, "trade " + first + " is not as the journal says; stored is no row"},
		{`UPDATE life SET trade_date = 1 WHERE trade IN (SELECT trade FROM life ORDER BY trade LIMIT 2)`, "several are not as the journal says"},
		{`UPDATE life SET trade = -trade WHERE trade = ` + first, "none of the journal's"},
		{`DELETE FROM life`, "booked by entries 0 to 255, several"},
		{`DELETE FROM corrects WHERE trade = ` + correction, "trade " + correction + " is not as the journal says; stored is no row"},
		{`INSERT INTO corrects VALUES (5, ` + first + `)`, "trade " + first + " is not as the journal says; stored is (5," + first + ")"},
		{`INSERT INTO corrects VALUES (5, 6)`, "trade 6 is there, it is none of the journal's"},
		{`UPDATE list SET first_date = first_date - 1` + ofFirst, "trade " + id(l.Trades[listed]) + " is not in the lists"},
		{`UPDATE list SET last_date = last_date + 1` + ofFirst, "trade " + id(l.Trades[listed]) + " is not in the lists"},
		{`UPDATE list SET offsets = substr(offsets, 1, length(offsets) - 2)` + ofFirst, "is not in the lists"},
		{`UPDATE list SET offsets = substr(offsets, 2)` + ofFirst, "list \"p\" of " + firstCustomer + ", block 0: "},
		{`UPDATE list SET offsets = ''` + ofFirst, "list \"p\" of " + firstCustomer + ", block 0: 0 bytes"},
		{`UPDATE list SET offsets = offsets || substr(offsets, 1, 2)` + ofFirst, "list \"p\" of " + firstCustomer + ", block 0: offset "},
		{`UPDATE list SET offsets = offsets || '\x3fff'::bytea` + ofFirst, "none of the journal's"},
		{`UPDATE list SET block = 1` + ofFirst, "block 1: it is none of the journal's"},
		{`UPDATE list SET block = -1` + ofFirst, "block -1: it is none of the journal's"},
		{`UPDATE list SET kind = 'x'` + ofFirst, "list \"x\" of " + firstCustomer},
		{`UPDATE list SET key = key + 1000` + ofFirst, "several are not as the journal says"},
		{`DELETE FROM list WHERE kind = 'i'`, "booked by entries 0 to 255, several"},
	} {
		tx := f.begin(t)
		sql := strings.NewReplacer(
			" list ", " "+f.table(t, "trades_list")+" ", " life ", " "+f.table(t, "trades_life")+" ", " corrects ", " "+f.table(t, "trades_corrects")+" ",
		).Replace(c.sql + " ")
		if tag, err := tx.Exec(t.Context(), sql); err != nil || tag.RowsAffected() == 0 {
			t.Fatalf("%s: %d rows, %v", sql, tag.RowsAffected(), err)
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
