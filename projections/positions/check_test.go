package positions_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections/foldtest"
)

// TestTampering alters rows in every way; the checker names each, and finds nothing wrong with what is put back.
func TestTampering(t *testing.T) {
	t.Parallel()
	w := newWorld(2, 2)
	rng := rand.New(rand.NewPCG(11, 11))
	w.random(rng, 3000, 2, 2)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, w.Journal, w.dir, 500)
	stop := start(t, r)
	waitFor(t, r, w.Head().Seq)
	stop()
	lines, fills := tableName(t, pool, "positions"), tableName(t, pool, "positions_fills")
	exec := func(sql string) int64 {
		t.Helper()
		tag, err := pool.Exec(t.Context(), sql)
		if err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return tag.RowsAffected()
	}
	for _, table := range []string{lines, fills} {
		exec(`CREATE TABLE ` + table + `_sound AS TABLE ` + table)
	}
	const one = ` WHERE account = 1001 AND instrument = 3 AND currency = 'USD'`
	const middle = one + ` AND first_date > 0 AND first_seq = (SELECT max(first_seq) FROM %s` + one + `)`
	at := fmt.Sprintf(middle, fills)
	type alteration struct{ what, sql, want string }
	alterations := []alteration{
		{"a row's cost", `UPDATE ` + lines + ` SET cost = cost + 0.0000000001` + one, "account 1001, instrument 3, USD: cost is"},
		{"a row's profit", `UPDATE ` + lines + ` SET realised = realised - 1` + one, "realised is"},
		{"a row's quantities", `UPDATE ` + lines + ` SET unsettled = unsettled + 1, settled = settled - 1` + one, "settled is"},
		{"a row is gone", `DELETE FROM ` + lines + one, "account 1001, instrument 3, USD is missing"},
		{"a row too much", `INSERT INTO ` + lines + ` VALUES (1001, 99, 'USD', 0, 0, 0, 0)`, "account 1001, instrument 99, USD is there"},
		{"a row of no currency", `INSERT INTO ` + lines + ` VALUES (1001, 3, 'usd', 0, 0, 0, 0)`, "no currency"},
		{"a block is gone", `DELETE FROM ` + fills + at, "are not those of the journal"},
		{"the first block is gone", `DELETE FROM ` + fills + one + ` AND first_date = 0`, "a block is missing"},
		{"all blocks are gone", `DELETE FROM ` + fills + one, "is missing, with all its records"},
		{"a block is moved", `UPDATE ` + fills + ` SET first_seq = first_seq + 1` + at, "it begins elsewhere"},
		{"a block of another line", `UPDATE ` + fills + ` SET account = 1002, instrument = 77` + at, "account 1002, instrument 77"},
		{"a block of no currency", `UPDATE ` + fills + ` SET currency = 'x'` + at, "no currency"},
		{"latest", `UPDATE ` + fills + ` SET latest = latest - 1` + at, "latest is"},
		{"a mark", `UPDATE ` + fills + ` SET mark = set_byte(mark, length(mark) - 1, get_byte(mark, length(mark) - 1) # 1)` + at, "does not end as its records do"},
		{"a mark is longer", `UPDATE ` + fills + ` SET mark = mark || '\x00'` + at, "does not end as its records do"},
		{"records end early", `UPDATE ` + fills + ` SET records = substr(records, 1, length(records) - 1)` + at, "can't be read"},
		{"no records", `UPDATE ` + fills + ` SET records = ''` + at, "can't be read"},
	}
	var length int
	if err := pool.QueryRow(t.Context(), `SELECT length(records) FROM `+fills+at).Scan(&length); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < length; i += 1 + length/60 { // bits here and there
		alterations = append(alterations, alteration{fmt.Sprintf("byte %d", i),
			fmt.Sprintf(`UPDATE %s SET records = set_byte(records, %d, get_byte(records, %d) # %d)`, fills, i, i, 1<<rng.IntN(8)) + at, "account 1001, instrument 3, USD"})
	}
	for _, a := range alterations {
		if n := exec(a.sql); n == 0 {
			t.Errorf("%s: nothing was altered", a.what)
		}
		found := false
		result := verify(t, pool, w.Journal, w.dir)
		for _, b := range result.Breaches.First {
			found = found || strings.Contains(b.What, a.want)
		}
		if !found {
			t.Errorf("%s: %d breaches: %+v; should say %q", a.what, result.Breaches.Count, result.Breaches.First, a.want)
		}
		for _, table := range []string{lines, fills} {
			exec(`TRUNCATE ` + table)
			exec(`INSERT INTO ` + table + ` SELECT * FROM ` + table + `_sound`)
		}
	}
	if result := verify(t, pool, w.Journal, w.dir); result.Breaches.Count != 0 {
		t.Errorf("put back: %+v", result.Breaches.First)
	}
}
