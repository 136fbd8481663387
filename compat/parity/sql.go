package parity

import (
	"fmt"
	"strings"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// The session's temporary tables.
const (
	pairsTable    = "parity_pairs"
	cashTable     = "parity_cash_pairs"
	accountsTable = "parity_accounts" // an account a row: how much is not as it should be
	suspectsTable = "parity_suspects" // accounts to be examined
	differsTable  = "parity_differs"
)

// queries writes SQL for one warehouse.
type queries struct {
	d       dialect.Dialect
	moments bool
}

// fill replaces {name} by a quoted column or a piece of SQL.
func (q queries) fill(text string, pieces ...string) string {
	all := []string{
		"{side}", q.d.Quote("side"), "{partition}", q.d.Quote("partition"), "{offset}", q.d.Quote("offset"), "{position}", q.d.Quote("position"),
		"{bank}", q.d.Literal(dialect.SideBank), "{bk}", q.d.Literal(dialect.SideBK),
		"{opened}", q.d.Literal(bank.EventOpened), "{settled}", q.d.Literal(bank.EventSettled), "{canceled}", q.d.Literal(bank.EventCanceled),
	}
	return strings.NewReplacer(append(all, pieces...)...).Replace(text)
}

// quantity and money are what a trade adds to the position and the balance of the event's account, signed: the booking account has the net amount, the other one the
// gross amount and the accrued interest the other way round.
func (q queries) quantity() string {
	return q.fill(`CASE WHEN (side_direction = {buy}) = (account_id = trade_account_id) THEN quantity ELSE -quantity END`, "{buy}", q.d.Literal(bank.Buy))
}

func (q queries) money() string {
	return q.fill(`CASE WHEN account_id = trade_account_id THEN net_amount WHEN side_direction = {buy} THEN gross_amount + COALESCE(interest_accrued, 0)
		ELSE -(gross_amount + COALESCE(interest_accrued, 0)) END`, "{buy}", q.d.Literal(bank.Buy))
}

// place gives a number that ascends with the offset, and whose upper bits say in which partition of which topic of the side that is.
const partitionBits, offsetBits = 12, 48

func (q queries) place(topics []string) string {
	if len(topics) <= 1 {
		return q.fill("{partition} * {shift} + {offset}", "{shift}", fmt.Sprint(int64(1)<<offsetBits))
	}
	cases := "CASE topic"
	for i, topic := range topics {
		cases += fmt.Sprintf(" WHEN %s THEN %d", q.d.Literal(topic), i)
	}
	return q.fill("("+cases+" END * {partitions} + {partition}) * {shift} + {offset}", "{partitions}", fmt.Sprint(1<<partitionBits), "{shift}", fmt.Sprint(int64(1)<<offsetBits))
}

// key is what is equal where an event is.
func (q queries) key(cash bool) string {
	if cash || !q.moments {
		return "content_hash"
	}
	return "HASH(content_hash, booked_at, canceled_at)"
}

// pairs joins both sides of the trades. Of Bank's side it has, by chain, a hash of the totals after each event and one of what they must have been before it.
func (q queries) pairs(bankTopics, bkTopics []string) string {
	return q.d.CreateAs(pairsTable, q.fill(`
SELECT l.acct, l.bdate, l.mchain, l.schain, l.lid, l.lplace, l.mafter, l.mbefore, l.safter, l.sbefore, r.rid, r.rplace, r.racct FROM (
	SELECT account_id AS acct, business_date AS bdate, HASH(account_id, settlement_currency) AS mchain, HASH(account_id, instrument_identifier) AS schain, event_id AS lid,
		{lplace} AS lplace, {key} AS lkey,
		HASH(balance, settled_balance) AS mafter,
		HASH(balance - CASE WHEN event = {opened} THEN m WHEN undone THEN -m ELSE 0 END, settled_balance - CASE WHEN event = {settled} THEN m ELSE 0 END) AS mbefore,
		HASH({position}, settled_position) AS safter,
		HASH({position} - CASE WHEN event = {opened} THEN n WHEN undone THEN -n ELSE 0 END, settled_position - CASE WHEN event = {settled} THEN n ELSE 0 END) AS sbefore
	FROM (
		SELECT *, {quantity} AS n, {money} AS m, event = {canceled} AND (business_date = 0 OR trade_date <= business_date) AS undone
		FROM trade_events WHERE {side} = {bank}
	) AS t
) AS l FULL OUTER JOIN (
	SELECT account_id AS racct, {key} AS rkey, event_id AS rid, {rplace} AS rplace FROM trade_events WHERE {side} = {bk}
) AS r ON l.lkey = r.rkey AND l.acct = r.racct`,
		"{lplace}", q.place(bankTopics), "{rplace}", q.place(bkTopics), "{key}", q.key(false), "{quantity}", q.quantity(), "{money}", q.money()))
}

// cashPairs is the same of cash.
func (q queries) cashPairs(bankTopics, bkTopics []string) string {
	return q.d.CreateAs(cashTable, q.fill(`
SELECT l.acct, l.bdate, l.mchain, l.lid, l.lplace, l.mafter, l.mbefore, r.rid, r.rplace, r.racct FROM (
	SELECT account_id AS acct, business_date AS bdate, HASH(account_id, currency) AS mchain, event_id AS lid, {lplace} AS lplace, content_hash AS lkey,
		HASH(balance, settled_balance) AS mafter, HASH(balance - amount, settled_balance - amount) AS mbefore
	FROM cash_events WHERE {side} = {bank}
) AS l FULL OUTER JOIN (
	SELECT account_id AS racct, content_hash AS rkey, event_id AS rid, {rplace} AS rplace FROM cash_events WHERE {side} = {bk}
) AS r ON l.lkey = r.rkey AND l.acct = r.racct`, "{lplace}", q.place(bankTopics), "{rplace}", q.place(bkTopics)))
}

// order counts, by account, the pairs; what only one side has; and what is in another order, or there twice.
func (q queries) order(table string) string {
	return q.fill(`
SELECT COALESCE(acct, racct) AS acct, COUNT(*) AS n, COUNT(lid) AS ln, COUNT(rid) AS rn, {bad} AS bad, 0 AS ends FROM (
	SELECT acct, racct, lid, rid, lplace, rplace, LAG(lid) {over} AS lid0, LAG(rid) {over} AS rid0, LAG(lplace) {over} AS lplace0, LAG(rplace) {over} AS rplace0
	FROM {table}
) AS o GROUP BY COALESCE(acct, racct)`, "{table}", table, "{over}", "OVER (PARTITION BY acct ORDER BY lid)", "{bad}", q.d.CountIf(fmt.Sprintf(`lid IS NULL OR rid IS NULL OR lid = lid0 OR rid <= rid0
		OR (lplace < lplace0 AND FLOOR(lplace / %[1]d) = FLOOR(lplace0 / %[1]d)) OR (rplace < rplace0 AND FLOOR(rplace / %[1]d) = FLOOR(rplace0 / %[1]d))`, int64(1)<<offsetBits)))
}

// adds counts, by account, the totals that are not what was before and what the event adds, and the ends of days.
func (q queries) adds(chain, before, after, rows string) string {
	zero := q.d.Cast("0", dialect.Decimal)
	return q.fill(`
SELECT acct, 0 AS n, 0 AS ln, 0 AS rn, {bad} AS bad, {ends} AS ends FROM (
	SELECT acct, bdate, {before} AS should, LAG({after}, 1, HASH({zero}, {zero})) {over} AS was, LAG(bdate) {over} AS bdate0
	FROM {rows}
) AS c GROUP BY acct`, "{rows}", rows, "{over}", "OVER (PARTITION BY "+chain+" ORDER BY lid)", "{before}", before, "{after}", after, "{zero}", zero,
		"{bad}", q.d.CountIf("should <> was"), "{ends}", q.d.CountIf("bdate0 IS NULL OR bdate <> bdate0"))
}

// accounts gathers what was counted.
func (q queries) accounts() string {
	money := `(SELECT acct, bdate, mchain, lid, mbefore, mafter FROM ` + pairsTable + ` WHERE acct IS NOT NULL
		UNION ALL SELECT acct, bdate, mchain, lid, mbefore, mafter FROM ` + cashTable + ` WHERE acct IS NOT NULL) AS m`
	symbols := `(SELECT acct, bdate, schain, lid, sbefore, safter FROM ` + pairsTable + ` WHERE acct IS NOT NULL) AS s`
	return q.d.CreateAs(accountsTable, `SELECT acct, SUM(n) AS n, SUM(ln) AS ln, SUM(rn) AS rn, SUM(bad) AS bad, SUM(ends) AS ends FROM (`+
		q.order(pairsTable)+"\nUNION ALL"+q.order(cashTable)+"\nUNION ALL"+
		q.adds("mchain", "mbefore", "mafter", money)+"\nUNION ALL"+q.adds("schain", "sbefore", "safter", symbols)+
		"\nUNION ALL"+q.unspelled()+"\n) AS a GROUP BY acct")
}

// unspelled counts what is not written as the contract says.
func (q queries) unspelled() string {
	one := `
SELECT account_id AS acct, 0 AS n, 0 AS ln, 0 AS rn, COUNT(*) AS bad, 0 AS ends FROM %s WHERE NOT canonical GROUP BY account_id`
	return fmt.Sprintf(one, dialect.TradeEvents) + "\nUNION ALL" + fmt.Sprintf(one, dialect.CashEvents)
}

// suspects chooses accounts to be examined: as many as have together so many events, and how many were left out.
func (q queries) suspects(most int64) string {
	return q.d.CreateAs(suspectsTable, fmt.Sprintf(`
SELECT acct, n, bad, SUM(n) OVER (ORDER BY acct ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - n < %d AS examined FROM %s WHERE bad > 0`, most, accountsTable))
}

// differs finds the columns in which events of the same name differ, of the accounts that are examined.
func (q queries) differs(table string) string {
	var bits []string
	for i, column := range causes.Columns(table) {
		c := q.d.Quote(column)
		bits = append(bits, fmt.Sprintf("CASE WHEN l.%[1]s IS DISTINCT FROM r.%[1]s THEN %[2]d ELSE 0 END", c, int64(1)<<i))
	}
	id := "trade_id"
	if table == dialect.CashEvents {
		id = "cash_id"
	}
	return q.fill(`
SELECT l.topic AS ltopic, l.{partition} AS lpartition, l.{offset} AS loffset, l.event_id AS levent_id, r.topic AS rtopic, r.{partition} AS rpartition, r.{offset} AS roffset,
	{bits} AS fields
FROM (SELECT * FROM {table} WHERE {side} = {bank} AND {examined}) AS l JOIN (SELECT * FROM {table} WHERE {side} = {bk} AND {examined}) AS r
	ON l.account_id = r.account_id AND l.{id} = r.{id} AND l.event = r.event
WHERE l.content_hash <> r.content_hash`, "{table}", table, "{id}", id, "{bits}", strings.Join(bits, "\n\t+ "), "{examined}", examined)
}

const examined = "account_id IN (SELECT acct FROM " + suspectsTable + " WHERE examined)"

// events reads the examined accounts' events, account by account, Bank's first, by event id.
func (q queries) events() string {
	text := func(what string) string { return q.d.DecimalText(what) }
	head := `e.{side} AS sd, e.topic, e.{partition} AS part, e.{offset} AS offs, e.landed_at, e.event_id, e.event, e.business_date, e.account_id, e.content_hash, e.canonical`
	diffs := `d.ltopic, d.lpartition, d.loffset, d.levent_id, d.fields`
	join := ` LEFT JOIN ` + differsTable + ` AS d ON e.{side} = {bk} AND d.rtopic = e.topic AND d.rpartition = e.{partition} AND d.roffset = e.{offset}`
	trades := `SELECT ` + head + `, FALSE AS cash, trade_id AS num, client_trade_id AS client, instrument_identifier AS symbol, settlement_currency AS curr,
	` + text(q.quantity()) + ` AS n, ` + text(q.money()) + ` AS m, ` + text("price") + ` AS price,
	` + text("{position}") + ` AS t0, ` + text("balance") + ` AS t1, ` + text("settled_position") + ` AS t2, ` + text("settled_balance") + ` AS t3, booked_at, canceled_at, ` + diffs + `
FROM trade_events AS e` + join + ` WHERE ` + examined
	cash := `SELECT ` + head + `, TRUE, cash_id, client_id, '', currency, '0', ` + text("amount") + `, '0', '0', ` + text("balance") + `, '0', ` + text("settled_balance") + `, 0, NULL, ` + diffs + `
FROM cash_events AS e` + join + ` WHERE ` + examined
	return q.fill(trades + "\nUNION ALL\n" + cash + "\nORDER BY account_id, sd, event_id, topic, part, offs")
}

// sums adds up by day.
func (q queries) sums() string {
	return q.fill(`
SELECT {side} AS sd, business_date, event, settlement_currency AS curr, COUNT(*) AS n, {net} AS total FROM trade_events GROUP BY {side}, business_date, event, settlement_currency
UNION ALL SELECT {side}, business_date, event, currency, COUNT(*), {amount} FROM cash_events GROUP BY {side}, business_date, event, currency`,
		"{net}", q.d.DecimalText(q.d.Sum("net_amount")), "{amount}", q.d.DecimalText(q.d.Sum("amount")))
}
