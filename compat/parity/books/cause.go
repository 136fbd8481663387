package books

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// explain says what follows from what, and fills the report.
func (c *comparer) explain(ctx context.Context) error {
	long := func(expression string) string { return c.d.Cast(expression, dialect.Long) }
	sum, meta := fmt.Sprintf("level >= %d", levelDay), fmt.Sprintf("level >= %d AND level < %d", levelMeta, levelRow)
	for _, step := range []struct{ what, statement string }{
		{"number what was found", c.d.CreateAs("books_numbered", "SELECT "+long("ROW_NUMBER() OVER (ORDER BY level, business_date, account_id, trade_id, symbol, currency, what, kind)")+" AS finding_id, * FROM "+foundTable)},
		// All of a trade, or of a cash movement, follows from its first; but rows don't from what moves nothing. Sums have no chain.
		{"follow trades", c.d.CreateAs("books_chained", "SELECT *, CASE WHEN chain = '' THEN finding_id WHEN "+meta+" THEN MIN(CASE WHEN "+fmt.Sprintf("level < %d", levelRow)+
			" THEN finding_id END) OVER (PARTITION BY chain) ELSE MIN(CASE WHEN NOT ("+meta+") THEN finding_id END) OVER (PARTITION BY chain) END AS first_id FROM books_numbered")},
		// What a row that differs changes: both of its versions, where they are not the same.
		{"what rows change", c.d.CreateAs("books_effects",
			"SELECT f.first_id, r.account_id, r.b_symbol AS symbol, r.b_currency AS currency, r.b_business_date AS business_date FROM books_differing_rows r JOIN books_chained f ON "+sameRow+" WHERE r.b_symbol IS NOT NULL"+
				" UNION SELECT f.first_id, r.account_id, r.k_symbol, r.k_currency, r.k_business_date FROM books_differing_rows r JOIN books_chained f ON "+sameRow+" WHERE r.k_symbol IS NOT NULL")},
		{"follow sums", c.d.CreateAs("books_summed", "SELECT s.finding_id, MIN(e.first_id) AS first_id FROM books_chained s JOIN books_effects e ON e.account_id = s.account_id AND e.business_date <= s.business_date"+
			" AND (s.symbol <> '' AND e.symbol = s.symbol OR s.currency <> '' AND e.currency = s.currency) WHERE s."+sum+" GROUP BY s.finding_id")},
		// Sums that no row explains follow from the first of the same account and symbol or currency.
		{"follow holdings", c.d.CreateAs("books_caused", "SELECT f.*, CASE WHEN f."+sum+" THEN COALESCE(s.first_id, MIN(CASE WHEN f."+sum+" AND s.first_id IS NULL THEN f.finding_id END)"+
			" OVER (PARTITION BY f.account_id, f.symbol, f.currency)) ELSE f.first_id END AS near_id FROM books_chained f LEFT JOIN books_summed s ON s.finding_id = f.finding_id")},
		{"forget findings", "DELETE FROM " + FindingsTable},
		{"follow accounts", "INSERT INTO " + FindingsTable + " (" + c.d.Columns("", findings.Names()) + ") SELECT f.finding_id, COALESCE(a.finding_id, f.near_id), " + c.d.Columns("f", found.Names()) +
			fmt.Sprintf(" FROM books_caused f LEFT JOIN books_numbered a ON a.level = %d AND a.account_id <> 0 AND a.account_id = f.account_id AND a.kind <> ", levelAccount) + c.d.Literal(WrongAccount)},
	} {
		if err := c.exec(ctx, step.what, step.statement); err != nil {
			return err
		}
	}
	if err := c.keep(ctx); err != nil {
		return err
	}
	return c.causes(ctx)
}

// sameRow joins a row that differs with what was found of it.
const sameRow = "f.level >= 200 AND f.level < 290 AND f.account_id = r.account_id AND (f.chain = r.chain OR r.chain = 'x' AND f.chain LIKE 'x%' AND f.symbol = COALESCE(r.b_symbol, r.k_symbol) AND f.currency = COALESCE(r.b_currency, r.k_currency))"

const findingColumns = "f.finding_id, f.cause_id, f.kind, f.account_id, f.trade_id, f.symbol, f.currency, f.business_date, f.what, f.bank_value, f.bk_value"

func (c *comparer) scan(rows *sql.Rows, more ...any) (id, cause int64, f Finding, err error) {
	var trade sql.NullInt64
	var day int32
	to := append([]any{&id, &cause, &f.Kind, (*int64)(&f.Account), &trade, &f.Symbol, &f.Currency, &day, &f.What, &f.Bank, &f.BK, &f.Money}, more...)
	if err = rows.Scan(to...); err != nil {
		return 0, 0, f, fmt.Errorf("the warehouse: read what was found: %w", err)
	}
	f.Trade = bank.ID(trade.Int64)
	if day != never {
		f.BusinessDate = bank.Date(day)
	}
	return id, cause, f, nil
}

// keep reads the first findings, causes first.
func (c *comparer) keep(ctx context.Context) error {
	cut := fmt.Sprintf("level >= %d AND level < %d", levelCut, levelPosition)
	follow := "SELECT cause_id, " + c.d.CountIf("finding_id <> cause_id AND NOT ("+cut+")") + " AS follows, " + c.d.CountIf("finding_id <> cause_id AND "+cut) + " AS ends FROM " + FindingsTable + " GROUP BY cause_id"
	rows, err := c.db.QueryContext(ctx, fmt.Sprintf("SELECT %s, %s, %s, %s FROM %s f LEFT JOIN (%s) n ON n.cause_id = f.finding_id ORDER BY CASE WHEN f.finding_id = f.cause_id THEN 0 ELSE 1 END, f.finding_id LIMIT %d",
		findingColumns, c.d.DecimalText("f.money"), c.d.Cast("COALESCE(n.follows, 0)", dialect.Long), c.d.Cast("COALESCE(n.ends, 0)", dialect.Long), FindingsTable, follow, c.cfg.Keep))
	if err != nil {
		return fmt.Errorf("the warehouse: read what was found: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its Err tells
	places, follows := map[int64]int{}, []int64{}
	for rows.Next() {
		var following, ends int64
		id, cause, f, err := c.scan(rows, &following, &ends)
		if err != nil {
			return err
		}
		f.Follows, f.EndsOfDays = following, ends
		places[id] = len(c.report.Findings)
		c.report.Findings, follows = append(c.report.Findings, f), append(follows, cause)
	}
	for i, cause := range follows {
		place, kept := places[cause]
		if !kept {
			place = -1
		}
		c.report.Findings[i].Cause = place
	}
	return rows.Err()
}

// causes groups them by kind.
func (c *comparer) causes(ctx context.Context) error {
	grouped := "SELECT r.kind AS kind, MIN(r.finding_id) AS first_id, COUNT(*) AS differing, COUNT(DISTINCT f.account_id) AS accounts, COUNT(DISTINCT r.finding_id) AS roots, " +
		c.d.Sum("CASE WHEN f.finding_id = r.finding_id THEN r.money ELSE 0 END") + " AS money FROM " + FindingsTable + " f JOIN " + FindingsTable + " r ON r.finding_id = f.cause_id GROUP BY r.kind"
	rows, err := c.db.QueryContext(ctx, "SELECT "+findingColumns+", "+c.d.DecimalText("f.money")+", g.differing, g.roots, g.accounts, "+c.d.DecimalText("g.money")+
		" FROM ("+grouped+") g JOIN "+FindingsTable+" f ON f.finding_id = g.first_id ORDER BY g.differing DESC, g.kind")
	if err != nil {
		return fmt.Errorf("the warehouse: group causes: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its Err tells
	for rows.Next() {
		var cause Cause
		_, _, cause.First, err = c.scan(rows, &cause.Rows, &cause.Causes, &cause.Accounts, &cause.Money)
		if err != nil {
			return err
		}
		cause.Kind = cause.First.Kind
		c.report.Causes = append(c.report.Causes, cause)
	}
	return rows.Err()
}
