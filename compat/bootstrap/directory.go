package bootstrap

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/compat/facade/books"
)

// directory brings the entities and accounts that Bank has opened since the snapshot: Bank has no events of them, and those that nobody has traded with are named by none.
func (b *Bootstrap) directory(ctx context.Context, m Manifest, s *systems) error {
	if b.bank == nil {
		return nil // the step out of bank-only brings them
	}
	known := map[source.Table]map[bank.ID]bool{}
	for _, t := range []source.Table{source.Entities, source.Accounts} {
		ids, err := b.ids(ctx, m, t)
		if err != nil {
			return err
		}
		known[t] = ids
	}
	ledger, err := books.New(books.Config{Client: s.bk, Pool: s.facade, IDs: books.NewIDs(), Log: b.log})
	if err != nil {
		return err
	}
	defer ledger.Close()
	err = pages(func(p bank.Page) (bank.List[bank.Entity], error) { return b.bank.Entities(ctx, p) }, func(e bank.Entity) error {
		if known[source.Entities][e.EntityID] {
			return nil
		}
		_, err := ledger.CreateEntity(ctx, e)
		return err
	})
	if err == nil {
		err = pages(func(p bank.Page) (bank.List[bank.Account], error) { return b.bank.Accounts(ctx, p) }, func(a bank.Account) error {
			if known[source.Accounts][a.AccountID] {
				return nil
			}
			_, err := ledger.CreateAccount(ctx, bank.NewAccount{AccountID: a.AccountID, EntityID: a.EntityID, Name: a.Name})
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("bring Bank's new accounts: %w", err)
	}
	return nil
}

func pages[T any](list func(bank.Page) (bank.List[T], error), each func(T) error) error {
	const size = 1000
	for page := (bank.Page{Size: size}); ; {
		got, err := list(page)
		if err != nil {
			return err
		}
		for _, one := range got.Data {
			if err := each(one); err != nil {
				return err
			}
		}
		if page.Token = got.Next; page.Token == "" {
			return nil
		}
	}
}

// ids gives those of a table that was extracted.
func (b *Bootstrap) ids(ctx context.Context, m Manifest, t source.Table) (map[bank.ID]bool, error) {
	c := b.chainOf(ctx, m, t, nil)
	defer c.Close()
	ids := map[bank.ID]bool{}
	for {
		row, err := c.next()
		if errors.Is(err, io.EOF) {
			return ids, nil
		}
		if bad := (*source.BadRow)(nil); errors.As(err, &bad) {
			continue
		}
		if err != nil {
			return nil, err
		}
		switch r := row.(type) {
		case *source.Entity:
			ids[r.EntityID] = true
		case *source.Account:
			ids[r.AccountID] = true
		}
	}
}
