package main

import (
	"encoding/csv"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// awaitProjections waits until all read models have everything.
func awaitProjections(t *testing.T, c *client.Client) {
	t.Helper()
	await(t, 5*time.Minute, "all projections are at the head", func() bool {
		s, err := c.Admin.Status(t.Context(), connect.NewRequest(&bkv1.StatusRequest{}))
		return err == nil && !slices.ContainsFunc(s.Msg.Projections, func(p *bkv1.ProjectionStatus) bool { return p.Lag > 0 })
	})
}

// accountHoldings gives what an account has, by symbol: unsettled and settled.
func accountHoldings(t *testing.T, c *client.Client, code string) (unsettled, settled map[string]decimal.Decimal) {
	t.Helper()
	unsettled, settled = map[string]decimal.Decimal{}, map[string]decimal.Decimal{}
	res, err := c.Query.ListBalances(t.Context(), connect.NewRequest(&bkv1.ListBalancesRequest{Account: &bkv1.AccountRef{Code: code}}))
	if err != nil {
		t.Fatalf("balances of %s: %s", code, client.Describe(err))
	}
	for _, b := range res.Msg.Balances {
		unsettled[b.Symbol], settled[b.Symbol] = decimal.RequireFromString(b.Unsettled), decimal.RequireFromString(b.Settled)
	}
	return unsettled, settled
}

// rollTape rolls booked days of the tape to 16 October, day by day, and holds the street against what the files leave unsettled on each; at the end
// all is settled and delivered. Rolling again changes nothing.
func rollTape(t *testing.T, c *client.Client, run func(args ...string) string, book []*tapeTrade) {
	t.Helper()
	for day := 20131007; day <= 20131016; day++ {
		out := run("roll", "--quiet", "--to", fmt.Sprint(day))
		t.Log(strings.TrimSpace(out))
		awaitProjections(t, c)
		got, _ := accountHoldings(t, c, "street:cns")
		want := tapeUnsettled(book, day)
		for symbol := range got {
			if sum := got[symbol].Add(want[symbol]); !sum.IsZero() {
				t.Errorf("%d: street:cns has %s %s, the exchange trades that are not settled come to %s", day, got[symbol], symbol, want[symbol])
			}
		}
	}
	owners := map[string]decimal.Decimal{}
	eachBalance(t, c, func(b *bkv1.Balance) {
		if u := decimal.RequireFromString(b.Unsettled); !u.IsZero() {
			t.Errorf("%s has %s %s unsettled", b.AccountCode, b.Unsettled, b.Symbol)
		}
		switch kind, _, _ := strings.Cut(b.AccountCode, ":"); {
		case kind == "street" && b.TradeDate != "0":
			t.Errorf("%s has %s %s", b.AccountCode, b.TradeDate, b.Symbol)
		case kind != "street" && kind != "location":
			owners[b.Symbol] = owners[b.Symbol].Add(decimal.RequireFromString(b.TradeDate))
		}
	})
	_, dtc := accountHoldings(t, c, "location:dtc")
	_, bank := accountHoldings(t, c, "location:bank")
	for symbol, sum := range owners {
		if located := dtc[symbol].Add(bank[symbol]); !located.Add(sum).IsZero() {
			t.Errorf("owners have %s %s, at the depository and the bank are %s", sum, symbol, located)
		}
	}
	for _, state := range []string{"new", "open"} {
		if left := run("trades", "--state", state, "-o", "csv"); strings.Count(left, "\n") != 1 {
			t.Errorf("%s trades are left: %.300s", state, left)
		}
	}
	cuts := run("cuts", "-o", "csv")
	if out := run("roll", "--quiet", "--to", "20131016"); !strings.Contains(out, "already") {
		t.Errorf("rolling again: %s", out)
	}
	if again := run("cuts", "-o", "csv"); again != cuts || strings.Count(cuts, "\n") != 11 {
		t.Errorf("cuts after rolling again:\n%s, before:\n%s", again, cuts)
	}
}

// compareCost holds cost, average cost and realised profit of every position against what the files alone come to, exactly.
func compareCost(t *testing.T, run func(args ...string) string, book []*tapeTrade) {
	t.Helper()
	want := tapeCost(book)
	rows, err := csv.NewReader(strings.NewReader(run("positions", "--full", "--closed", "-o", "csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	compared, realised := 0, 0
	for _, row := range rows[1:] {
		number := func(name string) *big.Rat { return decimal.RequireFromString(row[column[name]]).Rat() }
		key := row[column["account_id"]] + "," + row[column["symbol"]]
		got := costText(number("trade_date_quantity"), number("cost"), number("average_cost"), number("realised"))
		if got != want[key] && (want[key] != "" || got != costText(new(big.Rat), new(big.Rat), new(big.Rat), new(big.Rat))) {
			t.Errorf("%s: %s, want %s", key, got, want[key])
		}
		if number("realised").Sign() != 0 {
			realised++
		}
		delete(want, key)
		compared++
	}
	if len(want) != 0 || compared < 1000 || realised < 1000 {
		t.Errorf("%d positions, %d with a profit or loss; %d are missing", compared, realised, len(want))
	}
	t.Logf("cost and profit of %d positions, %d of them with a profit or loss", compared, realised)
}

// eachBalance visits all balances.
func eachBalance(t *testing.T, c *client.Client, visit func(*bkv1.Balance)) {
	t.Helper()
	size := int32(1000)
	for page := ""; ; {
		res, err := c.Query.ListBalances(t.Context(), connect.NewRequest(&bkv1.ListBalancesRequest{PageSize: &size, PageToken: page}))
		if err != nil {
			t.Fatal(client.Describe(err))
		}
		for _, b := range res.Msg.Balances {
			visit(b)
		}
		if page = res.Msg.NextPageToken; page == "" {
			return
		}
	}
}
