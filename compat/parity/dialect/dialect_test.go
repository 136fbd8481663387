package dialect_test

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/parity/dialect"
)

var update = flag.Bool("update", false, "write the golden files anew")

// statements gives everything that a dialect spells, each under a heading.
func statements(d dialect.Dialect) string {
	var b strings.Builder
	say := func(heading string, texts ...string) {
		b.WriteString("-- " + heading + "\n" + strings.Join(texts, ";\n\n") + ";\n\n")
	}
	say("Tables", d.CreateTables()...)
	cash, offsets := dialect.Lookup(dialect.CashEvents), dialect.Lookup(dialect.Offsets)
	say("A temporary table", d.CreateTemporary(offsets))
	say("A temporary table of a query", d.CreateAs("x", "SELECT 1 AS a"))
	say("Rows by placeholders", d.Insert(cash, 2))
	say("Where the landing stands", d.SelectOffsets())
	key := []string{"side", d.Literal("bank"), "topic", d.Literal(`it's\n`), "partition", "3"}
	at := d.Time(time.Date(2013, 10, 7, 16, 30, 0, 123456789, time.FixedZone("", 7200)))
	say("A row that is not there", d.InsertOne(dialect.Gaps, []string{"side", "topic", "partition", "accepted_at"}, []string{key[1], key[3], key[5], at}, d.Where(key...)))
	row := func(partition, caughtUp string) []string {
		return []string{key[1], key[3], partition, d.Cast("NULL", dialect.Text), "1", "8", "5", "1", "1", "9", at, caughtUp, d.Cast("NULL", dialect.Long), "1381132800464"}
	}
	say("A partition that is not there", d.InsertOffset(row("2", at)))
	say("Two partitions' step", d.UpdateOffsets([][]string{append(row("3", at), "7"), append(row("4", d.Cast("NULL", dialect.Time)), "8")}))
	say("Out to Parquet", d.ExportParquet("SELECT "+d.Columns("c", cash.Names())+" FROM "+dialect.CashEvents+" c", "@parity/it's/cash_events"))
	say("In from Parquet", d.ImportParquet(cash, "@parity/cash_events"))
	if put := d.UploadFile("/tmp/cash_events.parquet", "@parity/cash_events"); put != "" {
		say("A file into a stage", put)
	}
	say("Expressions", "SELECT "+strings.Join([]string{
		d.Now(), d.EpochMilliseconds("landed_at"), d.CountIf("a > 1"), d.MinBy("a", "b"), d.AnyValue("a"), d.Sum("amount"), d.Cast("a", dialect.Long), d.DecimalText("amount"),
	}, ",\n    "))
	return b.String()
}

// TestGolden holds what is sent to each warehouse against what somebody has looked at: nobody here has a Snowflake to try it on.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, d := range []dialect.Dialect{dialect.Snowflake(), dialect.DuckDB()} {
		file := "testdata/" + d.Name() + ".sql"
		got := statements(d)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: not what is in %s (go test ./compat/parity/dialect -update writes it):\n%s", d.Name(), file, got)
		}
	}
}

// TestTables: names are good in both warehouses without quotes, or quoted; the classes say what the hash is of.
func TestTables(t *testing.T) {
	t.Parallel()
	plain := regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	for _, table := range dialect.Tables() {
		seen := map[string]bool{}
		for _, c := range table.Columns {
			if !plain.MatchString(c.Name) || seen[c.Name] {
				t.Errorf("%s.%s: not plain, or there twice", table.Name, c.Name)
			}
			seen[c.Name] = true
			if event := strings.HasSuffix(table.Name, "_events"); event && (c.Path == "") != (c.Class == dialect.Place || c.Class == dialect.Check) {
				t.Errorf("%s.%s: class %d with the path %q", table.Name, c.Name, c.Class, c.Path)
			}
			if snow, duck := dialect.Snowflake().Quote(c.Name), dialect.DuckDB().Quote(c.Name); !strings.EqualFold(snow, duck) || snow[0] == '"' && snow != strings.ToUpper(snow) {
				t.Errorf("%s.%s: %s and %s", table.Name, c.Name, snow, duck)
			}
		}
	}
	trades := dialect.Lookup(dialect.TradeEvents)
	if got := trades.Names(dialect.Own, dialect.Moment); !slices.Equal(got, []string{"event_id", "at", "booked_at", "canceled_at"}) {
		t.Errorf("each side's own: %v", got)
	}
	if got := trades.Names(dialect.Total); len(got) != 4 {
		t.Errorf("totals: %v", got)
	}
	if len(trades.Names()) != len(trades.Columns) || trades.Columns[trades.Column("net_amount")].Path != "trade.net_amount" || trades.Column("x") != -1 || dialect.Lookup("x") != nil {
		t.Errorf("%v", trades.Names())
	}
}
