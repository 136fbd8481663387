package main

import (
	"cmp"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
)

// tapeSettlement says when trades of the tape settle: T+3, and 14 October 2013 was a bank holiday.
var tapeSettlement = map[string]int{"20131007": 20131010, "20131009": 20131015, "20131010": 20131016}

// tapeTrade is a row of a trade file: quantity and cash as its account sees them, before fees.
type tapeTrade struct {
	account, target, symbol, date string
	exchange                      bool
	quantity, price, cash         decimal.Decimal
	place                         int // its row's, or that of the first trade of its chain of corrections
	dead                          bool
}

// readTape gives what is left of trade and cancel files once repeats, corrections and cancels are applied, in the order in which the trades stand.
func readTape(t *testing.T, trades, cancels []string) []*tapeTrade {
	t.Helper()
	book := map[string]*tapeTrade{} // by account and client id
	rows := 0
	for _, path := range trades {
		eachRow(t, path, func(get func(string) string) {
			key := get("account_id") + "/" + get("client_trade_id")
			if book[key] != nil {
				return // submitted twice
			}
			rows++
			trade := &tapeTrade{
				account: get("account_id"), target: get("target_account_id"), symbol: get("instrument.identifier"), date: get("date"),
				exchange: get("type") == "exchange_trade", place: rows,
				quantity: decimal.RequireFromString(get("quantity")), price: decimal.RequireFromString(get("price")),
			}
			trade.cash = trade.quantity.Mul(trade.price).Neg()
			if get("side.direction") == "sell" {
				trade.quantity, trade.cash = trade.quantity.Neg(), trade.cash.Neg()
			}
			if replaced := get("cancel_trade_id"); replaced != "" {
				old := book[get("account_id")+"/"+replaced]
				old.dead, trade.place = true, old.place
			}
			book[key] = trade
		})
	}
	for _, path := range cancels {
		eachRow(t, path, func(get func(string) string) { book[get("account")+"/"+get("trade_id")].dead = true })
	}
	var left []*tapeTrade
	for _, trade := range book {
		if !trade.dead {
			left = append(left, trade)
		}
	}
	slices.SortFunc(left, func(a, b *tapeTrade) int { return cmp.Or(cmp.Compare(a.date, b.date), cmp.Compare(a.place, b.place)) })
	return left
}

// eachRow reads a gzipped CSV file with a header.
func eachRow(t *testing.T, path string, visit func(get func(string) string)) {
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
	rows := csv.NewReader(unzipped)
	header, err := rows.Read()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range header {
		column[name] = i
	}
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		visit(func(name string) string {
			i, ok := column[name]
			if !ok {
				t.Fatalf("%s has no column %s", path, name)
			}
			return strings.Clone(row[i])
		})
	}
}

// tapeUnsettled sums the exchange trades that settle after a day, by symbol and currency.
func tapeUnsettled(book []*tapeTrade, day int) map[string]decimal.Decimal {
	sums := map[string]decimal.Decimal{}
	for _, trade := range book {
		if trade.exchange && tapeSettlement[trade.date] > day {
			sums[trade.symbol] = sums[trade.symbol].Add(trade.quantity)
			sums["USD"] = sums["USD"].Add(trade.cash)
		}
	}
	return sums
}

// tapeLine is what an account has of a symbol at average cost, worked out without the ledger: fractions, rounded where bookkeeping says so.
type tapeLine struct{ quantity, cost, realised *big.Rat }

func (l *tapeLine) fill(q, price *big.Rat) {
	if l.quantity.Sign()*q.Sign() < 0 { // closes: as much as is there, or as comes
		part := new(big.Rat).Neg(q)
		released := new(big.Rat).Set(l.cost)
		if new(big.Rat).Abs(part).Cmp(new(big.Rat).Abs(l.quantity)) < 0 {
			released = roundTen(new(big.Rat).Quo(new(big.Rat).Mul(l.cost, part), l.quantity))
		} else {
			part.Set(l.quantity)
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

// roundTen rounds to 10 digits, half to even.
func roundTen(r *big.Rat) *big.Rat {
	scaled := new(big.Rat).Mul(r, new(big.Rat).SetInt64(10_000_000_000))
	whole, rest := new(big.Int).QuoRem(new(big.Int).Abs(scaled.Num()), scaled.Denom(), new(big.Int))
	switch c := new(big.Int).Lsh(rest, 1).Cmp(scaled.Denom()); {
	case c > 0, c == 0 && whole.Bit(0) == 1:
		whole.Add(whole, big.NewInt(1))
	}
	if r.Sign() < 0 {
		whole.Neg(whole)
	}
	return new(big.Rat).SetFrac(whole, big.NewInt(10_000_000_000))
}

// tapeCost gives quantity, cost, average cost and realised profit by account and symbol, as text of ten digits.
func tapeCost(book []*tapeTrade) map[string]string {
	lines := map[string]*tapeLine{}
	line := func(account, symbol string) *tapeLine {
		l := lines[account+","+symbol]
		if l == nil {
			l = &tapeLine{new(big.Rat), new(big.Rat), new(big.Rat)}
			lines[account+","+symbol] = l
		}
		return l
	}
	for _, trade := range book {
		q, price := trade.quantity.Rat(), trade.price.Rat()
		line(trade.account, trade.symbol).fill(q, price)
		if trade.target != "" {
			line(trade.target, trade.symbol).fill(new(big.Rat).Neg(q), price)
		}
	}
	texts := map[string]string{}
	for key, l := range lines {
		average := new(big.Rat)
		if l.quantity.Sign() != 0 {
			average = roundTen(new(big.Rat).Quo(l.cost, l.quantity))
		}
		texts[key] = costText(l.quantity, l.cost, average, l.realised)
	}
	return texts
}

func costText(quantity, cost, average, realised *big.Rat) string {
	return fmt.Sprintf("%s at %s, average %s, realised %s", quantity.FloatString(10), cost.FloatString(10), average.FloatString(10), realised.FloatString(10))
}
