package tradefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
)

// tape gives the folder of the real trade files, or skips.
func tape(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("BK_TAPE")
	if dir == "" {
		t.Skip("BK_TAPE does not name the folder of the tape (trades_D.csv.gz, cancels_D.csv.gz, counts_D.txt)")
	}
	return dir
}

func TestTape(t *testing.T) {
	t.Parallel()
	dir := tape(t)
	counts, err := filepath.Glob(filepath.Join(dir, "counts_*.txt"))
	if err != nil || len(counts) == 0 {
		t.Fatalf("no counts in %s: %v", dir, err)
	}
	for _, path := range counts {
		day := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "counts_"), ".txt")
		t.Run(day, func(t *testing.T) {
			t.Parallel()
			want := map[string]int{}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				var name string
				var n int
				if _, err := fmt.Sscan(line, &name, &n); err != nil {
					t.Fatalf("%s: %q: %v", path, line, err)
				}
				want[name] = n
			}
			got := map[string]int{}
			keys := map[string]bool{}
			eachRow(t, filepath.Join(dir, "trades_"+day+".csv.gz"), Trades, func(row *Row) {
				c := row.Command()
				if keys[c.Key] {
					got["repeated_submission"]++
					return
				}
				keys[c.Key] = true
				if c.Replaces != nil {
					got["correction"]++
					return
				}
				got[strings.ToLower(strings.TrimPrefix(c.GetTrade().Type.String(), "TRADE_TYPE_"))+"_trade"]++
			})
			eachRow(t, filepath.Join(dir, "cancels_"+day+".csv.gz"), Cancels, func(row *Row) {
				got["cancel"]++
				if key := row.Command().GetCancel().Target.Key; !keys[key] {
					t.Errorf("line %d cancels %s, which is not in the day's trades", row.Line, key)
				}
			})
			for name, n := range want {
				if got[name] != n {
					t.Errorf("%s: %d, want %d", name, got[name], n)
				}
			}
			if len(got) != len(want) {
				t.Errorf("counts %v, want %v", got, want)
			}
		})
	}
}

func eachRow(t testing.TB, path string, kind Kind, do func(*Row)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := NewReader(f, path, kind)
	if err != nil {
		t.Fatal(err)
	}
	var row Row
	for {
		err := r.Read(&row)
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Error(err)
			if !errors.As(err, new(*RowError)) {
				return
			}
			continue
		}
		do(&row)
	}
}

// BenchmarkTape reads a day of the tape from its gzip file; rows/s is for one core.
func BenchmarkTape(b *testing.B) {
	dir := tape(b)
	for range b.N {
		start, rows := time.Now(), 0
		eachRow(b, filepath.Join(dir, "trades_20131007.csv.gz"), Trades, func(*Row) { rows++ })
		b.ReportMetric(float64(rows)/time.Since(start).Seconds(), "rows/s")
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(head+",cancel_trade_id,user_data\n"+plain+",5,\"a,\n\"\"b\"\n"), true)
	f.Add([]byte("account,trade_id,by_client_id\n1,\"x,true\n2,3,false"), false)
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\x01"), true)
	f.Fuzz(func(t *testing.T, file []byte, trades bool) {
		kind := Cancels
		if trades {
			kind = Trades
		}
		r, err := NewReader(strings.NewReader(string(file)), "f", kind)
		if err != nil {
			if !errors.As(err, new(*FileError)) {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		var row Row
		line := 0
		for {
			err := r.Read(&row)
			if err == io.EOF || errors.As(err, new(*FileError)) {
				return
			}
			if row.Line <= line {
				t.Fatalf("line %d after line %d", row.Line, line)
			}
			line = row.Line
			if err != nil {
				if bad := (*RowError)(nil); !errors.As(err, &bad) || bad.Line != line {
					t.Fatalf("%T in line %d: %v", err, line, err)
				}
				continue
			}
			if _, err := proto.Marshal(row.Command()); err != nil || row.Command().Key == "" || row.Account == 0 {
				t.Fatalf("%v: %v", row.Command(), err)
			}
		}
	})
}
