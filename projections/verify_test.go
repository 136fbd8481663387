package projections_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections/foldtest"
)

// TestVerifyFinds: whatever is altered in the tables, in the checkpoint or in the journal's length is found and named.
func TestVerifyFinds(t *testing.T) {
	t.Parallel()
	j := foldtest.NewJournal(shard)
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, j, nil)
	stop := start(t, r)
	j.Append(foldtest.Trades(rand.New(rand.NewPCG(14, 14)), 10_000, 20, 3, true)...)
	waitFor(t, r, 10_000)
	stop()
	verifySound(t, pool, j)

	one := `(SELECT ctid FROM bk_read.%[1]s WHERE account = 100003 LIMIT 1)`
	for _, c := range []struct {
		name, table, alter string
		projection         int
		says               string
	}{
		{"sign", "balances_1", `UPDATE bk_read.%[1]s SET unsettled = -unsettled WHERE account = 100003 AND instrument = 1`, 0, "account 100003, instrument 1 is"},
		{"last digit", "balances_1", `UPDATE bk_read.%[1]s SET settled = settled + 0.0000000001 WHERE ctid = ` + one, 0, "account 100003"},
		{"missing row", "balances_1", `DELETE FROM bk_read.%[1]s WHERE ctid = ` + one, 0, "is missing"},
		{"extra row", "balances_1", `INSERT INTO bk_read.%[1]s VALUES (77, 1, 0, 0)`, 0, "account 77, instrument 1 is there"},
		{"two that cancel out", "balances_1", `UPDATE bk_read.%[1]s SET unsettled = unsettled + CASE account WHEN 100003 THEN 1 ELSE -1 END WHERE account IN (100003, 100004) AND instrument = 2`, 0, "account 100004, instrument 2 is"},
		{"offset changed", "statement_1", `UPDATE bk_read.%[1]s SET offsets = set_byte(offsets, 0, get_byte(offsets, 0) + 1) WHERE account = 100003 AND block = 1`, 1, "account 100003, block 1 lists"},
		{"offset added", "statement_1", `UPDATE bk_read.%[1]s SET offsets = offsets || '\x01' WHERE account = 100003 AND block = 2`, 1, "account 100003, block 2 lists"},
		{"opening changed", "statement_1", `UPDATE bk_read.%[1]s SET openings = '1:0:0;' || openings WHERE account = 100003 AND block = 0`, 1, "account 100003, block 0 opens with"},
		{"dates changed", "statement_1", `UPDATE bk_read.%[1]s SET last_date = 20131008 WHERE account = 100003 AND block = 0`, 1, "account 100003, block 0 is effective"},
		{"statement row missing", "statement_1", `DELETE FROM bk_read.%[1]s WHERE account = 100003 AND block = 1`, 1, "account 100003, block 1 is missing"},
		{"statement row extra", "statement_1", `INSERT INTO bk_read.%[1]s VALUES (77, 1, 20131007, 20131007, '\x01', '1:0:0;')`, 1, "account 77 has a row"},
		{"statement row beyond", "statement_1", `INSERT INTO bk_read.%[1]s VALUES (100003, 3, 20131007, 20131007, '\x01', '1:0:0;')`, 1, "beyond the checkpoint"},
		{"statement total", "statement_totals_1", `UPDATE bk_read.%[1]s SET settled = settled + 1 WHERE ctid = ` + one, 1, "statement_totals_1"},
		{"checkpoint hash", "projection", `UPDATE bk_read.%[1]s SET hash = sha256(hash) WHERE name = 'balances'`, 0, "another chain hash"},
		{"checkpoint behind", "projection", `UPDATE bk_read.%[1]s SET seq = seq - 1 WHERE name = 'statement'`, 1, "another chain hash"},
		{"checkpoint beyond the head", "projection", `UPDATE bk_read.%[1]s SET seq = seq + 1 WHERE name = 'balances'`, 0, "tail is missing"},
		{"fault", "projection", `UPDATE bk_read.%[1]s SET fault = 'on fire' WHERE name = 'balances'`, 0, "on fire"},
	} {
		before := fmt.Sprintf(`CREATE TABLE bk_read.saved AS TABLE bk_read.%s`, c.table)
		restore := fmt.Sprintf(`TRUNCATE bk_read.%[1]s`, c.table)
		if c.table == "projection" { // the role may not truncate it
			restore = `DELETE FROM bk_read.projection`
		}
		alter := strings.ReplaceAll(c.alter, "%[1]s", c.table)
		for _, sql := range []string{before, alter} {
			if tag, err := pool.Exec(t.Context(), sql); err != nil || tag.RowsAffected() == 0 {
				t.Fatalf("%s: %s: %v", c.name, sql, err)
			}
		}
		results := verify(t, pool, j)
		breaches := results[c.projection].Breaches
		found := false
		for _, b := range breaches.First {
			found = found || strings.Contains(b.What, c.says) && b.Seq > 0
		}
		if !found {
			t.Errorf("%s: breaches %+v", c.name, breaches)
		}
		if other := results[1-c.projection].Breaches; other.Count != 0 {
			t.Errorf("%s: the other projection has breaches %+v", c.name, other)
		}
		for _, sql := range []string{restore, fmt.Sprintf(`INSERT INTO bk_read.%s TABLE bk_read.saved`, c.table), `DROP TABLE bk_read.saved`} {
			if _, err := pool.Exec(t.Context(), sql); err != nil {
				t.Fatalf("%s: %s: %v", c.name, sql, err)
			}
		}
	}
	verifySound(t, pool, j)

	j.Truncate(2500)
	for _, r := range verify(t, pool, j) {
		if r.Breaches.Count == 0 || r.Breaches.First[0].Seq != 2501 || !strings.Contains(r.Breaches.First[0].What, "tail is missing") {
			t.Errorf("a cut-off tail: %+v", r.Breaches)
		}
	}
}
