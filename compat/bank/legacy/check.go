package legacy

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// checks are queries that must find nothing: each gives lines that say what is wrong.
var checks = []struct{ what, sql string }{
	{"a position is the sum of its journal", `
		SELECT format('account %s, %s: %s settled %s, journal %s settled %s', account_id, symbol, p.quantity, p.settled_quantity, j.td, j.sd)
		FROM bank.position p FULL JOIN (
			SELECT account_id, symbol, sum(td_quantity) AS td, sum(sd_quantity) AS sd FROM bank.journal WHERE trade_id IS NOT NULL GROUP BY 1, 2) j USING (account_id, symbol)
		WHERE (p.quantity, p.settled_quantity) IS DISTINCT FROM (j.td, j.sd)`},
	{"a balance is the sum of its journal", `
		SELECT format('account %s, %s: traded %s settled %s, journal %s settled %s', account_id, currency, b.settled_cash + b.unsettled_credits - b.unsettled_debits, b.settled_cash, j.td, j.sd)
		FROM bank.balance b FULL JOIN (
			SELECT account_id, currency, sum(td_amount) AS td, sum(sd_amount) AS sd FROM bank.journal GROUP BY 1, 2) j USING (account_id, currency)
		WHERE (b.settled_cash + b.unsettled_credits - b.unsettled_debits, b.settled_cash) IS DISTINCT FROM (j.td, j.sd)`},
	{"debits and credits are those of the open trades", `
		SELECT format('account %s, %s: debits %s credits %s, open trades %s and %s', account_id, currency, b.unsettled_debits, b.unsettled_credits, o.debits, o.credits)
		FROM bank.balance b FULL JOIN (
			SELECT account_id, currency, sum(greatest(-amount, 0)) AS debits, sum(greatest(amount, 0)) AS credits FROM legs WHERE state = 'open' GROUP BY 1, 2) o USING (account_id, currency)
		WHERE (coalesce(b.unsettled_debits, 0), coalesce(b.unsettled_credits, 0)) IS DISTINCT FROM (coalesce(o.debits, 0), coalesce(o.credits, 0))`},
	{"a trade's journal is what its state says", `
		SELECT format('trade %s (%s), account %s: journal %s %s, settled %s %s', trade_id, l.state, account_id, j.tq, j.ta, j.sq, j.sa)
		FROM legs l FULL JOIN (
			SELECT trade_id, account_id, sum(td_quantity) AS tq, sum(td_amount) AS ta, sum(sd_quantity) AS sq, sum(sd_amount) AS sa
			FROM bank.journal WHERE trade_id IS NOT NULL GROUP BY 1, 2) j USING (trade_id, account_id)
		WHERE l.state IS NULL
			OR (coalesce(j.tq, 0), coalesce(j.ta, 0)) IS DISTINCT FROM (CASE WHEN l.state IN ('open', 'settled') THEN l.quantity ELSE 0 END, CASE WHEN l.state IN ('open', 'settled') THEN l.amount ELSE 0 END)
			OR (coalesce(j.sq, 0), coalesce(j.sa, 0)) IS DISTINCT FROM (CASE WHEN l.state = 'settled' THEN l.quantity ELSE 0 END, CASE WHEN l.state = 'settled' THEN l.amount ELSE 0 END)`},
	{"a trade's state fits the business date", `
		SELECT format('trade %s of %s, settling %s, is %s on %s', trade_id, trade_date, settle_date, state, d.date) FROM bank.trade, bank.business_date d
		WHERE d.rolling_to = 0 AND (
			state = 'new' AND trade_date <= d.date OR state = 'open' AND d.date <> 0 AND settle_date <= d.date OR state = 'settled' AND settle_date > d.date OR state = 'new' AND d.date = 0)`},
	{"a running position is there once a trade has opened", `
		SELECT format('trade %s is %s', trade_id, state) FROM bank.trade
		WHERE state IN ('open', 'settled') AND (running IS NULL OR (target_account_id IS NULL) <> (target_running IS NULL)) OR state = 'new' AND running IS NOT NULL`},
	{"what a trade replaces is canceled", `
		SELECT format('trade %s replaces %s, which is %s', t.trade_id, t.replaces, o.state) FROM bank.trade t LEFT JOIN bank.trade o ON o.trade_id = t.replaces
		WHERE t.replaces IS NOT NULL AND (o.state IS DISTINCT FROM 'canceled' OR o.account_id <> t.account_id OR o.replaced_by IS NULL)`},
	{"no id is above its sequence", `
		SELECT format('%s %s, sequence %s', what, id, last) FROM (
			SELECT 'trade' AS what, (SELECT max(trade_id) FROM bank.trade) AS id, (SELECT last_value FROM bank.trade_id) AS last
			UNION ALL SELECT 'cash', (SELECT max(cash_id) FROM bank.cash), (SELECT last_value FROM bank.cash_id)
			UNION ALL SELECT 'event', (SELECT max(event_id) FROM bank.outbox), (SELECT last_value FROM bank.event_id)) AS ids
		WHERE id > last`},
}

// sqlLegs are the sides of all trades: what they move if they are in the books.
const sqlLegs = `WITH legs AS (
	SELECT trade_id, account_id, currency, state, CASE WHEN sell THEN -quantity ELSE quantity END AS quantity, net_amount AS amount FROM bank.trade
	UNION ALL
	SELECT trade_id, target_account_id, currency, state, CASE WHEN sell THEN quantity ELSE -quantity END, -(net_amount + (request -> 'fees' ->> 'commission')::numeric)
	FROM bank.trade WHERE target_account_id IS NOT NULL)`

// mostFindings is how many are told of each check.
const mostFindings = 10

// Check holds the tables of a Bank's database against each other, as of one moment, and reports everything that does not fit. It reads everything: for tests and audits.
func Check(ctx context.Context, pool *pgxpool.Pool) error {
	var wrong []error
	err := pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, c := range checks {
			found, err := all(ctx, tx, c.what, pgx.RowTo[string], sqlLegs+c.sql+fmt.Sprintf(` LIMIT %d`, mostFindings))
			if err != nil {
				return err
			}
			for _, finding := range found {
				wrong = append(wrong, fmt.Errorf("%s: %s", c.what, finding))
			}
		}
		return nil
	})
	return errors.Join(append(wrong, err)...)
}
