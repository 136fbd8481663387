package history

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/ledger"
)

// Rows gives the rows of an extracted chunk one after the other, io.EOF behind the last.
type Rows[T any] func() (*T, error)

// Create makes the object that takes a run. Transform closes it; it is there only if that succeeds.
type Create func(Kind) (io.WriteCloser, error)

// Transformed is what came of a chunk.
type Transformed struct {
	Rows int64
	Runs []RunMeta
	// Fired is how often rules fired that need no more than the row. Stage counts all of them; this is for watching.
	Fired Counts
}

// TransformTrades examines a chunk of bank.trade. It depends on nothing but the rows, and has the chunk in memory.
func TransformTrades(ctx context.Context, rows Rows[source.Trade], create Create) (Transformed, error) {
	x := newExaminer()
	var trades []tradeRecord
	var links []link
	var folds []fold
	fired := Counts{}
	err := each(ctx, rows, func(row *source.Trade) error {
		t := x.trade(row)
		trades = append(trades, t)
		if t.rule != "" {
			fired[t.rule]++
		}
		for _, f := range t.fixes {
			fired[f.rule]++
		}
		if r := &t.row; r.Replaces != nil {
			links = append(links, link{*r.Replaces, r.TradeID, r.BookedAt})
		}
		folds = append(folds, foldOf(int64(row.AccountID), row.ClientTradeID))
		return nil
	}, func(bad *source.BadRow) error {
		t := tradeRecord{rule: Unreadable, reason: bad.Field + ": " + bad.Reason}
		fired[t.rule]++
		err := rawRow(bad, &t.row.TradeID, &t.raw)
		trades = append(trades, t)
		return err
	})
	if err != nil {
		return Transformed{}, fmt.Errorf("examine trades: %w", err)
	}
	done := Transformed{Rows: int64(len(trades)), Fired: fired}
	return done, errors.Join(
		putRun(&done, KindTrades, trades, create), putRun(&done, KindLinks, links, create), putRun(&done, KindFolds, folds, create))
}

// TransformCash examines a chunk of bank.cash.
func TransformCash(ctx context.Context, rows Rows[source.Cash], create Create) (Transformed, error) {
	var cash []cashRecord
	var folds []fold
	fired := Counts{}
	err := each(ctx, rows, func(row *source.Cash) error {
		m := examineCash(row)
		if m.rule != "" {
			fired[m.rule]++
		}
		cash = append(cash, m)
		if row.ClientID != "" {
			folds = append(folds, foldOf(0, row.ClientID))
		}
		return nil
	}, func(bad *source.BadRow) error {
		m := cashRecord{rule: Unreadable, reason: bad.Field + ": " + bad.Reason}
		fired[m.rule]++
		err := rawRow(bad, &m.row.CashID, &m.raw)
		cash = append(cash, m)
		return err
	})
	if err != nil {
		return Transformed{}, fmt.Errorf("examine cash movements: %w", err)
	}
	done := Transformed{Rows: int64(len(cash)), Fired: fired}
	return done, errors.Join(putRun(&done, KindCash, cash, create), putRun(&done, KindCashFolds, folds, create))
}

// TransformJournal examines a chunk of bank.journal.
func TransformJournal(ctx context.Context, rows Rows[source.JournalRow], create Create) (Transformed, error) {
	var steps []step
	var opens []opened
	err := each(ctx, rows, func(row *source.JournalRow) error {
		s := step{row: *row}
		for _, part := range []struct {
			name string
			of   bank.Decimal
			to   *ledger.Amount
		}{{"td_quantity", row.TDQuantity, &s.tdQuantity}, {"td_amount", row.TDAmount, &s.tdAmount}, {"sd_quantity", row.SDQuantity, &s.sdQuantity}, {"sd_amount", row.SDAmount, &s.sdAmount}} {
			var err error
			if *part.to, err = ledger.ParseAmount(part.of.String()); err != nil && s.bad == "" {
				s.bad = fmt.Sprintf("%s: %v", part.name, err)
			}
		}
		steps = append(steps, s)
		if row.TradeID != nil && row.Memo == memoOpen {
			opens = append(opens, opened{*row.TradeID, row.JournalID, row.Date})
		}
		return nil
	}, func(bad *source.BadRow) error {
		s := step{bad: bad.Field + ": " + bad.Reason}
		err := rawRow(bad, &s.row.JournalID, &s.raw)
		steps = append(steps, s)
		return err
	})
	if err != nil {
		return Transformed{}, fmt.Errorf("examine journal rows: %w", err)
	}
	done := Transformed{Rows: int64(len(steps)), Fired: Counts{}}
	return done, errors.Join(putRun(&done, KindSteps, steps, create), putRun(&done, KindOpens, opens, create))
}

// each reads rows to their end. One that can't be read is given to bad.
func each[T any](ctx context.Context, rows Rows[T], do func(*T) error, bad func(*source.BadRow) error) error {
	for {
		row, err := rows()
		if err == io.EOF {
			return ctx.Err()
		}
		if fault := (*source.BadRow)(nil); errors.As(err, &fault) {
			if err := bad(fault); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := do(row); err != nil {
			return err
		}
	}
}

// rawRow takes over a row that can't be read: its id, and its columns as JSON.
func rawRow(bad *source.BadRow, id *bank.ID, raw *string) error {
	key, err := bank.ParseID(bad.Key)
	if err != nil {
		return fmt.Errorf("%s %q: %w", bad.Table, bad.Key, err) // no row is without its primary key
	}
	text, err := json.Marshal(bad.Raw)
	*id, *raw = key, string(text)
	return err
}

// putRun sorts records and writes them as a run; none makes no run.
func putRun[T any, R record[T]](done *Transformed, kind Kind, records []T, create Create) (err error) {
	if len(records) == 0 {
		return nil
	}
	slices.SortStableFunc(records, func(a, b T) int {
		switch {
		case R(&a).before(&b):
			return -1
		case R(&b).before(&a):
			return 1
		}
		return 0
	})
	to, err := create(kind)
	if err != nil {
		return fmt.Errorf("make a run of %s: %w", kind, err)
	}
	if err := errors.Join(writeRun[T, R](to, records), to.Close()); err != nil {
		return fmt.Errorf("write a run of %s: %w", kind, err)
	}
	done.Runs = append(done.Runs, RunMeta{kind, int64(len(records)), R(&records[0]).place()})
	return nil
}

// foldOf makes one of all client ids of an account that differ in case or space only.
func foldOf(account int64, client string) fold {
	text := strings.Join(strings.Fields(strings.ToLower(client)), " ")
	sum := sha256.Sum256(append(binary.AppendVarint(nil, account), text...))
	return fold{[16]byte(sum[:16])}
}

// secondsBelow is where Bank's times in milliseconds begin: what is below is in seconds (the contract's section 1).
const secondsBelow = 100_000_000_000

// milliseconds repairs a time that is in seconds.
func milliseconds(field string, at int64) (int64, []fix) {
	if at <= 0 || at >= secondsBelow {
		return at, nil
	}
	return at * 1000, []fix{{SecondsStored, field, strconv.FormatInt(at, 10), strconv.FormatInt(at*1000, 10)}}
}
