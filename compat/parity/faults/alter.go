package faults

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// one makes one fault.
func (in *injector) one(ctx context.Context, kind string) (Fault, error) {
	table, condition := dialect.TradeEvents, ""
	var fit func(*candidate) (bool, error)
	atEnd := func(c *candidate) (bool, error) { return in.free(ctx, c.account, 0, in.lastID+1) }
	var next []candidate
	switch kind {
	case WrongCash, DroppedCash:
		table = dialect.CashEvents
	case Extra:
		condition, fit = "event = 'opened' AND target_account_id IS NULL", atEnd
	case Doubled:
		fit = atEnd
	case SwappedIDs:
		condition = "event = 'opened'"
	case Reordered, Late:
		fit = func(c *candidate) (ok bool, err error) {
			if next, err = in.behind(ctx, c); err != nil || len(next) < 3 {
				return false, err
			}
			if kind == Late {
				return atEnd(c)
			}
			return next[0].number == c.number || !in.trades[next[0].number], nil
		}
	}
	c, err := in.take(ctx, table, condition, fit)
	if err != nil {
		return Fault{}, err
	}
	row, err := in.rows.read(ctx, table, c.place)
	if err != nil {
		return Fault{}, err
	}
	f := Fault{
		Kind: kind, Event: Event{c.account, table == dialect.CashEvents, c.number, c.event}, Topic: c.topic, Partition: c.partition, Offset: c.offset,
	}
	switch kind {
	case Dropped, DroppedCash:
		return f, in.rows.remove(ctx, table, c.place)
	case Unreadable:
		value := bytes.Replace(row.event.AppendJSON(nil), []byte(`"price":"`), []byte(`"price":"O`), 1)
		return f, in.rows.reject(ctx, row, value)
	case Doubled, Extra:
		return f, in.again(ctx, row, &f)
	case Reordered:
		return f, in.swapOffsets(ctx, row, &next[0], &f)
	case Late:
		end, err := in.end(ctx, row.place)
		if err != nil {
			return f, err
		}
		row.offset = end
		f.Was, f.Is = strconv.FormatInt(c.offset, 10), strconv.FormatInt(end, 10)
		return f, in.rows.replace(ctx, c.place, row)
	case SwappedIDs:
		return f, in.swapIDs(ctx, row, &f)
	case WrongAccount:
		if err := in.wrongAccount(ctx, row, c, &f); err != nil {
			return f, err
		}
	case WrongText:
		row.canonical, f.Is = false, "as 100.0 for 100"
	default:
		if f.Was, f.Is, err = in.field(kind, row); err != nil {
			return f, err
		}
	}
	return f, in.rows.replace(ctx, c.place, row)
}

// behind gives some events of the account that stand behind one in its partition.
func (in *injector) behind(ctx context.Context, c *candidate) (next []candidate, err error) {
	q := in.rows.d.Quote
	rows, err := in.rows.tx.QueryContext(ctx, fmt.Sprintf("SELECT %[1]s, trade_id, event_id, event FROM trade_events WHERE %[2]s = ? AND topic = ? AND %[3]s = ? AND account_id = ? AND %[1]s > ? ORDER BY %[1]s LIMIT 4",
		q("offset"), q("side"), q("partition")), c.side, c.topic, c.partition, c.account, c.offset)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		n := candidate{place: c.place, account: c.account}
		if err := rows.Scan(&n.offset, &n.number, &n.eventID, &n.event); err != nil {
			return nil, err
		}
		next = append(next, n)
	}
	return next, rows.Err()
}

// end gives a free offset at the end of a partition.
func (in *injector) end(ctx context.Context, p place) (int64, error) {
	p.offset = 0
	if in.ends[p] == 0 {
		q := in.rows.d.Quote
		var last sql.NullInt64
		err := in.rows.tx.QueryRowContext(ctx, fmt.Sprintf("SELECT MAX(%s) FROM trade_events WHERE %s = ? AND topic = ? AND %s = ?", q("offset"), q("side"), q("partition")), p.side, p.topic, p.partition).Scan(&last)
		if err != nil {
			return 0, err
		}
		in.ends[p] = last.Int64
	}
	in.ends[p]++
	return in.ends[p], nil
}

// again adds an event once more at the end: the same, or as a trade that never was.
func (in *injector) again(ctx context.Context, row *landedRow, f *Fault) error {
	end, err := in.end(ctx, row.place)
	if err != nil {
		return err
	}
	in.lastID++
	in.use(f.Account, f.Number, in.lastID)
	f.Was, f.Is = strconv.FormatInt(row.event.ID, 10), strconv.FormatInt(in.lastID, 10)
	row.offset, row.event.ID = end, in.lastID
	if f.Kind == Extra {
		in.number++
		row.event.Trade.TradeID, f.Number = bank.ID(in.number), in.number
		row.event.Trade.ClientTradeID = "never-" + strconv.FormatInt(in.number, 10)
		in.trades[in.number] = true
	}
	return in.rows.write(ctx, row)
}

func (in *injector) swapOffsets(ctx context.Context, row *landedRow, next *candidate, f *Fault) error {
	other, err := in.rows.read(ctx, dialect.TradeEvents, next.place)
	if err != nil {
		return err
	}
	in.use(next.account, next.number, next.eventID)
	f.With = &Event{next.account, false, next.number, next.event}
	f.Was, f.Is = strconv.FormatInt(row.offset, 10), strconv.FormatInt(other.offset, 10)
	if err := errors.Join(in.rows.remove(ctx, row.table, row.place), in.rows.remove(ctx, other.table, other.place)); err != nil {
		return err
	}
	row.offset, other.offset = other.offset, row.offset
	return errors.Join(in.rows.write(ctx, row), in.rows.write(ctx, other))
}

func (in *injector) swapIDs(ctx context.Context, row *landedRow, f *Fault) error {
	c, err := in.take(ctx, dialect.TradeEvents, "event = 'opened'", nil)
	if err != nil {
		return err
	}
	other, err := in.rows.read(ctx, dialect.TradeEvents, c.place)
	if err != nil {
		return err
	}
	f.With = &Event{c.account, false, c.number, c.event}
	f.Was, f.Is = row.event.Trade.TradeID.String(), other.event.Trade.TradeID.String()
	row.event.Trade.TradeID, other.event.Trade.TradeID = other.event.Trade.TradeID, row.event.Trade.TradeID
	return errors.Join(in.rows.replace(ctx, row.place, row), in.rows.replace(ctx, other.place, other))
}

func (in *injector) wrongAccount(ctx context.Context, row *landedRow, c *candidate, f *Fault) error {
	for range 1000 {
		account := in.accounts[in.dice.IntN(len(in.accounts))]
		t := row.event.Trade
		if account == int64(t.AccountID) || account == int64(t.TargetAccountID) {
			continue
		}
		if ok, err := in.free(ctx, account, 0, c.eventID); err != nil || !ok {
			if err != nil {
				return err
			}
			continue
		}
		in.use(account, c.number, c.eventID)
		f.Was, f.Is = row.event.AccountID.String(), strconv.FormatInt(account, 10)
		row.event.AccountID = bank.ID(account)
		return nil
	}
	return errors.New("no other account is left")
}

func add(d *bank.Decimal, text string) (was, is string) {
	was = d.String()
	*d = bank.Decimal{Decimal: d.Add(decimal.RequireFromString(text))}
	return was, d.String()
}

// field alters one field.
func (in *injector) field(kind string, row *landedRow) (was, is string, err error) {
	e, t := &row.event, row.event.Trade
	switch kind {
	case WrongCash:
		was, is = add(&e.Amount, "0.01")
	case WrongPrice:
		was, is = add(&t.Price, "0.0001")
	case WrongQuantity:
		was, is = add(&t.Quantity, "1")
	case WrongAmount:
		was, is = add(&t.NetAmount, "-0.01")
	case WrongFee:
		fee := [...]*bank.Decimal{&t.Fees.Commission, &t.SECFee, &t.TAFFee}[in.dice.IntN(3)]
		was, is = add(fee, "0.01")
	case WrongTotal:
		switch in.dice.IntN(4) {
		case 0:
			was, is = add(&e.Position, "1")
		case 1:
			was, is = add(&e.Balance, "0.01")
		case 2:
			was, is = add(&e.SettledPosition, "-100")
		default:
			was, is = add(&e.SettledBalance, "1000")
		}
	case WrongEvent:
		was, e.Kind = e.Kind, other(e.Kind, bank.EventSettled, bank.EventOpened)
		is = e.Kind
	case WrongState:
		was, t.State = t.State, other(t.State, bank.StateSettled, bank.StateOpen)
		is = t.State
	case WrongDate:
		was, e.BusinessDate = e.BusinessDate.String(), dayAfter(e.BusinessDate)
		is = e.BusinessDate.String()
	case WrongSettle:
		was, t.SettleDate = t.SettleDate.String(), dayAfter(t.SettleDate)
		is = t.SettleDate.String()
	case WrongDirection:
		was, t.Side.Direction = t.Side.Direction, other(t.Side.Direction, bank.Buy, bank.Sell)
		is = t.Side.Direction
	case WrongCurrency:
		was, t.Settlement.Currency = t.Settlement.Currency, other(t.Settlement.Currency, "EUR", "CHF")
		is = t.Settlement.Currency
	case WrongClientID:
		was = t.ClientTradeID
		t.ClientTradeID += "x"
		is = t.ClientTradeID
	case WrongMoment:
		was = strconv.FormatInt(t.BookedAt, 10)
		t.BookedAt++
		is = strconv.FormatInt(t.BookedAt, 10)
	case WrongSymbol:
		was = t.Instrument.Identifier
		at := slices.Index(in.symbols, was)
		t.Instrument.Identifier = in.symbols[(at+1+in.dice.IntN(len(in.symbols)-1))%len(in.symbols)]
		is = t.Instrument.Identifier
	case WrongLink:
		id := t.TradeID - 1
		if t.Replaces != nil {
			id = *t.Replaces + 1
			was = t.Replaces.String()
		}
		if id < 1 {
			id = t.TradeID + 1
		}
		t.Replaces, is = &id, id.String()
	default:
		err = fmt.Errorf("%q: nothing is known of it", kind)
	}
	return was, is, err
}

// other gives one of two that is not the one that is.
func other(is, one, two string) string {
	if is == one {
		return two
	}
	return one
}

func dayAfter(d bank.Date) bank.Date {
	y, m, day := time.Date(int(d)/10000, time.Month(d/100%100), int(d)%100+1, 0, 0, 0, 0, time.UTC).Date()
	return bank.Date(y*10000 + int(m)*100 + day)
}
