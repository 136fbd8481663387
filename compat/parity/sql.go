package parity

import (
	"fmt"
	"math/bits"
	"strings"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/causes"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// The session's temporary tables.
const (
	accountsTable = "parity_accounts" // an account a row: how much is not as it should be
	suspectsTable = "parity_suspects" // accounts to be examined
	differsTable  = "parity_differs"
)

// queries writes SQL for one warehouse.
type queries struct {
	d       dialect.Dialect
	moments bool
	size    sizes
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

// sizes say how large numbers are: what is joined and sorted is as narrow as it can be, which takes less time.
type sizes struct {
	accounts, ids             bool // 32 bits hold them
	partitionBits, offsetBits int
}

func bitsFor(most int64) int { return bits.Len64(uint64(most)) }

// narrow gives a column as 32 bits if they hold it.
func (q queries) narrow(column string, ok bool) string {
	if !ok {
		return column
	}
	return q.d.Cast(column, dialect.Integer)
}

func (q queries) account() string { return q.narrow("account_id", q.size.accounts) }
func (q queries) id() string      { return q.narrow("event_id", q.size.ids) }

// placeBits is how many bits a place has, where a side has so many topics.
func (s sizes) placeBits(topics int) int {
	return bitsFor(int64(max(0, topics-1))) + s.partitionBits + s.offsetBits
}

// place gives a number that ascends with the offset, and whose upper bits say in which partition of which topic of the side that is.
func (q queries) place(topics []string) string {
	log := q.d.Cast(q.d.Quote("partition"), dialect.Long)
	if len(topics) > 1 {
		cases := "CASE topic"
		for i, topic := range topics {
			cases += fmt.Sprintf(" WHEN %s THEN %d", q.d.Literal(topic), int64(i)<<q.size.partitionBits)
		}
		log = "(" + cases + " END + " + log + ")"
	}
	return q.narrow(q.fill("{log} * {shift} + {offset}", "{log}", log, "{shift}", fmt.Sprint(int64(1)<<q.size.offsetBits)), q.size.placeBits(len(topics)) < 32)
}

// key is what is equal where an event is.
func (q queries) key(cash bool) string {
	if cash || !q.moments {
		return "HASH(content_hash, account_id)"
	}
	return "HASH(content_hash, account_id, booked_at, canceled_at)"
}

// order counts, by account, the pairs of one kind of events, and those that stand in another order or are of one that is there twice. It has no rows that only one side has: as
// ids ascend strictly on both sides where nothing is bad, no event is in two pairs, and so nothing is left over where there are as many pairs as events on each side.
func (q queries) order(table string, bankTopics, bkTopics []string) string {
	return q.fill(`
SELECT acct, COUNT(*) AS n, 0 AS ln, 0 AS rn, {bad} AS bad FROM (
	SELECT acct, lid, rid, lplace, rplace, LAG(lid) {over} AS lid0, LAG(rid) {over} AS rid0, LAG(lplace) {over} AS lplace0, LAG(rplace) {over} AS rplace0
	FROM (
		SELECT {acct} AS acct, {id} AS lid, {lplace} AS lplace, {key} AS lkey FROM {table} WHERE {side} = {bank}
	) AS l JOIN (
		SELECT {id} AS rid, {rplace} AS rplace, {key} AS rkey FROM {table} WHERE {side} = {bk}
	) AS r ON l.lkey = r.rkey
) AS o GROUP BY acct`, "{table}", table, "{over}", "OVER (PARTITION BY acct ORDER BY lid)", "{key}", q.key(table == dialect.CashEvents), "{acct}", q.account(), "{id}", q.id(),
		"{lplace}", q.place(bankTopics), "{rplace}", q.place(bkTopics), "{bad}", q.d.CountIf("lid = lid0 OR rid <= rid0 OR "+q.before("lplace")+" OR "+q.before("rplace")))
}

// before tells whether a place is before the last one, in the same partition. What costs a division is done where it may be so only.
func (q queries) before(place string) string {
	return fmt.Sprintf("CASE WHEN %[1]s < %[1]s0 THEN FLOOR(%[1]s / %[2]d) = FLOOR(%[1]s0 / %[2]d) ELSE FALSE END", place, int64(1)<<q.size.offsetBits)
}

// present counts both sides' events by account.
func (q queries) present(table string) string {
	return q.fill(`
SELECT account_id AS acct, 0 AS n, {ln} AS ln, {rn} AS rn, 0 AS bad FROM {table} GROUP BY account_id`, "{table}", table,
		"{ln}", q.d.CountIf(q.fill("{side} = {bank}")), "{rn}", q.d.CountIf(q.fill("{side} = {bk}")))
}

// unspelled counts what is not written as the contract says.
func (q queries) unspelled() string {
	one := `
SELECT account_id AS acct, 0 AS n, 0 AS ln, 0 AS rn, COUNT(*) AS bad FROM %s WHERE NOT canonical GROUP BY account_id`
	return fmt.Sprintf(one, dialect.TradeEvents) + "\nUNION ALL" + fmt.Sprintf(one, dialect.CashEvents)
}

// alone counts the events that only one side has, of accounts in which there are more events on a side than pairs, or less.
func (q queries) alone(table string) string {
	return q.fill(`
SELECT COUNT(*) AS n FROM (
	SELECT {key} AS lkey FROM {table} WHERE {side} = {bank} AND {uneven}
) AS l FULL OUTER JOIN (
	SELECT {key} AS rkey FROM {table} WHERE {side} = {bk} AND {uneven}
) AS r ON lkey = rkey WHERE lkey IS NULL OR rkey IS NULL`, "{table}", table, "{key}", q.key(table == dialect.CashEvents),
		"{uneven}", "account_id IN (SELECT acct FROM "+accountsTable+" WHERE n <> ln OR n <> rn)")
}

// adds counts, by account, the totals of Bank's that are not what was before and what the event adds. rows has events with, by chain, a hash of the totals after each and one of what
// they must have been before it. Only the rows that are bad are counted: to group all takes a fifth of the time.
func (q queries) adds(rows string) string {
	zero := q.d.Cast("0", dialect.Decimal)
	return q.fill(`
SELECT acct, 0 AS n, 0 AS ln, 0 AS rn, COUNT(*) AS bad FROM (
	SELECT acct, should, LAG(after, 1, HASH({zero}, {zero})) {over} AS was
	FROM ({rows}
	) AS e
) AS c WHERE should <> was GROUP BY acct`, "{rows}", rows, "{over}", "OVER (PARTITION BY chain ORDER BY lid)", "{zero}", zero)
}

// chain has the trades' events of Bank's with two totals and what their trade adds to them.
func (q queries) chain(chain, total, settled, adds string) string {
	return q.fill(`
		SELECT acct, chain, lid, HASH(total, settled) AS after, CASE
			WHEN event = {opened} THEN HASH(total - adds, settled)
			WHEN event = {settled} THEN HASH(total, settled - adds)
			WHEN event = {canceled} AND (bdate = 0 OR trade_date <= bdate) THEN HASH(total + adds, settled)
			ELSE HASH(total, settled) END AS should
		FROM (
			SELECT {acct} AS acct, business_date AS bdate, HASH(account_id, {chain}) AS chain, {id} AS lid, event, trade_date, {total} AS total, {ofsettled} AS settled, {adds} AS adds
			FROM trade_events WHERE {side} = {bank}
		) AS t`, "{chain}", chain, "{total}", total, "{ofsettled}", settled, "{adds}", adds, "{acct}", q.account(), "{id}", q.id())
}

// balances is the same of money, with the cash events between.
func (q queries) balances() string {
	return q.chain("settlement_currency", "balance", "settled_balance", q.money()) + q.fill(`
		UNION ALL
		SELECT {acct}, HASH(account_id, currency), {id}, HASH(balance, settled_balance), HASH(balance - amount, settled_balance - amount)
		FROM cash_events WHERE {side} = {bank}`, "{acct}", q.account(), "{id}", q.id())
}

// bounds asks how large numbers are. Warehouses know that without a look at the rows.
func (q queries) bounds() string {
	one := q.fill("SELECT MIN(account_id) AS a0, MAX(account_id) AS a1, MIN(event_id) AS e0, MAX(event_id) AS e1, MAX({partition}) AS p1, MAX({offset}) AS o1 FROM ")
	return "SELECT MIN(a0), MAX(a1), MIN(e0), MAX(e1), MAX(p1), MAX(o1) FROM (" + one + dialect.TradeEvents + " UNION ALL " + one + dialect.CashEvents + ") AS b"
}

// accounts gathers what was counted. topics are those of each side, by table.
func (q queries) accounts(topics map[string][2][]string) string {
	trades, cash := topics[dialect.TradeEvents], topics[dialect.CashEvents]
	return q.d.CreateAs(accountsTable, `SELECT acct, SUM(n) AS n, SUM(ln) AS ln, SUM(rn) AS rn, SUM(bad) + ABS(SUM(ln) - SUM(n)) + ABS(SUM(rn) - SUM(n)) AS bad FROM (`+
		q.order(dialect.TradeEvents, trades[0], trades[1])+"\nUNION ALL"+q.order(dialect.CashEvents, cash[0], cash[1])+"\nUNION ALL"+
		q.adds(q.balances())+"\nUNION ALL"+q.adds(q.chain("instrument_identifier", q.d.Quote("position"), "settled_position", q.quantity()))+
		"\nUNION ALL"+q.unspelled()+"\nUNION ALL"+q.present(dialect.TradeEvents)+"\nUNION ALL"+q.present(dialect.CashEvents)+"\n) AS a GROUP BY acct")
}

// suspects chooses accounts to be examined: as many as have together so many events, and how many were left out.
func (q queries) suspects(most int64) string {
	return q.d.CreateAs(suspectsTable, fmt.Sprintf(`
SELECT acct, events AS n, bad, SUM(events) OVER (ORDER BY acct ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - events < %d AS examined
FROM (SELECT acct, GREATEST(ln, rn) AS events, bad FROM %s WHERE bad > 0) AS a`, most, accountsTable))
}

// differs finds the columns in which events of the same name differ, of the accounts that are examined.
func (q queries) differs(table string) string {
	var sum []string
	for i, column := range causes.Columns(table) {
		c := q.d.Quote(column)
		sum = append(sum, fmt.Sprintf("CASE WHEN l.%[1]s IS DISTINCT FROM r.%[1]s THEN %[2]d ELSE 0 END", c, int64(1)<<i))
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
WHERE l.content_hash <> r.content_hash`, "{table}", table, "{id}", id, "{bits}", strings.Join(sum, "\n\t+ "), "{examined}", examined)
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
