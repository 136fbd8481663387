package books

import (
	"context"
	"fmt"

	"github.com/bkledger/bk/compat/parity/dialect"
)

// compareSums holds what journals add up to against each other, against BK's cuts, and against positions and balances; and these against each other.
func (c *comparer) compareSums(ctx context.Context) error {
	sums := func(of, symbol, currency, kind, where string) string {
		return "SELECT side_of, account_id, " + symbol + " AS symbol, " + currency + " AS currency, business_date, " + c.d.Sum("td_"+kind) + " AS traded, " + c.d.Sum("sd_"+kind) + " AS settled FROM " + of +
			" WHERE " + where + " GROUP BY side_of, account_id, " + symbol + ", " + currency + ", business_date"
	}
	movements := func(of string) string {
		return sums(of, "symbol", "''", "quantity", "symbol <> ''") + " UNION ALL " + sums(of, "''", "currency", "amount", "currency <> ''")
	}
	late := "(SELECT r.side_of, r.account_id, r.symbol, r.currency, d.business_date, r.td_quantity, r.sd_quantity, r.td_amount, r.sd_amount FROM books_rows r JOIN " + dayTable +
		" d ON r.business_date <= d.business_date AND (r.sequence > d.end_sequence OR r.effective_date > d.business_date) WHERE r.side_of = " + c.d.Literal(sideBK) + ") late"
	for name, query := range map[string]string{
		"books_movements": movements("books_rows"),
		"books_late":      movements(late), // by a day's end, what counts later or was booked behind it
		"books_prices":    "SELECT symbol, " + c.d.MinBy("price", "-trade_id") + " AS price FROM " + tradeTable + " WHERE " + c.of(sideBK) + " AND trade_id IS NOT NULL AND price <> 0 GROUP BY symbol",
	} {
		if err := c.exec(ctx, "add up journals", c.d.CreateAs(name, query)); err != nil {
			return err
		}
	}
	for _, part := range []func(context.Context) error{c.compareDays, c.compareCuts, c.comparePositions, c.compareBalances, c.compareSelf} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// worth gives what a difference is in money: that of cash itself, of a security at the price of its last trade.
func (c *comparer) worth(difference string) string {
	const most = "1e27" // what the type holds
	return "CASE WHEN symbol = '' THEN " + difference + " ELSE " +
		c.d.Cast("LEAST("+most+", CAST("+difference+" AS DOUBLE) * CAST(COALESCE((SELECT MAX(price) FROM books_prices WHERE books_prices.symbol = pairs.symbol), 0) AS DOUBLE))", dialect.Decimal) + " END"
}

// matched pairs two tables of (account_id, symbol, currency, traded, settled), and business_date if they have days.
func (c *comparer) matched(b, k string, byDay bool) string {
	day, on := "99999999 AS business_date", ""
	if byDay {
		day, on = "COALESCE(b.business_date, k.business_date) AS business_date", " AND k.business_date = b.business_date"
	}
	return "(SELECT COALESCE(b.account_id, k.account_id) AS account_id, COALESCE(b.symbol, k.symbol) AS symbol, COALESCE(b.currency, k.currency) AS currency, " + day +
		", COALESCE(b.traded, 0) AS b_traded, COALESCE(k.traded, 0) AS k_traded, COALESCE(b.settled, 0) AS b_settled, COALESCE(k.settled, 0) AS k_settled FROM (" + b + ") b FULL OUTER JOIN (" + k +
		") k ON k.account_id = b.account_id AND k.symbol = b.symbol AND k.currency = b.currency" + on + ") pairs"
}

// unequal finds pairs that differ.
func (c *comparer) unequal(ctx context.Context, what string, f finding, pairs string) error {
	if err := c.count(ctx, what, pairs); err != nil {
		return err
	}
	shown := func(of string) string {
		return c.shown(of+"_traded", dialect.Decimal) + " || ', settled ' || " + c.shown(of+"_settled", dialect.Decimal)
	}
	f.account, f.symbol, f.currency, f.date, f.bank, f.bk = "account_id", "symbol", "currency", "business_date", shown("b"), shown("k")
	f.what += " || symbol || currency"
	if f.level < levelPosition {
		f.what += " || ', ' || " + c.shown("business_date", dialect.Integer)
	}
	f.money = c.worth("GREATEST(ABS(b_traded - k_traded), ABS(b_settled - k_settled))")
	return c.find(ctx, f, pairs+" WHERE b_traded <> k_traded OR b_settled <> k_settled")
}

func (c *comparer) movementsOf(side string) string {
	return "SELECT account_id, symbol, currency, business_date, traded, settled FROM books_movements WHERE side_of = " + c.d.Literal(side)
}

func (c *comparer) compareDays(ctx context.Context) error {
	return c.unequal(ctx, "sums of days", finding{level: levelDay, kind: WrongDay, what: "'sum of the day in '"}, c.matched(c.movementsOf(sideBank), c.movementsOf(sideBK), true))
}

func (c *comparer) compareCuts(ctx context.Context) error {
	const columns = "account_id, symbol, currency, business_date"
	up := "SELECT m.account_id, m.symbol, m.currency, d.business_date, m.traded, m.settled FROM (" + c.movementsOf(sideBank) + ") m JOIN " + dayTable + " d ON m.business_date <= d.business_date"
	less := "SELECT " + columns + ", -traded AS traded, -settled AS settled FROM books_late"
	bank := "SELECT " + columns + ", " + c.d.Sum("traded") + " AS traded, " + c.d.Sum("settled") + " AS settled FROM (" + up + " UNION ALL " + less + ") by_then GROUP BY " + columns
	bk := "SELECT account_id, symbol, currency, business_date, traded, settled FROM " + cutTable + " WHERE " + c.scope
	return c.unequal(ctx, "holdings in cuts", finding{level: levelCut, kind: WrongCut, what: "'end of the day in '"}, c.matched(bank, bk, true))
}

func (c *comparer) positionsOf(side string) string {
	return "SELECT account_id, symbol, '' AS currency, quantity AS traded, settled_quantity AS settled FROM " + positionTable + " WHERE " + c.of(side) + " AND " + c.scope
}

func (c *comparer) cashOf(side string) string {
	return "SELECT account_id, '' AS symbol, currency, trade_cash AS traded, settled_cash AS settled FROM " + balanceTable + " WHERE " + c.of(side) + " AND " + c.scope
}

func (c *comparer) comparePositions(ctx context.Context) error {
	return c.unequal(ctx, "positions", finding{level: levelPosition, kind: WrongPosition, what: "'position '"}, c.matched(c.positionsOf(sideBank), c.positionsOf(sideBK), false))
}

func (c *comparer) compareBalances(ctx context.Context) error {
	fields := []string{"settled_cash", "unsettled_debits", "unsettled_credits", "trade_cash"}
	columns := "COALESCE(b.account_id, k.account_id) AS account_id, COALESCE(b.currency, k.currency) AS currency"
	for _, f := range fields {
		columns += ", COALESCE(b." + f + ", 0) AS b_" + f + ", COALESCE(k." + f + ", 0) AS k_" + f
	}
	side := func(of string) string {
		return "(SELECT * FROM " + balanceTable + " WHERE " + c.of(of) + " AND " + c.scope + ")"
	}
	pairs := "(SELECT " + columns + " FROM " + side(sideBank) + " b FULL OUTER JOIN " + side(sideBK) + " k ON k.account_id = b.account_id AND k.currency = b.currency) pairs"
	if err := c.count(ctx, "balances", pairs); err != nil {
		return err
	}
	for i, name := range fields {
		err := c.find(ctx, finding{
			level: levelBalance + i, kind: WrongBalance + name, account: "account_id", currency: "currency", date: fmt.Sprint(never), what: "'balance ' || currency",
			bank: c.shown("b_"+name, dialect.Decimal), bk: c.shown("k_"+name, dialect.Decimal), money: "ABS(b_" + name + " - k_" + name + ")",
		}, pairs+" WHERE b_"+name+" <> k_"+name)
		if err != nil {
			return err
		}
	}
	return nil
}

// compareSelf holds each side's positions and balances against its own journal. Bank's value is what is said, BK's what the journal adds up to, whichever side it is.
func (c *comparer) compareSelf(ctx context.Context) error {
	for _, side := range []string{sideBank, sideBK} {
		said := c.positionsOf(side) + " UNION ALL " + c.cashOf(side)
		added := "SELECT account_id, symbol, currency, " + c.d.Sum("traded") + " AS traded, " + c.d.Sum("settled") + " AS settled FROM books_movements WHERE side_of = " + c.d.Literal(side) +
			" GROUP BY account_id, symbol, currency"
		name := map[string]string{sideBank: "Bank", sideBK: "BK"}[side]
		f := finding{level: levelSelf, kind: Contradiction, what: c.d.Literal(name + " says (left) and its journal adds up to (right), ")}
		if err := c.unequal(ctx, name+"'s holdings against its journal", f, c.matched(said, added, false)); err != nil {
			return err
		}
	}
	return nil
}
