package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/idle"
)

// How long to wait between two questions to Bank about the same call.
const (
	askFirst = 20 * time.Millisecond
	askLast  = 500 * time.Millisecond
)

// intent is a call that is written down and whose outcome is not.
type intent struct {
	ID      int64
	Kind    string
	Keys    []int64
	Request json.RawMessage
	Left    float64 // seconds until the call has ended in any case
}

const intentSQL = `SELECT id, kind, keys, request, extract(epoch FROM until - clock_timestamp())::float8 AS left FROM facade.intent WHERE id = $1`

// What Bank says about a call.
type knowledge int

const (
	open    knowledge = iota // nothing of it is to be seen, yet
	booked                   // done
	refused                  // not done, and it won't be
)

// learn asks Bank for a call until it knows. What Bank has not done by an instant, when it answers, it won't do. withdrawn, if not nil, is asked each time whether the
// intent is still there. An error: ctx ended, or [errWithdrawn].
func (q *Queue) learn(ctx context.Context, in *intent, until time.Time, withdrawn func(context.Context) bool) (outcome, error) {
	for pause := askFirst; ; pause = min(2*pause, askLast) {
		over := time.Now().After(until) // before asking: an answer of before doesn't count
		o, known, err := q.ask(ctx, in, over)
		if known {
			return o, nil
		}
		if err != nil && ctx.Err() == nil {
			q.cfg.Log.Warn("Bank can't be asked for a call, its accounts wait", "intent", in.ID, "kind", in.Kind, "error", err)
		}
		if withdrawn != nil && withdrawn(ctx) {
			return outcome{}, errWithdrawn
		}
		if !idle.For(ctx, pause) {
			return outcome{}, fmt.Errorf("its outcome is not known: %w", context.Cause(ctx))
		}
	}
}

// ask asks Bank once. over says that the time is over by which Bank must know the call if it ever will.
func (q *Queue) ask(ctx context.Context, in *intent, over bool) (o outcome, known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, q.cfg.timeout(in.Kind))
	defer cancel()
	k, answer, err := q.look(ctx, in)
	switch {
	case err != nil && (!over || bank.TypeOf(err) != bank.Internal):
		return outcome{}, false, err
	case k == booked:
		text, err := json.Marshal(answer)
		if err != nil {
			return outcome{}, false, fmt.Errorf("encode the answer of intent %d: %w", in.ID, err)
		}
		return outcome{accepted: true, answer: text}, true, nil
	case k == refused:
		return outcome{}, true, nil
	case over:
		q.cfg.Log.Warn("Bank knows nothing of a call, it counts as refused", "intent", in.ID, "kind", in.Kind)
		return outcome{watch: in.Kind == KindTrades || in.Kind == KindCancel}, true, nil
	}
	return outcome{}, false, nil
}

// look finds out what Bank knows. Trades and cancels are looked for. The other calls are idempotent and say what they do, so they are made again: the answer is the
// first one's, also where the first one is still under way.
func (q *Queue) look(ctx context.Context, in *intent) (k knowledge, answer Answer, err error) {
	switch in.Kind {
	case KindTrades:
		return q.lookForTrades(ctx, in)
	case KindCancel:
		var c cancel
		if err := decode(in.Request, &c); err != nil {
			return open, answer, err
		}
		stored, err := q.cfg.Bank.Trade(ctx, bank.TradeRef(c))
		switch {
		case bank.TypeOf(err) == bank.TradeNotFound:
			return refused, answer, nil
		case err != nil:
			return open, answer, err
		case stored.State == bank.StateCanceled:
			return booked, answer, nil
		case stored.State == bank.StateSettled:
			return refused, answer, nil
		}
		return open, answer, nil
	case KindCash:
		var c bank.Cash
		if err = decode(in.Request, &c); err == nil {
			answer.CashID, err = q.cfg.Bank.MoveCash(ctx, c)
		}
	case KindRoll:
		var r roll
		if err = decode(in.Request, &r); err == nil {
			err = q.cfg.Bank.Roll(ctx, r.Date)
		}
	case KindEntity:
		var e bank.Entity
		if err = decode(in.Request, &e); err == nil {
			_, err = q.cfg.Bank.CreateEntity(ctx, e)
		}
	case KindAccount:
		var a bank.NewAccount
		if err = decode(in.Request, &a); err == nil {
			_, err = q.cfg.Bank.CreateAccount(ctx, a)
		}
	default:
		return open, answer, fmt.Errorf("a call of the kind %q, which this program doesn't know", in.Kind)
	}
	switch {
	case err == nil:
		return booked, answer, nil
	case rejection(err):
		return refused, answer, nil
	}
	return open, answer, err
}

// lookForTrades: they are all there, or none is. Others under the same ids say that these were refused.
func (q *Queue) lookForTrades(ctx context.Context, in *intent) (k knowledge, answer Answer, err error) {
	var trades []bank.Trade
	if err := decode(in.Request, &trades); err != nil {
		return open, answer, err
	}
	for i := range trades {
		t := &trades[i]
		stored, err := q.cfg.Bank.Trade(ctx, bank.TradeRef{AccountID: t.AccountID, ClientTradeID: t.ClientTradeID})
		switch {
		case bank.TypeOf(err) == bank.TradeNotFound:
			return open, answer, nil
		case err != nil:
			return open, answer, err
		case !stored.Trade.Same(t):
			return refused, answer, nil
		}
		answer.Trades = append(answer.Trades, bank.Booked{ClientTradeID: t.ClientTradeID, TradeID: stored.TradeID})
	}
	return booked, answer, nil
}

// rejection reports whether an error is a system's decision.
func rejection(err error) bool { return bank.TypeOf(err).Refuses() }

func decode(text json.RawMessage, to any) error {
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("decode a stored request: %w", err)
	}
	return nil
}

// chainSQL gives intents with all that are before them on their keys, directly or over others.
const chainSQL = `WITH RECURSIVE chain (id) AS (
		SELECT unnest($1::bigint[])
		UNION
		SELECT e.intent FROM chain c JOIN facade.intent_key k ON k.intent = c.id
			JOIN facade.intent_key e ON e.intent < c.id AND (e.key = k.key OR e.key = 0 OR k.key = 0)
	) SELECT id FROM chain ORDER BY id`

// resolveChain finds the outcomes of intents that nobody looks after, in order, on a connection that has the lock of one key of each of them; and before of all that
// are before them on any of their keys: these are dead, too, or the later ones would not be there. Without wait it asks Bank once, and
// gives false if it is too early to say.
func (q *Queue) resolveChain(ctx context.Context, conn *pgx.Conn, ids []int64, wait bool) (resolved bool, err error) {
	rows, err := conn.Query(ctx, chainSQL, ids)
	if err != nil {
		return false, fmt.Errorf("look for earlier intents: %w", err)
	}
	if ids, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
		return false, fmt.Errorf("look for earlier intents: %w", err)
	}
	for _, id := range ids {
		if resolved, err := q.resolveDead(ctx, conn, id, wait); err != nil || !resolved {
			return false, err
		}
	}
	return true, nil
}

// resolveDead finds the outcome of one intent.
func (q *Queue) resolveDead(ctx context.Context, conn *pgx.Conn, id int64, wait bool) (resolved bool, err error) {
	own := lockIntent | id&lockWhich
	// Another account's next call may be at the same intent. Whoever has this lock waits for none but Bank.
	if _, err := conn.Exec(ctx, lockAllSQL, own); err != nil {
		return false, fmt.Errorf("lock intent %d: %w", id, err)
	}
	defer func() {
		_, failed := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, own)
		err = errors.Join(err, failed)
	}()
	rows, err := conn.Query(ctx, intentSQL, id)
	if err != nil {
		return false, fmt.Errorf("read intent %d: %w", id, err)
	}
	in, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[intent])
	switch {
	case errors.Is(err, pgx.ErrNoRows): // somebody else was at it
		return true, nil
	case err != nil:
		return false, fmt.Errorf("read intent %d: %w", id, err)
	}
	var o outcome
	until := time.Now().Add(time.Duration(in.Left*float64(time.Second)) + q.cfg.SettleAfter)
	if wait {
		o, err = q.learn(ctx, in, until, func(ctx context.Context) (gone bool) {
			err := conn.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM facade.intent WHERE id = $1)`, id).Scan(&gone)
			return err == nil && gone
		})
		if errors.Is(err, errWithdrawn) {
			return true, nil
		}
		resolved = err == nil
	} else {
		o, resolved, err = q.ask(ctx, in, time.Now().After(until))
	}
	if err != nil || !resolved {
		return false, err
	}
	name, args := o.statement()
	values := []any{id}
	for _, arg := range args {
		values = append(values, arg)
	}
	if _, err := conn.Exec(ctx, prepared[name], values...); err != nil {
		return false, fmt.Errorf("write the outcome of intent %d: %w", id, err)
	}
	q.cfg.Log.Warn("resolved a call that nobody looked after", "intent", in.ID, "kind", in.Kind, "keys", in.Keys, "accepted", o.accepted)
	q.worker.Wake()
	return true, nil
}
