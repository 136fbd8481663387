package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/backlog"
	"github.com/bkledger/bk/compat/facade/books"
)

// Bank takes over what BK has done. *bank.Client is one. Errors that are a *[bank.Error], outcome_unknown and internal aside, say that Bank refuses it.
type Bank interface {
	Replay(context.Context, bank.Replay) error
	BusinessDate(context.Context) (bank.Date, error)
	Roll(context.Context, bank.Date) error
	CreateEntity(context.Context, bank.Entity) (created bool, err error)
	CreateAccount(context.Context, bank.NewAccount) (created bool, err error)
}

// Books say what BK's entries are to Bank, and have the entities. *books.Ledger is one.
type Books interface {
	WorkOf(context.Context, *bkv1.Entry) (books.Work, error)
	Entity(context.Context, bank.ID) (bank.Entity, error)
	Entities(ctx context.Context, after bank.ID, limit int) ([]bank.Entity, error)
}

// Config says what a [Feed] is. The zero value of a field is its default.
type Config struct {
	// Pool is the façade's database, with the tables of package schema. Needed; the caller closes it.
	Pool *pgxpool.Pool
	// Client reads BK's journal. Needed.
	Client *client.Client
	// Books and Bank: needed.
	Books Books
	Bank  Bank

	// Epoch notes which epoch Books give ids of, and gives the question whether it is still the latest: asked in the transaction that writes the rows made by then. An
	// error has them made anew. Default: ids never change.
	Epoch func() func(context.Context, pgx.Tx) error

	// Ahead is how many rows may wait for Bank (10,000): more are left in BK's journal.
	Ahead int
	// LockRead and LockDeliver are the advisory locks of the one reader and the one worker. Needed.
	LockRead, LockDeliver int64
	// Worker has the settings of the worker that brings rows to Bank; by default it does 8 at once. What it does is set by the feed.
	Worker backlog.Config
	// Log: default none.
	Log *slog.Logger
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Ahead == 0 {
		c.Ahead = 10_000
	}
	if c.Epoch == nil {
		c.Epoch = func() func(context.Context, pgx.Tx) error { return func(context.Context, pgx.Tx) error { return nil } }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Worker.Parallel == 0 {
		c.Worker.Parallel = 8
	}
	if c.Worker.Log == nil {
		c.Worker.Log = c.Log
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	check(c.Pool != nil, "Pool: needed")
	check(c.Client != nil, "Client: needed")
	check(c.Books != nil, "Books: needed")
	check(c.Bank != nil, "Bank: needed")
	check(c.LockRead != 0 && c.LockDeliver != 0 && c.LockRead != c.LockDeliver, "LockRead, LockDeliver: needed, and not the same")
	check(c.Ahead >= 1, "Ahead: %d is below 1", c.Ahead)
	return errors.Join(errs...)
}
