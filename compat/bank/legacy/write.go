package legacy

import (
	"github.com/jackc/pgx/v5"
	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
)

const (
	sqlInsertTrade = `INSERT INTO bank.trade (trade_id, account_id, client_trade_id, target_account_id, trade_date, settle_date, state, symbol, currency, sell, quantity, price,
		gross_amount, sec_fee, taf_fee, net_amount, running, target_running, booked_at, canceled_at, replaced_by, replaces, request)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)`
	sqlUpdateTrade = `UPDATE bank.trade SET state = $2, running = $3, target_running = $4, canceled_at = $5, replaced_by = $6 WHERE trade_id = $1`
	sqlPutHolding  = `INSERT INTO bank.position (account_id, symbol, quantity, settled_quantity) VALUES ($1, $2, $3, $4)
		ON CONFLICT (account_id, symbol) DO UPDATE SET quantity = excluded.quantity, settled_quantity = excluded.settled_quantity`
	sqlPutMoney = `INSERT INTO bank.balance (account_id, currency, settled_cash, unsettled_debits, unsettled_credits) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (account_id, currency) DO UPDATE SET settled_cash = excluded.settled_cash, unsettled_debits = excluded.unsettled_debits, unsettled_credits = excluded.unsettled_credits`
	sqlInsertJournal = `INSERT INTO bank.journal (account_id, date, trade_id, cash_id, symbol, currency, memo, td_quantity, td_amount, sd_quantity, sd_amount)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`
	// The id is taken here, under the locks of the accounts: an account's events have ids in the order of its work.
	sqlInsertEvent = `INSERT INTO bank.outbox (event_id, topic, key, event)
		SELECT id, $1, $2, '{"event_id":' || id || ',' || $3::text FROM (SELECT nextval('bank.event_id') AS id) AS new`
)

// rows is the sink of bookings: one statement for each row, all sent in one round trip.
type rows struct{ batch *pgx.Batch }

func (r rows) insertTrade(t *trade) {
	r.batch.Queue(sqlInsertTrade, int64(t.TradeID), int64(t.AccountID), t.ClientTradeID, orNull(t.TargetAccountID), int32(t.Date), int32(t.SettleDate), t.State,
		t.Instrument.Identifier, t.Settlement.Currency, t.Side.Direction == bank.Sell, t.Quantity.String(), t.Price.String(),
		t.GrossAmount.String(), t.SECFee.String(), t.TAFFee.String(), t.NetAmount.String(), decimalOrNull(t.running), decimalOrNull(t.targetRunning),
		t.BookedAt, t.CanceledAt, idOrNull(t.ReplacedBy), idOrNull(t.Replaces), string(t.Trade.AppendJSON(make([]byte, 0, 1<<10))))
}

func (r rows) updateTrade(t *trade) {
	r.batch.Queue(sqlUpdateTrade, int64(t.TradeID), t.State, decimalOrNull(t.running), decimalOrNull(t.targetRunning), t.CanceledAt, idOrNull(t.ReplacedBy))
}

func (r rows) holding(k holdingKey, h *holding) {
	r.batch.Queue(sqlPutHolding, int64(k.account), k.symbol, h.quantity.String(), h.settled.String())
}

func (r rows) money(k moneyKey, m *money) {
	r.batch.Queue(sqlPutMoney, int64(k.account), k.currency, m.settled.String(), m.debits.String(), m.credits.String())
}

func (r rows) journal(j journalRow) {
	r.batch.Queue(sqlInsertJournal, int64(j.account), int32(j.date), orNull(j.trade), orNull(j.cash), j.symbol, j.currency, j.memo,
		j.tdQuantity.String(), j.tdAmount.String(), j.sdQuantity.String(), j.sdAmount.String())
}

func (r rows) cash(c cashRow, bookedAt int64) {
	r.batch.Queue(`INSERT INTO bank.cash (cash_id, client_id, account_id, target_account_id, currency, amount, kind, booked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		int64(c.id), c.ClientID, int64(c.AccountID), orNull(c.TargetAccountID), c.Currency, c.Amount.String(), c.Kind, bookedAt)
}

func (r rows) event(topic topic, key string, rest []byte) {
	r.batch.Queue(sqlInsertEvent, int16(topic), key, string(rest))
}

// bulk is the sink of a roll's chunk: one statement for each table. A position or balance that changes several times is written once.
type bulk struct {
	trades   columns
	holdings map[holdingKey]*holding
	monies   map[moneyKey]*money
	rows     columns
	outbox   columns
}

// columns are rows turned round, each column in its Postgres text.
type columns [][]*string

func (c *columns) add(row ...*string) {
	if *c == nil {
		*c = make(columns, len(row))
	}
	for i := range row {
		(*c)[i] = append((*c)[i], row[i])
	}
}

func newBulk() *bulk {
	return &bulk{holdings: map[holdingKey]*holding{}, monies: map[moneyKey]*money{}}
}

func (b *bulk) insertTrade(*trade)  { panic("a roll books no trade") }
func (b *bulk) cash(cashRow, int64) { panic("a roll moves no cash") }

func (b *bulk) updateTrade(t *trade) {
	b.trades.add(idText(t.TradeID), &t.State, decimalOrNull(t.running), decimalOrNull(t.targetRunning))
}

func (b *bulk) holding(k holdingKey, h *holding) { b.holdings[k] = h }
func (b *bulk) money(k moneyKey, m *money)       { b.monies[k] = m }

func (b *bulk) journal(j journalRow) {
	date := bank.ID(j.date)
	b.rows.add(idText(j.account), idText(date), idText(j.trade), &j.symbol, &j.currency, &j.memo,
		text(j.tdQuantity), text(j.tdAmount), text(j.sdQuantity), text(j.sdAmount))
}

func (b *bulk) event(topic topic, key string, rest []byte) {
	event := string(rest)
	b.outbox.add(idText(bank.ID(topic)), &key, &event)
}

const (
	sqlBulkTrades = `UPDATE bank.trade AS t SET state = c.state, running = c.running::numeric, target_running = c.target::numeric
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS c (id, state, running, target) WHERE t.trade_id = c.id::bigint`
	sqlBulkHoldings = `INSERT INTO bank.position (account_id, symbol, quantity, settled_quantity)
		SELECT a::bigint, s, q::numeric, d::numeric FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS c (a, s, q, d)
		ON CONFLICT (account_id, symbol) DO UPDATE SET quantity = excluded.quantity, settled_quantity = excluded.settled_quantity`
	sqlBulkMonies = `INSERT INTO bank.balance (account_id, currency, settled_cash, unsettled_debits, unsettled_credits)
		SELECT a::bigint, s, c::numeric, d::numeric, e::numeric FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS c (a, s, c, d, e)
		ON CONFLICT (account_id, currency) DO UPDATE SET settled_cash = excluded.settled_cash, unsettled_debits = excluded.unsettled_debits, unsettled_credits = excluded.unsettled_credits`
	// Ids are given in the order of the rows: the defaults of an INSERT are computed after the sort.
	sqlBulkJournal = `INSERT INTO bank.journal (account_id, date, trade_id, symbol, currency, memo, td_quantity, td_amount, sd_quantity, sd_amount)
		SELECT a::bigint, d::integer, t::bigint, s, c, m, tq::numeric, ta::numeric, sq::numeric, sa::numeric
		FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
			WITH ORDINALITY AS c (a, d, t, s, c, m, tq, ta, sq, sa, n) ORDER BY n`
	sqlBulkEvents = `INSERT INTO bank.outbox (event_id, topic, key, event)
		SELECT id, t, k, '{"event_id":' || id || ',' || e
		FROM (SELECT nextval('bank.event_id') AS id, t::smallint AS t, k, e FROM (SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
			WITH ORDINALITY AS c (t, k, e, n) ORDER BY n) AS sorted) AS new`
)

// queue adds the statements of all that was collected.
func (b *bulk) queue(to *pgx.Batch) {
	var holdings, monies columns
	for k, h := range b.holdings {
		holdings.add(idText(k.account), &k.symbol, text(h.quantity), text(h.settled))
	}
	for k, m := range b.monies {
		monies.add(idText(k.account), &k.currency, text(m.settled), text(m.debits), text(m.credits))
	}
	for _, q := range []struct {
		sql  string
		rows columns
	}{{sqlBulkTrades, b.trades}, {sqlBulkHoldings, holdings}, {sqlBulkMonies, monies}, {sqlBulkJournal, b.rows}, {sqlBulkEvents, b.outbox}} {
		if q.rows == nil {
			continue
		}
		args := make([]any, len(q.rows))
		for i, column := range q.rows {
			args[i] = column
		}
		to.Queue(q.sql, args...)
	}
}

func idText(id bank.ID) *string { return new(id.String()) }

func text(d decimal.Decimal) *string { return new(d.String()) }

// orNull gives null for the id 0.
func orNull(id bank.ID) *int64 {
	if id == 0 {
		return nil
	}
	return new(int64(id))
}

func idOrNull(id *bank.ID) *int64 {
	if id == nil {
		return nil
	}
	return new(int64(*id))
}

func decimalOrNull(d *bank.Decimal) *string {
	if d == nil {
		return nil
	}
	return new(d.String())
}
