package oddities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
)

// kind is an oddity.
type kind struct {
	name  string
	plant func(context.Context, *planter) error
}

const (
	anyTrade = `true`
	inForce  = `state IN ('open', 'settled')`
	// What it moved adds up to nothing, and is still in the sums of two days.
	thereAndBack = `state = 'canceled' AND 1 < (SELECT count(DISTINCT date) FROM bank.journal AS j WHERE j.trade_id = t.trade_id AND memo IN ('open', 'cancel'))`
)

// kinds are the oddities, in the order in which they take their rows: those that need rare ones come first.
func kinds() []kind {
	return []kind{
		{"a link back that is missing", linkBack},
		{"a link that is missing", linkAhead},
		{"links to nothing", dangling},
		{"an allocation without its target", heldTrades(history.NoTarget, `target_account_id IS NOT NULL`, `UPDATE bank.trade SET target_account_id = NULL, target_running = NULL WHERE trade_id = $1`)},
		{"a request of a trade that was opened and cancelled, which breaks the contract", heldTrades(history.BadRequest, thereAndBack, `UPDATE bank.trade SET request = (request::jsonb - 'quantity')::json WHERE trade_id = $1`)},
		{"a fee that was never charged", feeMissing},
		{"settlement on a holiday", holiday},
		{"an instrument of no known type", heldTrades(history.BadInstrument, anyTrade, `UPDATE bank.trade SET request = jsonb_set(request::jsonb, '{instrument,identifier_type}', '"figi"')::json WHERE trade_id = $1`)},
		{"an instrument without identifier", heldTrades(history.BadInstrument, anyTrade, `UPDATE bank.trade SET request = (request::jsonb #- '{instrument,identifier}')::json WHERE trade_id = $1`)},
		{"a request that breaks the contract", heldTrades(history.BadRequest, anyTrade, `UPDATE bank.trade SET request = (request::jsonb - 'quantity')::json WHERE trade_id = $1`)},
		{"a column that the request contradicts", heldTrades(history.OtherColumns, anyTrade, `UPDATE bank.trade SET price = price + 1 WHERE trade_id = $1`)},
		{"an amount that does not follow", heldTrades(history.OtherAmounts, anyTrade, `UPDATE bank.trade SET gross_amount = gross_amount + 0.01 WHERE trade_id = $1`)},
		{"a state that the dates contradict", heldTrades(history.StateDates, `state = 'settled'`, `UPDATE bank.trade SET state = 'open' WHERE trade_id = $1`)},
		{"a settlement before the trade date", heldTrades(history.StateDates, inForce, `UPDATE bank.trade SET settle_date = trade_date - 1 WHERE trade_id = $1`)},
		{"times in seconds", seconds},
		{"execution times in seconds", secondsAsked},
		{"client ids that differ in case or space", twins},
		{"cash client ids that differ in case", cashTwins},
		{"a journal row that does not foot", oddRow},
		{"a journal row that is missing", missingRow},
		{"a journal row of nothing", orphanRow},
		{"a position without trades", positionOrphan},
		{"a position that is off", positionOff},
		{"a balance without trades", balanceOrphan},
		{"a balance that is off", balanceOff},
		{"debits that are off", pendingOff},
		{"a balance that never moved", idle},
		{"cash without journal rows", cashUnbooked},
	}
}

// heldTrades is an oddity of a trade alone that puts it into quarantine.
func heldTrades(rule history.Rule, where, change string) func(context.Context, *planter) error {
	return func(ctx context.Context, p *planter) error {
		ids, err := p.trades(ctx, true, where)
		if err != nil {
			return err
		}
		for _, id := range ids {
			p.quarantines(source.Trades, rule, id.String())
		}
		return p.each(ctx, ids, change)
	}
}

// Both at once: max alone Postgres looks for along the primary key, row by row.
const linked = `replaces IS NULL AND (replaced_by, 1) = (SELECT max(trade_id), count(*) FROM bank.trade AS r WHERE r.replaces = t.trade_id)`

func linkBack(ctx context.Context, p *planter) error {
	ids, err := p.trades(ctx, false, linked)
	if err != nil {
		return err
	}
	p.fires(history.LinkRestored, len(ids))
	return p.each(ctx, ids, `UPDATE bank.trade SET replaced_by = NULL WHERE trade_id = $1`)
}

func linkAhead(ctx context.Context, p *planter) error {
	ids, err := p.trades(ctx, false, linked)
	if err != nil {
		return err
	}
	p.fires(history.LinkRestored, len(ids))
	return p.each(ctx, ids, `UPDATE bank.trade SET replaces = NULL WHERE replaces = $1`)
}

// dangling makes links to trades that were never booked, both ways.
func dangling(ctx context.Context, p *planter) error {
	const nobody = 1 << 40
	canceled, err := p.trades(ctx, true, `state = 'canceled' AND NOT EXISTS (SELECT FROM bank.trade AS r WHERE r.replaces = t.trade_id)`)
	if err != nil {
		return err
	}
	others, err := p.trades(ctx, true, inForce)
	if err != nil {
		return err
	}
	p.fires(history.LinkDropped, len(canceled)+len(others))
	if err := p.each(ctx, canceled, fmt.Sprintf(`UPDATE bank.trade SET replaced_by = %d + trade_id WHERE trade_id = $1`, int64(nobody))); err != nil {
		return err
	}
	return p.each(ctx, others, fmt.Sprintf(`UPDATE bank.trade SET replaces = %d + trade_id WHERE trade_id = $1`, int64(nobody)))
}

func feeMissing(ctx context.Context, p *planter) error {
	ids, err := p.trades(ctx, true, inForce+` AND sec_fee > 0 AND net_amount > 0`)
	if err != nil {
		return err
	}
	p.fires(history.FeeMissing, len(ids))
	return p.each(ctx, ids,
		`UPDATE bank.balance AS b SET settled_cash = settled_cash + CASE state WHEN 'settled' THEN sec_fee ELSE 0 END,
			unsettled_credits = unsettled_credits + CASE state WHEN 'open' THEN sec_fee ELSE 0 END
			FROM bank.trade AS t WHERE t.trade_id = $1 AND b.account_id = t.account_id AND b.currency = t.currency`,
		`DELETE FROM bank.journal WHERE trade_id = $1 AND memo LIKE 'sec_fee%'`,
		`UPDATE bank.trade SET net_amount = net_amount + sec_fee, sec_fee = 0 WHERE trade_id = $1`)
}

// holiday has trades settle on Christmas Day, some by the request, some without it.
func holiday(ctx context.Context, p *planter) error {
	open := `state IN ('new', 'open') AND trade_date BETWEEN 20010101 AND 20131224 AND (SELECT date FROM bank.business_date) < 20131225 AND request -> 'settlement' ->> 'date' IS NULL
		AND settle_date < 99991231`
	ids, err := p.trades(ctx, true, open)
	if err != nil {
		return err
	}
	p.fires(history.OddSettlement, len(ids))
	if err := p.each(ctx, ids, `UPDATE bank.trade SET settle_date = 20131225 WHERE trade_id = $1`); err != nil {
		return err
	}
	if ids, err = p.trades(ctx, true, open); err != nil {
		return err
	}
	return p.each(ctx, ids, `UPDATE bank.trade SET settle_date = 20131225, request = jsonb_set(request::jsonb, '{settlement,date}', '20131225')::json WHERE trade_id = $1`)
}

func seconds(ctx context.Context, p *planter) error {
	ids, err := p.trades(ctx, true, anyTrade)
	if err != nil {
		return err
	}
	p.fires(history.SecondsStored, len(ids))
	if err := p.each(ctx, ids, `UPDATE bank.trade SET booked_at = booked_at / 1000 WHERE trade_id = $1`); err != nil {
		return err
	}
	if ids, err = p.trades(ctx, true, `state = 'canceled'`); err != nil {
		return err
	}
	p.fires(history.SecondsStored, len(ids))
	return p.each(ctx, ids, `UPDATE bank.trade SET canceled_at = canceled_at / 1000 WHERE trade_id = $1`)
}

func secondsAsked(ctx context.Context, p *planter) error {
	ids, err := p.trades(ctx, true, `request::text ~ '"timestamp":[0-9]{13}'`)
	if err != nil {
		return err
	}
	p.fires(history.SecondsAsked, len(ids))
	return p.each(ctx, ids, `UPDATE bank.trade SET request = regexp_replace(request::text, '"timestamp":([0-9]{10})[0-9]{3}', '"timestamp":\1')::json WHERE trade_id = $1`)
}

// twins gives trades the client ids of others in the same account, in capitals and with a blank. Neither may have an oddity: some of those are in quarantine, where no rule counts them.
func twins(ctx context.Context, p *planter) error {
	fit := func() string {
		var used []string
		for _, id := range slices.Sorted(maps.Keys(p.used)) {
			used = append(used, id.String())
		}
		return `o.client_trade_id = lower(o.client_trade_id) AND o.client_trade_id ~ '^[a-z0-9-]*[a-z][a-z0-9-]*$' AND o.trade_id <> ALL ('{` + strings.Join(used, ",") + `}'::bigint[])`
	}
	for _, spelled := range []string{`upper(o.client_trade_id)`, `' ' || o.client_trade_id`} {
		ids, err := p.trades(ctx, true, `client_trade_id NOT IN (SELECT r.request ->> 'cancel_trade_id' FROM bank.trade AS r WHERE r.request ->> 'cancel_trade_id' IS NOT NULL)
			AND account_id IN (SELECT o.account_id FROM bank.trade AS o WHERE `+fit()+` GROUP BY o.account_id HAVING count(*) > 1)`)
		if err != nil {
			return err
		}
		for _, id := range ids {
			var name string
			var other bank.ID
			err := p.tx.QueryRow(ctx, `SELECT `+spelled+`, o.trade_id FROM bank.trade AS t JOIN bank.trade AS o ON o.account_id = t.account_id AND `+fit()+`
				WHERE t.trade_id = $1 AND 1 = (SELECT count(*) FROM bank.trade AS a WHERE a.account_id = t.account_id AND lower(btrim(a.client_trade_id)) = o.client_trade_id)
				ORDER BY o.trade_id DESC LIMIT 1`, int64(id)).Scan(&name, &other)
			if errors.Is(err, pgx.ErrNoRows) {
				continue // one twin each, so that the count is plain
			}
			if err != nil {
				return err
			}
			p.used[other] = true
			p.fires(history.CaseTwins, 2)
			if _, err := p.must(ctx, `UPDATE bank.trade SET client_trade_id = $2, request = jsonb_set(request::jsonb, '{client_trade_id}', to_jsonb($2::text))::json WHERE trade_id = $1`, int64(id), name); err != nil {
				return err
			}
		}
	}
	return nil
}

func cashTwins(ctx context.Context, p *planter) error {
	for n := range p.Each {
		changed, err := p.must(ctx, `UPDATE bank.cash AS c SET client_id = upper(o.client_id)
			FROM (SELECT cash_id, client_id FROM bank.cash WHERE client_id ~ '[a-z]' ORDER BY cash_id OFFSET $1 LIMIT 1) AS o
			WHERE c.cash_id = (SELECT cash_id FROM bank.cash ORDER BY cash_id DESC OFFSET $1 LIMIT 1) AND c.cash_id > o.cash_id
				AND NOT EXISTS (SELECT FROM bank.cash WHERE client_id = upper(o.client_id))`, n)
		if err != nil {
			return err
		}
		p.fires(history.CashTwins, 2*int(changed))
	}
	return nil
}

// rows picks one row of each of some trades.
func (p *planter) rows(ctx context.Context, where string) (keys []string, err error) {
	ids, err := p.trades(ctx, true, `EXISTS (SELECT FROM bank.journal AS j WHERE j.trade_id = t.trade_id AND `+where+`)`)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		var key bank.ID
		if err := p.tx.QueryRow(ctx, `SELECT min(journal_id) FROM bank.journal AS j WHERE trade_id = $1 AND `+where, int64(id)).Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key.String())
	}
	return keys, nil
}

func oddRow(ctx context.Context, p *planter) error {
	keys, err := p.rows(ctx, `memo = 'settle'`)
	if err != nil {
		return err
	}
	p.quarantines(source.Journal, history.RowOdd, keys...)
	_, err = p.must(ctx, `UPDATE bank.journal SET sd_amount = sd_amount + 0.01 WHERE journal_id = ANY ($1::text[]::bigint[])`, keys)
	return err
}

func missingRow(ctx context.Context, p *planter) error {
	keys, err := p.rows(ctx, `memo = 'settle'`)
	if err != nil {
		return err
	}
	p.fires(history.RowMissing, len(keys))
	_, err = p.must(ctx, `DELETE FROM bank.journal WHERE journal_id = ANY ($1::text[]::bigint[])`, keys)
	return err
}

func orphanRow(ctx context.Context, p *planter) error {
	for n := range p.Each {
		var key bank.ID
		err := p.tx.QueryRow(ctx, `INSERT INTO bank.journal (account_id, date, trade_id, symbol, currency, memo, td_quantity, td_amount, sd_quantity, sd_amount)
			SELECT min(account_id), (SELECT date FROM bank.business_date), $1, 'IBM', 'USD', 'open', 1, -1, 0, 0 FROM bank.account RETURNING journal_id`, int64(1)<<41+int64(n)).Scan(&key)
		if err != nil {
			return err
		}
		p.quarantines(source.Journal, history.RowOrphan, key.String())
	}
	return nil
}

func positionOrphan(ctx context.Context, p *planter) error {
	n, err := p.must(ctx, `INSERT INTO bank.position (account_id, symbol, quantity, settled_quantity)
		SELECT account_id, 'ODD' || account_id, 100 + account_id % 7, account_id % 5 FROM bank.account ORDER BY md5(account_id || $2), account_id LIMIT $1`, p.Each, p.salt())
	p.fires(history.PositionOrphan, int(n))
	return err
}

func (p *planter) salt() string { return fmt.Sprint(p.Seed) }

// moved begins the condition that a trade without an oddity moves the holding h: what only those in quarantine move is without trades. $3 is [planter.odd].
const moved = `EXISTS (SELECT FROM bank.journal AS j JOIN bank.trade AS t ON t.trade_id = j.trade_id WHERE j.account_id = h.account_id AND t.trade_id <> ALL ($3::bigint[])`

// odd gives the trades that have an oddity.
func (p *planter) odd() []int64 {
	ids := []int64{}
	for id := range p.used {
		ids = append(ids, int64(id))
	}
	return ids
}

func positionOff(ctx context.Context, p *planter) error {
	n, err := p.must(ctx, `UPDATE bank.position SET quantity = quantity + 7, settled_quantity = settled_quantity + 3
		WHERE (account_id, symbol) IN (SELECT account_id, symbol FROM bank.position AS h WHERE `+moved+` AND j.symbol = h.symbol) ORDER BY md5(account_id || symbol || $2), account_id, symbol LIMIT $1)`,
		p.Each, p.salt(), p.odd())
	p.fires(history.PositionOff, int(n))
	return err
}

func balanceOrphan(ctx context.Context, p *planter) error {
	n, err := p.must(ctx, `INSERT INTO bank.balance (account_id, currency, settled_cash, unsettled_debits, unsettled_credits)
		SELECT account_id, 'XTS', 12.5, 0, 0 FROM bank.account ORDER BY md5(account_id || $2), account_id LIMIT $1`, p.Each, p.salt())
	p.fires(history.BalanceOrphan, int(n))
	return err
}

func balanceOff(ctx context.Context, p *planter) error {
	n, err := p.must(ctx, `UPDATE bank.balance SET settled_cash = settled_cash - 0.03
		WHERE (account_id, currency) IN (SELECT account_id, currency FROM bank.balance AS h WHERE `+moved+` AND j.currency = h.currency) ORDER BY md5(account_id || currency || $2), account_id, currency LIMIT $1)`,
		p.Each, p.salt(), p.odd())
	p.fires(history.BalanceOff, int(n))
	return err
}

// keysOf runs a statement that gives the account and the currency of the balances that it changed.
func (p *planter) keysOf(ctx context.Context, sql string, args ...any) ([]string, error) {
	rows, err := p.tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func pendingOff(ctx context.Context, p *planter) error {
	keys, err := p.keysOf(ctx, `UPDATE bank.balance SET unsettled_debits = unsettled_debits + 5
		WHERE (account_id, currency) IN (SELECT account_id, currency FROM bank.balance WHERE currency <> 'XTS' ORDER BY md5($2 || account_id || currency), account_id, currency LIMIT $1)
		RETURNING account_id || '/' || currency`, p.Each, p.salt())
	p.quarantines(source.Balances, history.BalancePending, keys...)
	return err
}

func idle(ctx context.Context, p *planter) error {
	keys, err := p.keysOf(ctx, `INSERT INTO bank.balance (account_id, currency, settled_cash, unsettled_debits, unsettled_credits)
		SELECT account_id, 'XXX', 0, 0, 0 FROM bank.account ORDER BY md5($2 || account_id), account_id LIMIT $1 RETURNING account_id || '/' || currency`, p.Each, p.salt())
	p.quarantines(source.Balances, history.BalanceIdle, keys...)
	return err
}

func cashUnbooked(ctx context.Context, p *planter) error {
	keys, err := p.keysOf(ctx, `INSERT INTO bank.cash (cash_id, client_id, account_id, currency, amount, kind, booked_at)
		SELECT nextval('bank.cash_id'), 'lost-' || account_id, account_id, 'USD', 10, 'deposit', 1381132800000 FROM bank.account ORDER BY md5($2 || account_id), account_id LIMIT $1
		RETURNING cash_id::text`, p.Each, p.salt())
	p.quarantines(source.CashMovements, history.CashUnbooked, keys...)
	return err
}
