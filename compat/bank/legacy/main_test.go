package legacy_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// books are a Bank under test.
type books struct {
	*legacy.Bank
	dsn  string
	pool *pgxpool.Pool
}

// open gives a Bank on a database of its own, with accounts 1 to 9 in entity 1. At the end of the test its tables must fit.
func open(t testing.TB) *books {
	t.Helper()
	dsn := pgtest.New(t)
	if err := legacy.Migrate(t.Context(), dsn, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	b := reopen(t, dsn)
	if _, err := b.CreateEntity(t.Context(), bank.Entity{EntityID: 1, ClientCode: "C1", LegalName: "One"}); err != nil {
		t.Fatal(err)
	}
	b.accounts(t, 1, 9)
	t.Cleanup(func() {
		if err := legacy.Check(context.Background(), b.pool); err != nil {
			t.Error(err)
		}
	})
	return b
}

// reopen gives another Bank on the same database.
func reopen(t testing.TB, dsn string) *books {
	t.Helper()
	b, err := legacy.Open(t.Context(), legacy.Config{DSN: dsn, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	pool, err := pgxpool.New(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &books{b, dsn, pool}
}

func (b *books) accounts(t testing.TB, from, to bank.ID) {
	t.Helper()
	for id := from; id <= to; id++ {
		if _, err := b.CreateAccount(t.Context(), bank.NewAccount{AccountID: id, EntityID: 1, Name: fmt.Sprint("A", id)}); err != nil {
			t.Fatal(err)
		}
	}
}

// parse reads a trade as a client sends it, with defaults for what a test does not care about.
func parse(t testing.TB, text string) bank.Trade {
	t.Helper()
	trade, err := bank.ReadTrade([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return trade
}

// exchange is an exchange trade; more are further fields.
func exchange(t testing.TB, client string, account int, direction, quantity, price string, date int, more string) bank.Trade {
	t.Helper()
	return parse(t, fmt.Sprintf(`{"type":"exchange_trade","timestamp":1381132800464,"client_trade_id":%q,"date":%d,"account_id":%d,"quantity":%q,"price":%q,
		"instrument":{"identifier":"XYZ","identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":%q},
		"capacity":"agency","mic":"ARCX","exec_mpid":"CLST"%s}`, client, date, account, quantity, price, direction, more))
}

// book books trades in one call.
func (b *books) book(t testing.TB, trades ...bank.Trade) []bank.ID {
	t.Helper()
	booked, err := b.BookTrades(t.Context(), trades)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]bank.ID, len(booked))
	for i := range booked {
		ids[i] = booked[i].TradeID
	}
	return ids
}

func (b *books) roll(t testing.TB, to bank.Date) {
	t.Helper()
	if err := b.Roll(t.Context(), to); err != nil {
		t.Fatal(err)
	}
}

// state gives a trade's state.
func (b *books) trade(t testing.TB, id bank.ID) bank.StoredTrade {
	t.Helper()
	trade, err := b.Trade(t.Context(), bank.TradeRef{TradeID: id})
	if err != nil {
		t.Fatal(err)
	}
	return trade
}

// holds gives a position as "quantity/settled" and the balance as "traded settled debits credits" of an account.
func (b *books) holds(t testing.TB, account bank.ID, symbol string) (position, balance string) {
	t.Helper()
	p, err := b.Position(t.Context(), account, symbol, true)
	if err != nil && bank.TypeOf(err) != bank.PositionNotFound {
		t.Fatal(err)
	}
	position = "none"
	if err == nil {
		position = p.Quantity.String() + "/" + p.SettledQuantity.String()
	}
	balances, err := b.Balances(t.Context(), account)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range balances {
		balance += fmt.Sprintf("%s %s %s -%s +%s;", x.Currency, x.TradeCash, x.SettledCash, x.UnsettledDebits, x.UnsettledCredits)
	}
	return position, balance
}

// journal gives an account's rows as text.
func (b *books) journal(t testing.TB, account bank.ID) (lines []string) {
	t.Helper()
	rows, err := b.JournalRows(t.Context(), account, 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		lines = append(lines, fmt.Sprintf("%d %s td %s %s sd %s %s", r.Date, r.Memo, r.TDQuantity, r.TDAmount, r.SDQuantity, r.SDAmount))
	}
	return lines
}
