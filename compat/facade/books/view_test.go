package books_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/facade/books"
)

// lines are rows as text, one for each.
func lines[T any](t testing.TB, rows []T, err error, text func(T) string) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, row := range rows {
		all = append(all, text(row))
	}
	return strings.Join(all, "\n")
}

func same(t testing.TB, what, got string, want ...string) {
	t.Helper()
	if joined := strings.Join(want, "\n"); got != joined {
		t.Errorf("%s:\n%s\nwant:\n%s", what, got, joined)
	}
}

func rowText(r bank.JournalRow) string {
	trade := "-"
	if r.TradeID != nil {
		trade = r.TradeID.String()
	}
	return fmt.Sprintf("%d %s %s %s %s %s %s %s %s", r.Date, trade, r.Symbol, r.Currency, r.Memo, r.TDQuantity, r.TDAmount, r.SDQuantity, r.SDAmount)
}

func tradeText(a bank.AccountTrade) string {
	running := "null"
	if a.RunningPosition != nil {
		running = a.RunningPosition.String()
	}
	return fmt.Sprintf("%d %d %d %q %s %s %s %s %s", a.TradeID, a.AccountID, a.CreatedAt, a.OrderID, a.Symbol, a.Side, a.Quantity, a.Price, running)
}

func balanceText(b bank.Balance) string {
	return fmt.Sprintf("%s %s %s %s %s", b.Currency, b.TradeCash, b.SettledCash, b.UnsettledDebits, b.UnsettledCredits)
}

func positionText(p bank.Position) string {
	return fmt.Sprintf("%s %s %s", p.Symbol, p.Quantity, p.SettledQuantity)
}

// TestLife takes trades through their life and looks at all views of them.
func TestLife(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	today := front.TradeFilter{}
	rows, err := w.AccountTrades(ctx, 100018, today, 0, 10)
	same(t, "before the first day", lines(t, rows, err, tradeText))
	early := w.book(w.trade(`"date":20131003,"quantity":"10","fees":{"commission":"1"}`))[0]
	w.roll(20131004)
	buy := w.book(w.trade(`"date":20131004,"quantity":"100","price":"10.50","order_id":"O"`))[0]
	give := w.book(w.trade(`"date":20131004,"type":"allocation_trade","target_account_id":100019,"side":{"direction":"sell"},"quantity":"40","price":"10","interest":{"accrued":"2"},"fees":{"commission":"3"}`))[0]
	short := w.book(w.trade(`"date":20131004,"side":{"direction":"sell","qualifier":"short"},"quantity":"200","price":"11","instrument":{"identifier":"2005973","identifier_type":"sedol"}`))[0]
	tomorrow := w.book(w.trade(`"date":20131007,"quantity":"5"`))[0]
	gone := w.book(w.trade(`"date":20131004,"quantity":"1"`))[0]
	if err := w.CancelTrade(ctx, bank.TradeRef{TradeID: gone}); err != nil {
		t.Fatal(err)
	}
	cash, err := w.MoveCash(ctx, bank.Cash{ClientID: "C1", AccountID: 100018, Currency: "EUR", Amount: dec("7"), Kind: bank.Deposit})
	if err != nil || cash <= 2000 {
		t.Errorf("cash %d, %v", cash, err)
	}
	if _, err := w.MoveCash(ctx, bank.Cash{ClientID: "C2", AccountID: 100018, Currency: "EUR", Amount: dec("2"), Kind: bank.CashJournal, TargetAccountID: 100019}); err != nil {
		t.Error(err)
	}

	rows, err = w.AccountTrades(ctx, 100018, today, 0, 10)
	const at = "1381132800464"
	same(t, "trades of the day", lines(t, rows, err, tradeText),
		fmt.Sprintf(`%d 100018 %s "O" IBM buy 100 10.5 110`, buy, at), fmt.Sprintf(`%d 100018 %s "" IBM sell 40 10 70`, give, at),
		fmt.Sprintf(`%d 100018 %s "" 2005973 sell-short 200 11 -200`, short, at))
	rows, err = w.AccountTrades(ctx, 100019, today, 0, 10)
	same(t, "trades of the other account", lines(t, rows, err, tradeText), fmt.Sprintf(`%d 100019 %s "" IBM buy 40 10 40`, give, at))
	for state, want := range map[string]string{
		bank.StateCanceled: fmt.Sprintf(`%d 100018 %s "" IBM buy 1 10 71`, gone, at), bank.StateSettled: "", bank.StateNew: "",
	} {
		rows, err = w.AccountTrades(ctx, 100018, front.TradeFilter{State: state}, 0, 10)
		same(t, state, lines(t, rows, err, tradeText), want)
	}
	rows, err = w.AccountTrades(ctx, 100018, front.TradeFilter{Date: 20131007}, 0, 10)
	same(t, "tomorrow's", lines(t, rows, err, tradeText), fmt.Sprintf(`%d 100018 %s "" IBM buy 5 10 null`, tomorrow, at))
	one, err := w.AccountTrade(ctx, 100019, give)
	same(t, "one of them", lines(t, []bank.AccountTrade{one}, err, tradeText), fmt.Sprintf(`%d 100019 %s "" IBM buy 40 10 40`, give, at))
	_, err = w.AccountTrade(ctx, 100019, buy)
	refused(t, "another account's", err, bank.TradeNotFound)

	positions, err := w.Positions(ctx, 100018, false, "", 10)
	same(t, "positions", lines(t, positions, err, positionText), "2005973 -200 0", "IBM 70 0")
	positions, err = w.Positions(ctx, 100018, false, "2005973", 10)
	same(t, "positions behind", lines(t, positions, err, positionText), "IBM 70 0")
	balances, err := w.Balances(ctx, 100018)
	// early -101, buy -1050, give +399, short 2200 - .04 - .03
	same(t, "balances", lines(t, balances, err, balanceText), "EUR 5 5 0 0", "USD 1447.93 0 1151 2598.93")
	journal, err := w.JournalRows(ctx, 100018, 0, 100)
	want := []string{
		fmt.Sprintf("0 %d IBM USD open 10 -100 0 0", early), fmt.Sprintf("0 %d IBM USD commission 0 -1 0 0", early),
		fmt.Sprintf("20131004 %d IBM USD open 100 -1050 0 0", buy),
		fmt.Sprintf("20131004 %d IBM USD open -40 402 0 0", give), fmt.Sprintf("20131004 %d IBM USD commission 0 -3 0 0", give),
		fmt.Sprintf("20131004 %d 2005973 USD open -200 2200 0 0", short), fmt.Sprintf("20131004 %d 2005973 USD sec_fee 0 -0.04 0 0", short),
		fmt.Sprintf("20131004 %d 2005973 USD taf 0 -0.03 0 0", short),
		fmt.Sprintf("20131004 %d IBM USD open 1 -10 0 0", gone), fmt.Sprintf("20131004 %d IBM USD cancel -1 10 0 0", gone),
		"20131004 -  EUR deposit 0 7 0 7", "20131004 -  EUR journal 0 -2 0 -2",
	}
	same(t, "journal", lines(t, journal, err, rowText), want...)

	w.roll(20131009)
	positions, err = w.Positions(ctx, 100018, true, "", 10)
	same(t, "positions later", lines(t, positions, err, positionText), "2005973 -200 -200", "IBM 75 70")
	journal, err = w.JournalRows(ctx, 100018, 0, 100)
	want = append(want, // the days in turn: on 20131007 one opens, on 20131008 that of 20131003 settles, on 20131009 the others
		fmt.Sprintf("20131007 %d IBM USD open 5 -50 0 0", tomorrow),
		fmt.Sprintf("20131008 %d IBM USD settle 0 0 10 -100", early), fmt.Sprintf("20131008 %d IBM USD commission_settle 0 0 0 -1", early),
		fmt.Sprintf("20131009 %d IBM USD settle 0 0 100 -1050", buy),
		fmt.Sprintf("20131009 %d IBM USD settle 0 0 -40 402", give), fmt.Sprintf("20131009 %d IBM USD commission_settle 0 0 0 -3", give),
		fmt.Sprintf("20131009 %d 2005973 USD settle 0 0 -200 2200", short), fmt.Sprintf("20131009 %d 2005973 USD sec_fee_settle 0 0 0 -0.04", short),
		fmt.Sprintf("20131009 %d 2005973 USD taf_settle 0 0 0 -0.03", short),
	)
	same(t, "journal later", lines(t, journal, err, rowText), want...)
	for i, row := range journal {
		if i > 0 && row.JournalID <= journal[i-1].JournalID {
			t.Errorf("journal ids %d, %d", journal[i-1].JournalID, row.JournalID)
		}
	}
	balances, err = w.Balances(ctx, 100018)
	same(t, "balances later", lines(t, balances, err, balanceText), "EUR 5 5 0 0", "USD 1397.93 1447.93 50 0")
	date, err := w.BusinessDate(ctx)
	if err != nil || date != 20131009 {
		t.Errorf("business date %d, %v", date, err)
	}
}

// TestDays: the business date moves forward only, and early business dates are none.
func TestDays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if date, err := w.BusinessDate(t.Context()); err != nil || date != 0 {
		t.Errorf("business date %d, %v", date, err)
	}
	w.roll(20131007)
	w.roll(20131007)
	refused(t, "back", w.Roll(t.Context(), 20131004), bank.MalformedRequest)
	refused(t, "no day", w.Roll(t.Context(), 20131131), bank.MalformedRequest)
}

// TestPages walks through lists page by page while more is booked, on changing replicas.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, second := w.replica(books.Config{})
	w.roll(20131007)
	var trades []bank.Trade
	for n := range 57 {
		trades = append(trades, w.trade(fmt.Sprintf(`"instrument":{"identifier":"S%02d","identifier_type":"ticker","country":"USA","currency":"USD"},"fees":{"commission":"1"}`, n%30)))
	}
	ids := w.book(trades...)
	for _, size := range []int{1, 7, 19, 57} {
		ledgers := []*books.Ledger{w.Ledger, second}
		page := func() *books.Ledger {
			w.book(w.trade(`"account_id":100019`), w.trade(""))
			ledgers[0], ledgers[1] = ledgers[1], ledgers[0]
			return ledgers[0]
		}
		var found []string
		for after := bank.ID(0); len(found) < len(ids); {
			rows, err := page().AccountTrades(t.Context(), 100018, front.TradeFilter{}, after, size+1)
			if err != nil || len(rows) != size+1 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for _, row := range rows[:size] {
				found = append(found, row.TradeID.String())
				after = row.TradeID
			}
		}
		for i, id := range ids {
			if found[i] != id.String() {
				t.Fatalf("pages of %d: trade %d is %s, want %d", size, i, found[i], id)
			}
		}
		seen := 0
		for after := bank.ID(0); seen < 2*len(ids); {
			rows, err := page().JournalRows(t.Context(), 100018, after, size+1)
			if err != nil || len(rows) != size+1 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for _, row := range rows[:size] {
				if seen < 2*len(ids) && (*row.TradeID != ids[seen/2] || (row.Memo == "open") != (seen%2 == 0)) {
					t.Fatalf("pages of %d: row %d is %s", size, seen, rowText(row))
				}
				after = row.JournalID
				seen++
			}
		}
	}
	symbol := ""
	for n := range 30 {
		rows, err := w.Positions(t.Context(), 100018, false, symbol, 1)
		if err != nil || len(rows) != 1 || n > 0 && rows[0].Symbol != fmt.Sprintf("S%02d", n-1) || n == 0 && rows[0].Symbol != "IBM" {
			t.Fatalf("position %d: %+v, %v", n, rows, err)
		}
		symbol = rows[0].Symbol
	}
}

// TestUnknownAccounts: every view of an account that isn't there says so.
func TestUnknownAccounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, id := range []bank.ID{0, 77, 1 << 41, 1 << 62} { // 1 << 40 and above are the ledger's own
		_, err1 := w.Account(t.Context(), id)
		_, err2 := w.AccountTrades(t.Context(), id, front.TradeFilter{}, 0, 1)
		_, err3 := w.AccountTrade(t.Context(), id, 1)
		_, err4 := w.Positions(t.Context(), id, false, "", 1)
		_, err5 := w.Position(t.Context(), id, "IBM", false)
		_, err6 := w.Balances(t.Context(), id)
		_, err7 := w.JournalRows(t.Context(), id, 0, 1)
		for i, err := range []error{err1, err2, err3, err4, err5, err6, err7} {
			refused(t, fmt.Sprintf("%d: view %d", id, i+1), err, bank.AccountNotFound)
		}
	}
	_, err := w.Position(t.Context(), 100018, "NONE", true)
	refused(t, "no such symbol", err, bank.PositionNotFound)
}

// TestFree: a currency is shown once a trade opened that brought none of it.
func TestFree(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.roll(20131007)
	show := func(account bank.ID, want ...string) {
		t.Helper()
		rows, err := w.Balances(t.Context(), account)
		same(t, account.String(), lines(t, rows, err, balanceText), want...)
	}
	w.book(w.trade(`"type":"transfer_trade","target_account_id":100019,"price":"0","date":20131008`))
	show(100018)
	show(100019)
	w.roll(20131008)
	show(100018, "USD 0 0 0 0")
	show(100019, "USD 0 0 0 0")
	w.book(w.trade(`"account_id":100020,"side":{"direction":"sell"},"quantity":"1","price":"1","fees":{"commission":"0.98"}`)) // 1 - .98 - .01 - .01
	show(100020, "USD 0 0 0 0")
	w.book(w.trade(`"account_id":100021,"price":"0","settlement":{"currency":"EUR"},"fees":{"commission":"1"}`))
	show(100021, "EUR -1 0 1 0")
}
