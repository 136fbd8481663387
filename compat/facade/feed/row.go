package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/backlog"
)

// The kinds of rows.
const (
	kindReplay     = "replay"
	kindAccount    = "account"
	kindRoll       = "roll"
	kindUnmappable = "unmappable" // done from the beginning
	kindEntity     = "entity"     // the same: one that Bank has with other content
)

type roll struct {
	Date bank.Date `json:"date"`
}

// translator turns entries into rows. It remembers what a cancel says about the entry right behind it.
type translator struct {
	books Books
	// replaced are the accounts of trades in whose place one is booked right behind, by its id: the cancel that is part of a replacement is no row, but the row of
	// the new trade touches the old one's accounts, too.
	replaced map[int64][]int64
}

// row gives the row of an entry; ok is false if it has none.
func (t *translator) row(ctx context.Context, e *bkv1.Entry) (row backlog.Row, ok bool, err error) {
	work, err := t.books.WorkOf(ctx, e)
	if err != nil {
		return row, false, err
	}
	row = backlog.Row{Position: e.GetSequence(), Origin: e.GetId(), Size: 1}
	touched := t.replaced[e.GetId()]
	delete(t.replaced, e.GetId())
	var request any
	switch {
	case work.Replay != nil:
		row.Kind, row.Keys, request = kindReplay, touched, work.Replay
		for _, account := range work.Accounts {
			row.Keys = append(row.Keys, int64(account))
		}
	case work.Account != nil:
		row.Kind, row.Keys, request = kindAccount, []int64{int64(work.Account.AccountID)}, work.Account
	case work.Roll != 0:
		row.Kind, row.Keys, request = kindRoll, []int64{backlog.All}, roll{work.Roll}
	case foreign(e):
		row.Kind, row.Keys, request = kindUnmappable, []int64{backlog.All}, struct {
			Kind string `json:"kind"`
			Key  string `json:"key"`
		}{e.GetKind(), e.GetKey()}
	default:
		if by := e.GetLinks().GetReplacedBy(); by > e.GetId() {
			t.replaced[by] = partiesOf(e)
		}
		return row, false, nil
	}
	slices.Sort(row.Keys)
	row.Keys = slices.Compact(row.Keys)
	if row.Request, err = json.Marshal(request); err != nil {
		return row, false, fmt.Errorf("encode what entry %d is to Bank: %w", e.GetId(), err)
	}
	return row, true, nil
}

// within reports whether the translator stands between two entries that belong together.
func (t *translator) within() bool { return len(t.replaced) > 0 }

func partiesOf(e *bkv1.Entry) []int64 {
	trade := e.GetTrade().GetTrade()
	keys := []int64{trade.GetAccount().GetId()}
	if target := trade.GetTarget().GetId(); target != 0 {
		keys = append(keys, target)
	}
	return keys
}

// foreign reports whether an entry changes customers' books in a way that Bank has no notion of.
func foreign(e *bkv1.Entry) bool {
	switch kind := e.GetKind(); {
	case kind == "posting", kind == "journal.security", strings.HasPrefix(kind, "fx."), strings.HasPrefix(kind, "interest."), kind == "trade.settle_street":
		return true
	case strings.HasPrefix(kind, "trade."), strings.HasPrefix(kind, "day."), kind == "account.open", kind == "instrument.define",
		kind == "cash.deposit", kind == "cash.withdrawal", kind == "journal.cash":
		return false
	}
	return true // a kind that came later
}

// deliver brings one row to Bank.
func (f *Feed) deliver(ctx context.Context, rows []backlog.Row) ([]backlog.Result, error) {
	results := make([]backlog.Result, len(rows))
	for i, row := range rows {
		err := f.do(ctx, row)
		switch {
		case err == nil:
		case refused(err):
			results[i].Err = err
			for rest := i + 1; rest < len(rows); rest++ {
				results[rest].Untouched = true
			}
			return results, nil
		case i > 0: // what is done is done
			for rest := i; rest < len(rows); rest++ {
				results[rest].Untouched = true
			}
			return results, nil
		default:
			return nil, fmt.Errorf("Bank: %w", err)
		}
	}
	return results, nil
}

var errUnreadable = errors.New("nobody can read it")

func (f *Feed) do(ctx context.Context, row backlog.Row) error {
	unreadable := func(err error) error { return fmt.Errorf("%w: a row of the kind %q: %w", errUnreadable, row.Kind, err) }
	switch row.Kind {
	case kindReplay:
		replay, err := bank.ReadReplay(row.Request)
		if err != nil {
			return unreadable(err)
		}
		return f.cfg.Bank.Replay(ctx, replay)
	case kindAccount:
		var account bank.NewAccount
		if err := json.Unmarshal(row.Request, &account); err != nil {
			return unreadable(err)
		}
		entity, err := f.cfg.Books.Entity(ctx, account.EntityID)
		if err != nil {
			return fmt.Errorf("entity %s of account %s: %w", account.EntityID, account.AccountID, err)
		}
		if err := f.sendEntity(ctx, entity); err != nil {
			return err
		}
		_, err = f.cfg.Bank.CreateAccount(ctx, account)
		return err
	case kindRoll:
		var to roll
		if err := json.Unmarshal(row.Request, &to); err != nil {
			return unreadable(err)
		}
		date, err := f.cfg.Bank.BusinessDate(ctx)
		if err != nil || date >= to.Date {
			return err
		}
		return f.cfg.Bank.Roll(ctx, to.Date)
	}
	return unreadable(errors.New("this program doesn't know it"))
}

// refused reports whether an error is Bank's decision, or the row's own: the same again would not help.
func refused(err error) bool {
	return errors.Is(err, errUnreadable) || bank.TypeOf(err).Refuses()
}
