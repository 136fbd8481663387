package parity

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/parity/dialect"
)

var update = flag.Bool("update", false, "write testdata anew")

// TestSnowflake holds what is sent to Snowflake against what was looked at: every statement, in the order of a run.
func TestSnowflake(t *testing.T) {
	t.Parallel()
	q := queries{dialect.Snowflake(), true, sizes{accounts: true, partitionBits: 5, offsetBits: 26}}
	topics := map[string][2][]string{
		dialect.TradeEvents: {{"bank.trades", "legacy.bank.trades"}, {"facade.bank.trades"}}, dialect.CashEvents: {{"bank.cash"}, {"facade.bank.cash"}},
	}
	var b strings.Builder
	for _, statement := range []string{
		q.bounds(), q.accounts(topics), q.alone(dialect.TradeEvents), q.suspects(20_000_000), q.sums(),
		q.d.CreateAs(differsTable, q.differs(dialect.TradeEvents)+" UNION ALL "+q.differs(dialect.CashEvents)), q.events(),
		q.values(dialect.TradeEvents, []string{"price", "state"}, []string{"(0, 'price', 'bank.trades', 3, 12, 'facade.bank.trades', 3, 15)"}),
	} {
		b.WriteString(strings.TrimSpace(statement) + ";\n\n")
	}
	file := filepath.Join("testdata", "snowflake.sql")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the statements are not those of %s (-update writes it anew):\n%s", file, b.String())
	}
	if strings.Contains(b.String(), "{") {
		t.Error("a piece was not filled in")
	}
}
