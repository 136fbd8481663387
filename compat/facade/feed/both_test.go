package feed_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/legacy"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/queue"
)

// listing gives a reference Bank as its client does: its lists in pages, here of all.
type listing struct{ *legacy.Bank }

func (c listing) Entities(ctx context.Context, _ bank.Page) (l bank.List[bank.Entity], err error) {
	l.Data, err = c.Bank.Entities(ctx, 0, 1000)
	return l, err
}

func (c listing) Accounts(ctx context.Context, _ bank.Page) (l bank.List[bank.Account], err error) {
	l.Data, err = c.Bank.Accounts(ctx, 0, 1000)
	return l, err
}

// First Bank is the primary and BK follows over the queue; then, when that is drained, BK is, and Bank follows over the feed: the same books all the way.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	ids := books.NewIDs()
	w := newWorld(t, ids)
	ctx := t.Context()
	q, err := queue.Open(ctx, queue.Config{Postgres: w.dsn, Replica: "a", Bank: listing{w.bank.Bank}, BK: w.books, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	running, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.Run(running)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	call := func(c queue.Call, do func() (queue.Answer, error)) {
		t.Helper()
		h, err := q.Begin(ctx, 1, c)
		if err != nil {
			t.Error(err)
			return
		}
		answer, err := do()
		switch bank.TypeOf(err) {
		case "":
			err = h.Accepted(ctx, answer)
		default:
			err = h.Refused(ctx)
		}
		if err != nil {
			t.Error(err)
		}
	}
	entity := bank.Entity{EntityID: 1, ClientCode: "C", LegalName: "L"}
	call(queue.Entity(entity), func() (queue.Answer, error) { _, err := w.bank.CreateEntity(ctx, entity); return queue.Answer{}, err })
	for id := bank.ID(1); id <= accounts; id++ {
		account := bank.NewAccount{AccountID: id, EntityID: 1, Name: "A"}
		call(queue.Account(account), func() (queue.Answer, error) { _, err := w.bank.CreateAccount(ctx, account); return queue.Answer{}, err })
	}
	book := func(trades []bank.Trade, touched ...bank.ID) {
		call(queue.Trades(trades, touched...), func() (queue.Answer, error) {
			booked, err := w.bank.BookTrades(ctx, trades)
			return queue.Answer{Trades: booked}, err
		})
	}
	var clients sync.WaitGroup
	for c := range 8 {
		clients.Go(func() {
			for i := range 20 {
				id := fmt.Sprintf("q%d-%d", c, i)
				tr := trade(bank.ID(1+(c+i)%3), id)
				if i%3 == 0 {
					tr.Type, tr.TargetAccountID, tr.Capacity, tr.MIC, tr.ExecMPID = bank.TransferTrade, 4, "", "", ""
				}
				book([]bank.Trade{tr})
				ref := bank.TradeRef{AccountID: tr.AccountID, ClientTradeID: id}
				switch i % 4 {
				case 1:
					call(queue.Cancel(ref, tr.AccountID, tr.TargetAccountID), func() (queue.Answer, error) { return queue.Answer{}, w.bank.CancelTrade(ctx, ref) })
				case 2:
					next := trade(tr.AccountID, id+"n")
					next.CancelTradeID = id
					book([]bank.Trade{next}, tr.TargetAccountID)
				case 3:
					book([]bank.Trade{tr}) // again
				}
			}
		})
	}
	for _, day := range []bank.Date{20131007, 20131009} {
		call(queue.Roll(day), func() (queue.Answer, error) { return queue.Answer{}, w.bank.Roll(ctx, day) })
	}
	clients.Wait()
	drain, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	if err := q.Drained(drain); err != nil {
		t.Fatal(err)
	}
	there := w.same()

	f, _ := w.run()
	f.Pause()
	head := w.head()
	ids.Update([]books.Epoch{{First: head + 1, TradeBase: base, CashBase: base}})
	if err := pgx.BeginFunc(ctx, w.pool, func(tx pgx.Tx) error { return f.Begin(ctx, tx, head) }); err != nil {
		t.Fatal(err)
	}
	f.Resume()
	for c := range 4 {
		clients.Go(func() {
			if err := w.clientOf(ctx, fmt.Sprintf("f%d", c), uint64(c), 30); err != nil {
				t.Error(err)
			}
		})
	}
	if err := w.books.CancelTrade(ctx, bank.TradeRef{AccountID: 1, ClientTradeID: "q0-0"}); err != nil && bank.TypeOf(err) != bank.TradeAlreadyCanceled {
		t.Error(err)
	}
	clients.Wait()
	w.drained(f)
	if rows := w.same(); there < 200 || rows < there+100 {
		t.Errorf("only %d, then %d journal rows were compared", there, rows)
	}
}
