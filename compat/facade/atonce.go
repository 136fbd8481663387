package facade

import (
	"context"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books"
)

// atOnce is BK as the queue's worker calls it: nothing is tried twice. The worker does that itself, for as long as it takes, and says meanwhile that BK is away; a
// client's call is tried for a while before it gets an error.
type atOnce struct{ ledger *books.Ledger }

func (a atOnce) ReplayAll(ctx context.Context, replays []bank.Replay) (ids []int64, err error) {
	return a.ledger.ReplayAll(books.Once(ctx), replays)
}

func (a atOnce) BusinessDate(ctx context.Context) (bank.Date, error) {
	return a.ledger.BusinessDate(books.Once(ctx))
}

func (a atOnce) Roll(ctx context.Context, to bank.Date) error {
	return a.ledger.Roll(books.Once(ctx), to)
}

func (a atOnce) CreateEntity(ctx context.Context, e bank.Entity) (created bool, err error) {
	return a.ledger.CreateEntity(books.Once(ctx), e)
}

func (a atOnce) CreateAccount(ctx context.Context, n bank.NewAccount) (created bool, err error) {
	return a.ledger.CreateAccount(books.Once(ctx), n)
}

func (a atOnce) Entity(ctx context.Context, id bank.ID) (bank.Entity, error) {
	return a.ledger.Entity(books.Once(ctx), id)
}

func (a atOnce) Account(ctx context.Context, id bank.ID) (bank.Account, error) {
	return a.ledger.Account(books.Once(ctx), id)
}
