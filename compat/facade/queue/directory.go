package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/backlog"
)

// directoryPage is how many entities or accounts Bank is asked for at once: the most that it gives.
const directoryPage = 1000

var errBank = errors.New("Bank")

// Directory has BK brought all entities and accounts that Bank has: those of before the queue are in no row, and in no event of Bank's. It is part of a step into a
// mode in which BK follows, in its transaction.
func (q *Queue) Directory(ctx context.Context, tx pgx.Tx, epoch int64) error {
	row, err := directory().Row(epoch, 0, Answer{})
	if err == nil {
		_, err = tx.Exec(ctx, `INSERT INTO facade.queue (origin, epoch, kind, keys, size, request, answer) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			row.Origin, row.Epoch, row.Kind, row.Keys, row.Size, row.Request, row.Answer)
	}
	if err != nil {
		return fmt.Errorf("have BK brought Bank's accounts: %w", err)
	}
	return nil
}

// opening opens entities and accounts at BK, each entity once.
type opening struct {
	*Queue
	mu       sync.Mutex
	entities map[bank.ID]bool // that BK has
}

// openAll opens all that Bank has and BK lacks. Rows that create some of them may be behind it: to BK they are repeats.
func (q *Queue) openAll(ctx context.Context) error {
	o := &opening{Queue: q, entities: map[bank.ID]bool{}}
	if err := walk(ctx, q.cfg.Reads, q.cfg.Bank.Entities, o.entity); err != nil {
		return err
	}
	return walk(ctx, q.cfg.Reads, q.cfg.Bank.Accounts, func(ctx context.Context, a bank.Account) error {
		return o.account(ctx, a.AccountID, func() (bank.Account, error) { return a, nil })
	})
}

// walk does something with all of a list of Bank's, some at once.
func walk[A any](ctx context.Context, parallel int, list func(context.Context, bank.Page) (bank.List[A], error), do func(context.Context, A) error) error {
	for page := (bank.Page{Size: directoryPage}); ; {
		got, err := list(ctx, page)
		if err != nil {
			return fmt.Errorf("%w: %w", errBank, err)
		}
		g, ctx := errgroup.WithContext(ctx)
		g.SetLimit(parallel)
		for _, a := range got.Data {
			g.Go(func() error { return do(ctx, a) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if page.Token = got.Next; page.Token == "" {
			return nil
		}
	}
}

// open opens what rows name and BK lacks, as far as Bank has it: what was created while BK was not following.
func (q *Queue) open(ctx context.Context, rows []backlog.Row) error {
	o := &opening{Queue: q, entities: map[bank.ID]bool{}}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(q.cfg.Reads)
	known := map[int64]bool{backlog.All: true}
	for _, row := range rows {
		for _, key := range row.Keys {
			if known[key] {
				continue
			}
			known[key] = true
			if key < 0 {
				g.Go(func() error { return o.entityByID(ctx, bank.ID(-key)) })
				continue
			}
			id := bank.ID(key)
			g.Go(func() error {
				return o.account(ctx, id, func() (bank.Account, error) { return q.cfg.Bank.Account(ctx, id) })
			})
		}
	}
	return g.Wait()
}

// account opens an account, and its entity before. One that neither system has is left to whoever needs it.
func (o *opening) account(ctx context.Context, id bank.ID, ask func() (bank.Account, error)) error {
	_, err := o.cfg.BK.Account(ctx, id)
	if bank.TypeOf(err) != bank.AccountNotFound {
		return err
	}
	a, err := ask()
	if bank.TypeOf(err) == bank.AccountNotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errBank, err)
	}
	if err := o.entityByID(ctx, a.EntityID); err != nil {
		return err
	}
	if _, err = o.cfg.BK.CreateAccount(ctx, bank.NewAccount{AccountID: a.AccountID, EntityID: a.EntityID, Name: a.Name}); err != nil {
		return fmt.Errorf("open account %s: %w", id, err)
	}
	return nil
}

func (o *opening) entityByID(ctx context.Context, id bank.ID) error {
	o.mu.Lock()
	there := o.entities[id]
	o.mu.Unlock()
	if there {
		return nil
	}
	e, err := o.cfg.Bank.Entity(ctx, id)
	if bank.TypeOf(err) == bank.EntityNotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errBank, err)
	}
	return o.entity(ctx, e)
}

func (o *opening) entity(ctx context.Context, e bank.Entity) error {
	if _, err := o.cfg.BK.CreateEntity(ctx, e); err != nil {
		return fmt.Errorf("open entity %s: %w", e.EntityID, err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.entities[e.EntityID] = true
	return nil
}
