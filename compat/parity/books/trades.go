package books

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bkledger/bk/compat/parity/dialect"
)

// Levels: what is nearer to a cause comes first.
const (
	levelAccount  = 10
	levelTrade    = 100 // and on, by field
	levelMeta     = 160 // and on: what of a trade moves nothing
	levelRequest  = 190
	levelRow      = 200 // and on, by field
	levelOrder    = 290
	levelDay      = 300
	levelCut      = 320
	levelPosition = 340
	levelBalance  = 350
	levelSelf     = 400
)

// never is a day behind all others.
const never = 99999999

// finding is a SELECT list for the table of what was found. Parts left out are nothing.
type finding struct {
	level                                                                int
	kind                                                                 string
	account, trade, symbol, currency, date, chain, what, bank, bk, money string // SQL
}

func (c *comparer) selects(f finding) string {
	or := func(expression, otherwise string) string {
		if expression == "" {
			return otherwise
		}
		return expression
	}
	return fmt.Sprintf("SELECT %d, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s", f.level, c.d.Literal(f.kind), or(f.account, "0"), or(f.trade, c.d.Cast("NULL", dialect.Long)), or(f.symbol, "''"),
		or(f.currency, "''"), or(f.date, "0"), or(f.chain, "''"), or(f.what, "''"), or(f.bank, c.d.Cast("NULL", dialect.Text)), or(f.bk, c.d.Cast("NULL", dialect.Text)), or(f.money, c.d.Cast("0", dialect.Decimal)))
}

// find adds what a query finds.
func (c *comparer) find(ctx context.Context, f finding, from string) error {
	return c.exec(ctx, "find "+f.kind, "INSERT INTO "+foundTable+" ("+c.d.Columns("", found.Names())+") "+c.selects(f)+" FROM "+from)
}

// shown gives a column as text.
func (c *comparer) shown(column string, t dialect.Type) string {
	switch t {
	case dialect.Text:
		return column
	case dialect.Decimal:
		return c.d.DecimalText(column)
	}
	return c.d.Cast(column, dialect.Text)
}

func (c *comparer) of(side string) string { return c.d.Quote("side") + " = " + c.d.Literal(side) }

// directory compares what is of no trade: accounts, the business date.
func (c *comparer) directory(ctx context.Context) error {
	both := c.d.CreateAs("books_accounts", "SELECT COALESCE(b.account_id, k.account_id) AS account_id, b.entity_id AS b_entity, k.entity_id AS k_entity FROM "+
		"(SELECT * FROM "+accountTable+" WHERE "+c.of(sideBank)+" AND "+c.scope+") b FULL OUTER JOIN (SELECT * FROM "+accountTable+" WHERE "+c.of(sideBK)+" AND "+c.scope+") k ON k.account_id = b.account_id")
	if err := c.exec(ctx, "match accounts", both); err != nil {
		return err
	}
	if err := c.count(ctx, "accounts", "books_accounts"); err != nil {
		return err
	}
	text := func(column string) string { return "'entity ' || " + c.shown(column, dialect.Long) }
	f := finding{level: levelAccount, account: "account_id", what: "'account'", bank: text("b_entity"), bk: text("k_entity")}
	for kind, where := range map[string]string{MissingAccount: "k_entity IS NULL", ExtraAccount: "b_entity IS NULL", WrongAccount: "b_entity <> k_entity"} {
		f.kind = kind
		if err := c.find(ctx, f, "books_accounts WHERE "+where); err != nil {
			return err
		}
	}
	if err := c.count(ctx, "business dates", dateTable+" WHERE "+c.of(sideBank)); err != nil {
		return err
	}
	f = finding{level: levelAccount, kind: WrongDate, what: "'business date'", bank: c.shown("b.business_date", dialect.Integer), bk: c.shown("k.business_date", dialect.Integer)}
	b, k := "(SELECT * FROM "+dateTable+" WHERE "+c.of(sideBank)+") b", "(SELECT * FROM "+dateTable+" WHERE "+c.of(sideBK)+") k"
	return c.find(ctx, f, b+" CROSS JOIN "+k+" WHERE b.business_date <> k.business_date")
}

// fieldsOfTrades are compared one by one, the nearest to a cause first.
func fieldsOfTrades() []dialect.Column {
	byName := map[string]dialect.Column{}
	for _, column := range trades.Columns {
		byName[column.Name] = column
	}
	var fields []dialect.Column
	for _, name := range []string{
		"account_id", "target_account_id", "symbol", "direction", "quantity", "price", "currency", "commission", "accrued", "trade_date", "settle_date", "gross_amount", "sec_fee",
		"taf_fee", "net_amount", "state", "booked_at", "canceled_at", "replaces", "replaced_by",
	} {
		fields = append(fields, byName[name])
	}
	return fields
}

// compareTrades puts BK's trades together, and holds both sides' against each other.
func (c *comparer) compareTrades(ctx context.Context) error {
	var own []string
	for _, column := range tradeFields {
		own = append(own, "s."+column.Name)
	}
	err := c.exec(ctx, "put BK's trades together", "INSERT INTO "+tradeTable+" ("+c.d.Columns("", trades.Names())+") SELECT "+c.d.Literal(sideBK)+", b.trade_id, s.entry_id, "+strings.Join(own, ", ")+
		", b.booked_at, x.canceled_at, r.trade_id, COALESCE(p.trade_id, b.replaces), b.request FROM "+summaryTable+" s JOIN "+bookingTable+" b ON b.entry_id = s.entry_id"+
		" LEFT JOIN "+cancelTable+" x ON x.entry_id = s.canceled_by LEFT JOIN "+bookingTable+" r ON r.entry_id = s.replaced_by_entry LEFT JOIN "+bookingTable+" p ON p.entry_id = s.corrects_entry"+
		" WHERE s."+c.scope)
	if err != nil {
		return err
	}
	fields := fieldsOfTrades()
	columns, differ := []string{"COALESCE(b.trade_id, k.trade_id) AS trade_id", "k.entry_id AS entry_id", "b.trade_id IS NULL AS b_lacks", "k.trade_id IS NULL AS k_lacks",
		"b.request AS b_request", "k.request AS k_request", "COALESCE(k.n, b.n) AS n"}, []string{"b.trade_id IS NULL", "k.trade_id IS NULL", "b.request IS DISTINCT FROM k.request"}
	for _, f := range fields {
		columns = append(columns, "b."+f.Name+" AS b_"+f.Name, "k."+f.Name+" AS k_"+f.Name)
		differ = append(differ, "b."+f.Name+" IS DISTINCT FROM k."+f.Name)
	}
	side := func(of string) string {
		return "(SELECT *, ROW_NUMBER() OVER (PARTITION BY trade_id ORDER BY entry_id) AS n FROM " + tradeTable + " WHERE " + c.of(of) + " AND " + c.scope + ")"
	}
	pairs := side(sideBank) + " b FULL OUTER JOIN " + side(sideBK) + " k ON k.trade_id = b.trade_id AND k.n = b.n"
	if err := c.count(ctx, "trades", pairs); err != nil {
		return err
	}
	err = c.exec(ctx, "match trades", c.d.CreateAs("books_trades", "SELECT "+strings.Join(columns, ", ")+" FROM "+pairs+" WHERE "+strings.Join(differ, " OR ")))
	if err != nil {
		return err
	}
	chain := "CASE WHEN trade_id IS NULL THEN 'e' || " + c.shown("entry_id", dialect.Long) + " ELSE 't' || " + c.shown("trade_id", dialect.Long) + " END"
	f := finding{
		account: "COALESCE(b_account_id, k_account_id)", trade: "trade_id", symbol: "COALESCE(b_symbol, k_symbol)", currency: "COALESCE(b_currency, k_currency)", chain: chain,
		what: "CASE WHEN trade_id IS NULL THEN 'BK''s trade ' || " + c.shown("entry_id", dialect.Long) + " ELSE 'trade ' || " + c.shown("trade_id", dialect.Long) + " END",
	}
	f.level, f.money, f.bank, f.bk = levelTrade, "ABS(COALESCE(b_net_amount, k_net_amount))", "b_state", "k_state"
	for kind, where := range map[string]string{
		MissingTrade: "k_lacks AND n = 1", ExtraTrade: "b_lacks AND (n = 1 OR trade_id IS NULL)", DoubledTrade: "(k_lacks OR b_lacks) AND n > 1 AND trade_id IS NOT NULL",
	} {
		f.kind = kind
		if err := c.find(ctx, f, "books_trades WHERE "+where); err != nil {
			return err
		}
	}
	for i, field := range fields {
		f.level, f.kind = levelTrade+1+i, WrongTrade+field.Name
		switch field.Name {
		case "booked_at", "canceled_at", "replaces", "replaced_by":
			f.level = levelMeta + i
		}
		f.bank, f.bk = c.shown("b_"+field.Name, field.Type), c.shown("k_"+field.Name, field.Type)
		f.money = "ABS(k_gross_amount)"
		if field.Type == dialect.Decimal && field.Name != "quantity" && field.Name != "price" {
			f.money = "ABS(b_" + field.Name + " - k_" + field.Name + ")"
		}
		if err := c.find(ctx, f, "books_trades WHERE NOT b_lacks AND NOT k_lacks AND b_"+field.Name+" IS DISTINCT FROM k_"+field.Name); err != nil {
			return err
		}
	}
	return c.requests(ctx, f)
}

// mostRequests is how many requests that differ are looked into.
const mostRequests = 10_000

// requests says in which fields requests differ, as they are stored.
func (c *comparer) requests(ctx context.Context, f finding) error {
	const from = "books_trades WHERE NOT b_lacks AND NOT k_lacks AND b_request <> k_request"
	rows, err := c.db.QueryContext(ctx, fmt.Sprintf("SELECT trade_id, b_request, k_request FROM %s ORDER BY trade_id LIMIT %d", from, mostRequests))
	if err != nil {
		return fmt.Errorf("the warehouse: requests that differ: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its Err tells
	type field struct {
		trade          int64
		path, bank, bk string
	}
	var all []field
	last := int64(0)
	for rows.Next() {
		var b, k string
		if err := rows.Scan(&last, &b, &k); err != nil {
			return fmt.Errorf("the warehouse: requests that differ: %w", err)
		}
		left, right := flat(b), flat(k)
		paths := slices.AppendSeq(slices.Collect(maps.Keys(left)), maps.Keys(right))
		slices.Sort(paths)
		before := len(all)
		for _, path := range slices.Compact(paths) {
			if left[path] != right[path] {
				all = append(all, field{last, path, left[path], right[path]})
			}
		}
		if len(all) == before { // the same, in another text
			all = append(all, field{last, "text", b, k})
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("the warehouse: requests that differ: %w", err)
	}
	f.level, f.money = levelRequest, "ABS(k_gross_amount)"
	for _, one := range all {
		f.kind, f.bank, f.bk = WrongTrade+"request."+one.path, c.d.Literal(one.bank), c.d.Literal(one.bk)
		if err := c.find(ctx, f, fmt.Sprintf("books_trades WHERE NOT b_lacks AND NOT k_lacks AND trade_id = %d", one.trade)); err != nil {
			return err
		}
	}
	f.kind, f.bank, f.bk = WrongTrade+"request", "", ""
	return c.find(ctx, f, fmt.Sprintf("%s AND trade_id > %d", from, last))
}

// flat gives an object's values as they are written, by path.
func flat(text string) map[string]string {
	all := map[string]string{}
	var walk func(path string, text json.RawMessage)
	walk = func(path string, text json.RawMessage) {
		var object map[string]json.RawMessage
		if json.Unmarshal(text, &object) != nil || path != "" && path != "instrument" && path != "side" && path != "settlement" && path != "fees" && path != "interest" {
			all[path] = string(text)
			return
		}
		for name, value := range object {
			if path != "" {
				name = path + "." + name
			}
			walk(name, value)
		}
	}
	walk("", json.RawMessage(text))
	return all
}
