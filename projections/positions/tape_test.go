package positions_test

import (
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/pgtest"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/positions"
)

// tapeRow is a trade of the tape.
type tapeRow struct {
	key, replaces   string
	date            ledger.Date
	account, target int64
	symbol          string
	quantity        string // below zero: a sale
	price           string
}

// tape reads a day of the tape: the trades without those that were submitted again, and the keys of those that are cancelled in the end.
func tape(t *testing.T) (trades []tapeRow, cancels []string) {
	t.Helper()
	dir := os.Getenv("BK_TAPE")
	if dir == "" {
		t.Skip("BK_TAPE does not name the folder of the tape (trades_D.csv.gz, cancels_D.csv.gz)")
	}
	files, err := filepath.Glob(filepath.Join(dir, "trades_*.csv.gz"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no trades in %s: %v", dir, err)
	}
	day := filepath.Base(files[0])[len("trades_"):]
	seen := map[string]bool{}
	eachLine(t, files[0], func(get func(string) string) {
		row := tapeRow{key: get("account_id") + "/" + get("client_trade_id"), symbol: get("instrument.identifier"), quantity: get("quantity"), price: get("price")}
		if seen[row.key] {
			return
		}
		seen[row.key] = true
		if of := get("cancel_trade_id"); of != "" {
			row.replaces = get("account_id") + "/" + of
		}
		if get("side.direction") == "sell" {
			row.quantity = "-" + row.quantity
		}
		row.account, row.target, row.date = number(t, get("account_id")), number(t, get("target_account_id")), ledger.Date(number(t, get("date")))
		trades = append(trades, row)
	})
	eachLine(t, filepath.Join(dir, "cancels_"+day), func(get func(string) string) {
		cancels = append(cancels, get("account")+"/"+get("trade_id"))
	})
	return trades, cancels
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// eachLine reads a file of columns with names.
func eachLine(t *testing.T, path string, do func(get func(column string) string)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := csv.NewReader(unzipped)
	header, err := lines.Read()
	if err != nil {
		t.Fatal(err)
	}
	header = slices.Clone(header)
	lines.ReuseRecord = true
	for {
		fields, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		do(func(column string) string {
			i := slices.Index(header, column)
			if i < 0 {
				t.Fatalf("%s has no column %s", path, column)
			}
			return string([]byte(fields[i]))
		})
	}
}

// tapeLine is what an account has of a symbol, worked out without the ledger.
type tapeLine struct{ quantity, cost, realised *big.Rat }

type tapeKey struct {
	account int64
	symbol  string
}

// expected works cost and profit out of the file alone: of each chain of corrections the last trade stands, in the first one's place.
func expected(trades []tapeRow, cancels []string) map[tapeKey]*tapeLine {
	type trade struct {
		tapeRow
		place, index int
		dead         bool
	}
	all, byKey := make([]trade, len(trades)), map[string]int{}
	for i, row := range trades {
		all[i] = trade{tapeRow: row, place: i, index: i}
		byKey[row.key] = i
		if of, there := byKey[row.replaces]; there {
			all[i].place, all[of].dead = all[of].place, true
		}
	}
	for _, key := range cancels {
		all[byKey[key]].dead = true
	}
	all = slices.DeleteFunc(all, func(x trade) bool { return x.dead })
	slices.SortFunc(all, func(a, b trade) int { return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.index, b.index)) })
	lines := map[tapeKey]*tapeLine{}
	fill := func(k tapeKey, q, price *big.Rat) {
		l := lines[k]
		if l == nil {
			l = &tapeLine{new(big.Rat), new(big.Rat), new(big.Rat)}
			lines[k] = l
		}
		if l.quantity.Sign()*q.Sign() < 0 { // closes: as much as is there, or as comes
			part := new(big.Rat).Neg(q)
			if new(big.Rat).Abs(part).Cmp(new(big.Rat).Abs(l.quantity)) > 0 {
				part.Set(l.quantity)
			}
			released := new(big.Rat).Set(l.cost)
			if part.Cmp(l.quantity) != 0 {
				exact := new(big.Rat).Quo(new(big.Rat).Mul(l.cost, part), l.quantity)
				released = round(new(big.Rat).Abs(exact))
				if exact.Sign() < 0 {
					released.Neg(released)
				}
			}
			proceeds := new(big.Rat).Mul(part, price) // shares and cents: exact
			l.realised.Add(l.realised, new(big.Rat).Sub(proceeds, released))
			l.cost.Sub(l.cost, released)
			l.quantity.Sub(l.quantity, part)
			q = new(big.Rat).Add(q, part)
		}
		l.quantity.Add(l.quantity, q)
		l.cost.Add(l.cost, new(big.Rat).Mul(q, price))
	}
	for _, x := range all {
		q, price := rat(x.quantity), rat(x.price)
		fill(tapeKey{x.account, x.symbol}, q, price)
		if x.target != 0 {
			fill(tapeKey{x.target, x.symbol}, new(big.Rat).Neg(q), price)
		}
	}
	return lines
}

// TestTape books a day of real trades with its corrections and cancels, and compares position, cost, average cost and profit of every line with
// what is worked out from the file alone, exactly.
func TestTape(t *testing.T) {
	trades, cancels := tape(t)
	symbols := []string{"BAC", "IBM", "SPY"}
	const firstAccount, accounts = 100_001, 1000
	w := newWorld(accounts, len(symbols))
	booked := map[string]*ledger.Entry{}
	account := func(id int64) int64 {
		if id == 0 {
			return 0
		}
		return id - firstAccount + firstCustomer
	}
	for _, row := range trades {
		x := terms{day: row.date, account: account(row.account), target: account(row.target), instrument: int64(firstSecurity + slices.Index(symbols, row.symbol)),
			quantity: row.quantity, price: row.price}
		if row.replaces == "" {
			booked[row.key] = w.trade(x)
		} else if of := booked[row.replaces]; of != nil {
			booked[row.key] = w.correct(of, x)
		} else {
			t.Fatalf("%s replaces %s, which is not there", row.key, row.replaces)
		}
		if len(w.live) > 1000 {
			w.live = w.live[:0]
		}
	}
	for _, key := range cancels {
		w.cancel(booked[key], false)
	}
	pool := foldtest.Pool(t, pgtest.New(t))
	r := newRunner(t, pool, w.Journal, w.dir, 8192)
	begun := time.Now()
	start(t, r)
	waitFor(t, r, w.Head().Seq)
	took := time.Since(begun)
	t.Logf("%d entries folded in %s: %.0f/s", w.Head().Seq, took.Round(time.Millisecond), float64(w.Head().Seq)/took.Seconds())
	reader := positions.NewReader(r)
	want := expected(trades, cancels)
	seen, closed := 0, 0
	q := positions.Query{Limit: 1000}
	for more := true; more; {
		page, err := reader.Positions(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page.Rows {
			k := tapeKey{row.Account - firstCustomer + firstAccount, symbols[row.Instrument-firstSecurity]}
			l := want[k]
			if l == nil { // all its trades are cancelled: the file doesn't tell
				l = &tapeLine{new(big.Rat), new(big.Rat), new(big.Rat)}
			}
			delete(want, k)
			seen++
			average := new(big.Rat)
			if l.quantity.Sign() != 0 {
				average = round(new(big.Rat).Quo(l.cost, l.quantity))
			}
			if l.realised.Sign() != 0 {
				closed++
			}
			for i, a := range []ledger.Amount{row.TradeDate(), row.Cost, row.Realised, row.AverageCost()} {
				if w := []*big.Rat{l.quantity, l.cost, l.realised, average}[i]; rat(a.String()).Cmp(w) != 0 {
					t.Errorf("%+v: number %d is %s, should be %s", row.Key, i, a, w.FloatString(12))
				}
			}
		}
		more, q.After = page.More, page.Next
	}
	if len(want) > 0 || seen < 1000 || closed < 1000 {
		t.Errorf("%d lines, %d are missing, %d have a profit or loss", seen, len(want), closed)
	}
	t.Logf("%d lines, %d with a profit or loss", seen, closed)
	begun = time.Now()
	if got := verify(t, pool, w.Journal, w.dir); got.Breaches.Count != 0 {
		t.Errorf("%d breaches: %+v", got.Breaches.Count, got.Breaches.First)
	}
	t.Logf("verified in %s", time.Since(begun).Round(time.Millisecond))
}
