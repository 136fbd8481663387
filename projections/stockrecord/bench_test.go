package stockrecord_test

import (
	"testing"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections/stockrecord"
)

// everyone knows any account.
type everyone struct{ *ledger.Directory }

func (e everyone) Account(ref ledger.AccountRef) (ledger.Account, bool) {
	e.Directory.Account(ref)
	return ledger.Account{ID: ref.ID, Kind: ledger.KindCustomer}, true
}

// BenchmarkTotals sums a currency that each of a million accounts holds, and finds a page of another instrument's record among them.
func BenchmarkTotals(b *testing.B) {
	reader, pool := folded(b, journal(1, 1, 1), everyone{ledger.NewDirectory()})
	if _, err := reader.Record(b.Context(), stockrecord.Query{Instrument: 1, Limit: 1, AtLeast: 2}); err != nil {
		b.Fatal(err)
	}
	for _, sql := range []string{
		`DELETE FROM bk_read.balances_1`,
		`INSERT INTO bk_read.balances_1 SELECT 100 + n, 1, n + 0.25, -n FROM generate_series(1, 1000000) AS n`,
		`INSERT INTO bk_read.balances_1 SELECT 100 + n, 2, n, 0 FROM generate_series(1, 1000000, 100) AS n`,
		`ANALYZE bk_read.balances_1`,
	} {
		if _, err := pool.Exec(b.Context(), sql); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("totals of a million", func(b *testing.B) {
		for b.Loop() {
			if page, err := reader.Totals(b.Context(), stockrecord.TotalsQuery{Instrument: 1, Limit: 1}); err != nil || page.Lines[0].Kinds[0].Accounts != 1_000_000 {
				b.Fatal(page, err)
			}
		}
	})
	b.Run("page of the record", func(b *testing.B) {
		for b.Loop() {
			if page, err := reader.Record(b.Context(), stockrecord.Query{Instrument: 2, After: 500_000, Limit: 100}); err != nil || len(page.Rows) != 100 {
				b.Fatal(page, err)
			}
		}
	})
}
