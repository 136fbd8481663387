package projections

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
)

// Key names one balance: an account's holding of an instrument.
type Key struct{ Account, Instrument int64 }

// Compare orders keys by account, then instrument.
func (k Key) Compare(o Key) int {
	if c := cmp.Compare(k.Account, o.Account); c != 0 {
		return c
	}
	return cmp.Compare(k.Instrument, o.Instrument)
}

// Holding is a balance in its two buckets. The trade-date balance is both together, the settlement-date balance is Settled.
type Holding struct{ Unsettled, Settled ledger.Amount }

// Add gives h plus a posting's quantity.
func (h Holding) Add(p ledger.Posting) (Holding, error) {
	switch p.Bucket {
	case ledger.Unsettled:
		h.Unsettled = h.Unsettled.Add(p.Quantity)
	case ledger.Settled:
		h.Settled = h.Settled.Add(p.Quantity)
	default:
		return h, fmt.Errorf("a posting on account %d is on the bucket %q", p.Account, string(rune(p.Bucket)))
	}
	return h, nil
}

// Plus gives the sum of two holdings.
func (h Holding) Plus(o Holding) Holding {
	return Holding{h.Unsettled.Add(o.Unsettled), h.Settled.Add(o.Settled)}
}

// Minus gives h without o.
func (h Holding) Minus(o Holding) Holding {
	return Holding{h.Unsettled.Sub(o.Unsettled), h.Settled.Sub(o.Settled)}
}

// TradeDate gives both buckets together.
func (h Holding) TradeDate() ledger.Amount { return h.Unsettled.Add(h.Settled) }

// IsZero reports whether both buckets are 0.
func (h Holding) IsZero() bool { return h == Holding{} }

// CreateTotals makes a table of holdings by account and instrument; a key has a row from its first posting on, zero or not.
func CreateTotals(ctx context.Context, tx pgx.Tx, table string) error {
	// Room on each page for new versions of its rows, which then leave the index alone.
	_, err := tx.Exec(ctx, `CREATE TABLE `+table+` (
		account    bigint         NOT NULL,
		instrument bigint         NOT NULL,
		unsettled  numeric(38,10) NOT NULL,
		settled    numeric(38,10) NOT NULL,
		PRIMARY KEY (account, instrument)
	) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05)`)
	if err != nil {
		return fmt.Errorf("create %s: %w", table, err)
	}
	return nil
}

// AddTotals adds to the holdings of the keys, which must be different from each other. If after is not nil it is told what each
// holding is then, in any order.
//
// Rows that are there are updated, and then the others inserted: the caller has the checkpoint locked, so nobody else writes, and
// ON CONFLICT, which locks each row before it updates it and so costs a third more, has nothing to guard. Amounts go as text, which
// is made without big integers.
func AddTotals(ctx context.Context, tx pgx.Tx, table string, keys []Key, add func(Key) Holding, after func(Key, Holding)) error {
	slices.SortFunc(keys, Key.Compare) // neighbours share pages
	const given = ` (SELECT a, i, u::numeric(38,10), s::numeric(38,10)
		FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS g (a, i, u, s)) AS x `
	there := make([]bool, len(keys))
	i := 0
	sum, both := "", ""
	if after != nil { // as text, which costs as much as the rest of a row
		sum, both = `, t.unsettled::text, t.settled::text`, `, unsettled::text, settled::text`
	}
	err := totalsQuery(ctx, tx, `UPDATE `+table+` AS t SET unsettled = t.unsettled + x.u, settled = t.settled + x.s
		FROM`+given+`WHERE t.account = x.a AND t.instrument = x.i RETURNING t.account, t.instrument`+sum, keys, add, func(k Key) {
		// They come in the order of the keys, but for what the planner may think of.
		if i < len(keys) && keys[i] != k {
			i, _ = slices.BinarySearchFunc(keys, k, Key.Compare)
		}
		if i < len(keys) {
			there[i] = true
			i++
		}
	}, after)
	if err != nil {
		return fmt.Errorf("add to %s: %w", table, err)
	}
	var missing []Key
	for i, k := range keys {
		if !there[i] {
			missing = append(missing, k)
		}
	}
	inserted := 0
	err = totalsQuery(ctx, tx, `INSERT INTO `+table+` SELECT a, i, u, s FROM`+given+`RETURNING account, instrument`+both,
		missing, add, func(Key) { inserted++ }, after)
	if err == nil && inserted != len(missing) {
		err = fmt.Errorf("%d rows instead of %d", inserted, len(missing))
	}
	if err != nil {
		return fmt.Errorf("insert into %s: %w", table, err)
	}
	return nil
}

// totalsQuery gives the keys and what to add to them to a statement, and tells done of each row that it returns; after, if it is not nil, too.
func totalsQuery(ctx context.Context, tx pgx.Tx, sql string, keys []Key, add func(Key) Holding, done func(Key), after func(Key, Holding)) error {
	n := len(keys)
	if n == 0 {
		return nil
	}
	accounts, instruments := make([]int64, n), make([]int64, n)
	unsettled, settled := make([]string, n), make([]string, n)
	for i, k := range keys {
		h := add(k)
		accounts[i], instruments[i] = k.Account, k.Instrument
		unsettled[i], settled[i] = h.Unsettled.String(), h.Settled.String()
	}
	rows, err := tx.Query(ctx, sql, accounts, instruments, unsettled, settled)
	if err != nil {
		return err
	}
	if after != nil {
		return EachTotal(rows, func(k Key, h Holding) {
			done(k)
			after(k, h)
		})
	}
	var k Key
	_, err = pgx.ForEachRow(rows, []any{&k.Account, &k.Instrument}, func() error {
		done(k)
		return nil
	})
	return err
}

// EachTotal reads rows of (account, instrument, unsettled::text, settled::text) to the end.
func EachTotal(rows pgx.Rows, do func(Key, Holding)) error {
	defer rows.Close()
	for rows.Next() {
		var k Key
		var h Holding
		if err := ScanTotal(rows, &k, &h); err != nil {
			return err
		}
		do(k, h)
	}
	return rows.Err()
}

// ScanTotal reads one row of (account, instrument, unsettled::text, settled::text).
func ScanTotal(row pgx.Row, k *Key, h *Holding) error {
	var unsettled, settled string
	err := row.Scan(&k.Account, &k.Instrument, &unsettled, &settled)
	if err != nil {
		return err
	}
	if h.Unsettled, err = ParseSum(unsettled); err == nil {
		h.Settled, err = ParseSum(settled)
	}
	if err != nil {
		return fmt.Errorf("balance of account %d, instrument %d: %w", k.Account, k.Instrument, err)
	}
	return nil
}

// ParseSum reads a sum of amounts, which may have more integer digits than a single amount.
func ParseSum(text string) (ledger.Amount, error) {
	a, err := ledger.ParseAmount(text)
	if !errors.Is(err, ledger.ErrAmountRange) {
		return a, err
	}
	whole, frac, _ := strings.Cut(text, ".")
	frac = strings.TrimRight(frac, "0")
	if len(frac) > ledger.AmountScale {
		return ledger.Amount{}, ledger.ErrAmountScale
	}
	n, ok := new(big.Int).SetString(whole+frac+strings.Repeat("0", ledger.AmountScale-len(frac)), 10)
	if !ok || n.BitLen() > 127 {
		return ledger.Amount{}, err
	}
	return sumFromUnscaled(n)
}

// sumFromUnscaled makes an amount that may be too large for a single one: of its half, twice, and the bit that is left.
func sumFromUnscaled(n *big.Int) (ledger.Amount, error) {
	if a, err := ledger.AmountFromUnscaled(n); err == nil {
		return a, nil
	}
	half, rest := new(big.Int).QuoRem(n, big.NewInt(2), new(big.Int))
	h, err := sumFromUnscaled(half)
	if err != nil {
		return h, err
	}
	r, err := ledger.AmountFromUnscaled(rest)
	return h.Add(h).Add(r), err
}
