package duck_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/duck"
)

// holdEnv makes the test binary a process that has a warehouse open until its standard input ends.
const holdEnv = "BK_DUCK_HOLD"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdEnv); path != "" {
		db, err := duck.Open(path)
		if err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Stdout.WriteString("open\n")
		_, _ = os.Stdin.Read(make([]byte, 1))
		if err := db.Close(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestOpen: the tables are there, twice in one process is one database, and what the dialect says of SQL holds.
func TestOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a warehouse.duckdb")
	db, err := duck.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	other, err := duck.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	d := dialect.DuckDB()
	at := time.Date(2013, 10, 7, 14, 0, 0, 123456000, time.UTC)
	if _, err := db.Exec("INSERT INTO landing_gaps VALUES ('bank', 'a''b', 1, 2, 3, " + d.Time(at) + ", " + d.Literal(`o'n\e`) + ", 'why')"); err != nil {
		t.Fatal(err)
	}
	for query, want := range map[string]any{
		"SELECT who FROM landing_gaps":                                              `o'n\e`,
		"SELECT " + d.EpochMilliseconds("accepted_at") + " FROM landing_gaps":       at.UnixMilli(),
		"SELECT abs(" + d.EpochMilliseconds(d.Now()) + " - epoch_ms(now())) < 5000": true,
		"SELECT " + d.CountIf("x > 1") + " FROM (VALUES (1), (2), (3)) v(x)":        int64(2),
		"SELECT " + d.MinBy("y", "x") + " FROM (VALUES (2, 'b'), (1, 'a')) v(x, y)": "a",
		"SELECT " + d.AnyValue("x") + " FROM (VALUES (1)) v(x)":                     int32(1),
		"SELECT " + d.DecimalText(d.Cast("'-0.5000'", dialect.Decimal)):             "-0.5",
		"SELECT " + d.DecimalText(d.Cast("100", dialect.Decimal)):                   "100",
		"SELECT " + d.DecimalText(d.Cast("0", dialect.Decimal)):                     "0",
		"SELECT typeof(" + d.Sum("x") + ") FROM (VALUES (1.5)) v(x)":                "DECIMAL(38,10)",
		"SELECT current_setting('autoinstall_known_extensions')":                    false,
		"SELECT current_setting('preserve_insertion_order')":                        false,
	} {
		var got any
		if err := other.QueryRow(query).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %v (%T), not %v: %v", query, got, got, want, err)
		}
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if _, err := db.Exec(d.CreateAs("x", "SELECT 1 AS a")); err != nil {
		t.Error(err)
	}
	for _, path := range []string{"", "a?b", ":memory:"} {
		if _, err := duck.Open(path); err == nil {
			t.Errorf("%q was opened", path)
		}
	}
}

// TestLocked: another process's warehouse is refused, or waited for.
func TestLocked(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	if _, err := duck.Open(path); !errors.Is(err, duck.ErrLocked) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	brief, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := duck.OpenWait(brief, path); !errors.Is(err, duck.ErrLocked) {
		t.Errorf("%v", err)
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = in.Close() })
	long, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s, err := duck.OpenStore(long, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), cmd.Wait()); err != nil {
		t.Error(err)
	}
}

// TestOnlyHotswapHasIt: the ledger's own program stays without DuckDB's 80 MB of C++.
func TestOnlyHotswapHasIt(t *testing.T) {
	t.Parallel()
	for program, has := range map[string]bool{"bk": false, "hotswap": true} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/bkledger/bk/cmd/"+program).Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		if got := strings.Contains(string(out), "github.com/duckdb/"); got != has || !strings.Contains(string(out), "github.com/bkledger/bk/compat/bank") == has {
			t.Errorf("%s: has DuckDB: %t", program, got)
		}
	}
}
