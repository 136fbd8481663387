package books

import (
	"context"
	"fmt"
	"strings"

	"github.com/bkledger/bk/compat/parity/dialect"
)

// fieldsOfRows are compared one by one.
var fieldsOfRows = []dialect.Column{
	text("symbol"), text("currency"), integer("business_date"), decimals("td_quantity"), decimals("td_amount"), decimals("sd_quantity"), decimals("sd_amount"),
}

// compareRows holds the journals against each other.
func (c *comparer) compareRows(ctx context.Context) error {
	// A row is named by account, trade or cash movement, memo, and how many such rows there were before.
	chain := "CASE WHEN COALESCE(j.trade_id, b.trade_id) IS NOT NULL THEN 't' || " + c.shown("COALESCE(j.trade_id, b.trade_id)", dialect.Long) +
		" WHEN j.entry_id IS NOT NULL THEN 'e' || " + c.shown("j.entry_id", dialect.Long) +
		" WHEN j.cash_id IS NOT NULL THEN 'c' || " + c.shown("j.cash_id", dialect.Long) + " ELSE 'x' END"
	rows := "SELECT j." + c.d.Quote("side") + " AS side_of, j.account_id, j.row_id, j.business_date, COALESCE(j.trade_id, b.trade_id) AS trade_id, j.symbol, j.currency, j.memo, " +
		"j.td_quantity, j.td_amount, j.sd_quantity, j.sd_amount, j.sequence, j.effective_date, " + chain + " AS chain FROM " + journalTable + " j LEFT JOIN " + bookingTable + " b ON b.entry_id = j.entry_id WHERE j." + c.scope
	err := c.exec(ctx, "name journal rows", c.d.CreateAs("books_rows", "SELECT *, ROW_NUMBER() OVER (PARTITION BY side_of, account_id, chain, memo ORDER BY row_id) AS n FROM ("+rows+") named"))
	if err != nil {
		return err
	}
	columns, differ := []string{"COALESCE(b.account_id, k.account_id) AS account_id", "COALESCE(b.trade_id, k.trade_id) AS trade_id", "COALESCE(b.chain, k.chain) AS chain",
		"COALESCE(b.memo, k.memo) AS memo", "COALESCE(b.n, k.n) AS n", "b.row_id AS b_row", "k.row_id AS k_row"}, []string{"b.row_id IS NULL", "k.row_id IS NULL"}
	for _, f := range fieldsOfRows {
		columns = append(columns, "b."+f.Name+" AS b_"+f.Name, "k."+f.Name+" AS k_"+f.Name)
		differ = append(differ, "b."+f.Name+" <> k."+f.Name)
	}
	side := func(of string) string { return "(SELECT * FROM books_rows WHERE side_of = " + c.d.Literal(of) + ")" }
	pairs := side(sideBank) + " b FULL OUTER JOIN " + side(sideBK) + " k ON k.account_id = b.account_id AND k.chain = b.chain AND k.memo = b.memo AND k.n = b.n"
	if err := c.count(ctx, "journal rows", pairs); err != nil {
		return err
	}
	err = c.exec(ctx, "match journal rows", c.d.CreateAs("books_differing_rows", "SELECT "+strings.Join(columns, ", ")+" FROM "+pairs+" WHERE "+strings.Join(differ, " OR ")))
	if err != nil {
		return err
	}
	about := "CASE WHEN trade_id IS NOT NULL THEN 'trade ' || " + c.shown("trade_id", dialect.Long) + " WHEN chain LIKE 'c%' THEN 'cash movement ' || SUBSTR(chain, 2) WHEN chain LIKE 'e%' THEN 'BK''s trade ' || SUBSTR(chain, 2) ELSE 'no trade' END"
	f := finding{
		account: "account_id", trade: "trade_id", symbol: "COALESCE(b_symbol, k_symbol)", currency: "COALESCE(b_currency, k_currency)", date: "COALESCE(b_business_date, k_business_date)",
		what:  "'journal row ' || memo || ' of ' || " + about + " || CASE WHEN n > 1 THEN ', number ' || " + c.shown("n", dialect.Long) + " ELSE '' END",
		chain: "CASE WHEN chain = 'x' THEN 'x' || " + c.shown("account_id", dialect.Long) + " || ' ' || memo || ' ' || " + c.shown("n", dialect.Long) + " ELSE chain END",
	}
	all := func(of string) string {
		return fmt.Sprintf("'quantity ' || %s || ' settled ' || %s || ', amount ' || %s || ' settled ' || %s", c.shown(of+"td_quantity", dialect.Decimal), c.shown(of+"sd_quantity", dialect.Decimal),
			c.shown(of+"td_amount", dialect.Decimal), c.shown(of+"sd_amount", dialect.Decimal))
	}
	f.level, f.bank, f.bk = levelRow, all("b_"), all("k_")
	f.money = "ABS(COALESCE(b_td_amount, k_td_amount)) + ABS(COALESCE(b_sd_amount, k_sd_amount))"
	for kind, where := range map[string]string{MissingRow: "k_row IS NULL", ExtraRow: "b_row IS NULL"} {
		f.kind = kind
		if err := c.find(ctx, f, "books_differing_rows WHERE "+where); err != nil {
			return err
		}
	}
	for i, field := range fieldsOfRows {
		f.level, f.kind = levelRow+1+i, WrongRow+field.Name
		f.bank, f.bk = c.shown("b_"+field.Name, field.Type), c.shown("k_"+field.Name, field.Type)
		f.money = "ABS(k_td_amount) + ABS(k_sd_amount)"
		if strings.HasSuffix(field.Name, "_amount") {
			f.money = "ABS(b_" + field.Name + " - k_" + field.Name + ")"
		}
		if err := c.find(ctx, f, "books_differing_rows WHERE b_"+field.Name+" <> k_"+field.Name); err != nil {
			return err
		}
	}
	return c.order(ctx, f, pairs)
}

// order finds the first row of each account that both have, but in another order.
func (c *comparer) order(ctx context.Context, f finding, pairs string) error {
	both := strings.Replace(pairs, "FULL OUTER JOIN", "JOIN", 1)
	ranked := "SELECT b.account_id, b.trade_id, b.chain, b.memo, b.n, b.symbol AS b_symbol, b.symbol AS k_symbol, b.currency AS b_currency, b.currency AS k_currency, " +
		"b.business_date AS b_business_date, b.business_date AS k_business_date, b.td_amount, b.sd_amount, b.row_id, " +
		"ROW_NUMBER() OVER (PARTITION BY b.account_id ORDER BY b.row_id) AS b_place, ROW_NUMBER() OVER (PARTITION BY b.account_id ORDER BY k.row_id) AS k_place FROM " + both
	first := "(SELECT * FROM (" + ranked + ") ranked WHERE b_place <> k_place QUALIFY ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY row_id) = 1) first_of_account"
	f.level, f.kind, f.bank, f.bk = levelOrder, OutOfOrder, c.shown("b_place", dialect.Long), c.shown("k_place", dialect.Long)
	f.money, f.chain = "ABS(td_amount) + ABS(sd_amount)", "'o' || "+c.shown("account_id", dialect.Long)
	return c.find(ctx, f, first)
}
