package shadow

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// Comparison says which systems are compared, and what of them besides what they list. The zero value of a field is its default.
type Comparison struct {
	Left, Right System        // Needed. Operations are asked for ids of cash only, and may be left out.
	Trades      []bank.ID     // each is read by its id
	Days        []bank.Date   // trade dates whose trades are listed, for each account; none: the current business date alone
	Accounts    []bank.ID     // these alone; none: all
	All         bool          // each trade is read by its id that a journal or a list names, or that is left in Bank's sequence; and listed on its date, unless Days are given
	Parallel    int           // calls at once to each system; 4
	OwnTimes    bool          // each has its own booked_at and canceled_at, as neither replays the other's work: they are left out
	Keep        int           // differences that are kept in words; 100
	Timeout     time.Duration // of a call; 1 min

	// Wait is how long what differs is looked at again and again, as one system may lag behind the other, and accounts be written to; 0: not at all.
	Wait time.Duration
	// Progress, if given, is told how many accounts are done, from several goroutines.
	Progress func(done, of int)

	cash []movement // each is asked for again, if nothing else differs
}

// WithDefaults fills in what is left out.
func (c Comparison) WithDefaults() Comparison {
	if c.Parallel == 0 {
		c.Parallel = 4
	}
	if c.Keep == 0 {
		c.Keep = 100
	}
	if c.Timeout == 0 {
		c.Timeout = time.Minute
	}
	if len(c.Days) == 0 {
		c.Days = []bank.Date{0}
	}
	return c
}

// Validate reports everything that is wrong.
func (c Comparison) Validate() error {
	wrong := []error{c.Left.validate("Left", false), c.Right.validate("Right", false)}
	if c.Parallel < 1 || c.Parallel > 64 {
		wrong = append(wrong, fmt.Errorf("Parallel: %d is not between 1 and 64", c.Parallel))
	}
	if c.Keep < 1 || c.Timeout < 0 || c.Wait < 0 {
		wrong = append(wrong, errors.New("Keep, Timeout: must be above 0; Wait: must not be below"))
	}
	return errors.Join(wrong...)
}

// The kinds of what is compared. The last two hold a system against itself: what its journal adds up to against what it says.
const (
	KindDay      = "business date"
	KindEntity   = "entity"
	KindAccount  = "account"
	KindTrade    = "trade"
	KindListed   = "listed trade" // as an account's list shows it, with its running position
	KindPosition = "position"
	KindBalance  = "balance"
	KindJournal  = "journal row"
	KindCash     = "cash id"
	KindRunning  = "running position"
	KindTotal    = "total"
)

// Difference is something that is not the same.
type Difference struct {
	Account bank.ID `json:"account_id"` // 0: it is of no account
	Kind    string  `json:"kind"`
	What    string  `json:"what"`  // which of the kind
	Left    string  `json:"left"`  // its value, as JSON; "": not there
	Right   string  `json:"right"` // likewise
}

func (d Difference) String() string {
	text := d.Kind + " " + d.What
	if d.Account != 0 {
		text = fmt.Sprintf("account %d: %s", d.Account, text)
	}
	return fmt.Sprintf("%s:\n  left  %s\n  right %s", text, orNone(d.Left), orNone(d.Right))
}

func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}

// Compared is what a comparison found.
type Compared struct {
	Counts      map[string]int `json:"counts"`      // by kind: pairs compared
	Differing   int            `json:"differing"`   // pairs that differ, and what one of the two has alone
	Differences []Difference   `json:"differences"` // the first of them
	Unlooked    int            `json:"unlooked"`    // ids in long gaps of the sequence, which were not looked for
	Took        time.Duration  `json:"took_ns"`
}

// comparer is a comparison under way.
type comparer struct {
	Comparison
	left, right *caller

	mu      sync.Mutex
	found   Compared
	waited  int                 // parts that still differed when the wait was over
	claimed map[bank.ID]bank.ID // the account with which a trade is compared, if All are
}

// Compare holds two systems against each other, over HTTP alone. Nobody changes them meanwhile, or there is a Wait. journal_id is left out, for each system has its own. An error
// says that it could not go on; what it found until then is there nevertheless.
func Compare(ctx context.Context, cfg Comparison) (Compared, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return Compared{}, fmt.Errorf("shadow: comparison: %w", err)
	}
	c := &comparer{
		Comparison: cfg, left: newCaller(cfg.Left, cfg.Parallel, cfg.Timeout), right: newCaller(cfg.Right, cfg.Parallel, cfg.Timeout),
		found: Compared{Counts: map[string]int{}}, claimed: map[bank.ID]bank.ID{},
	}
	c.left.slots, c.right.slots = make(chan struct{}, cfg.Parallel), make(chan struct{}, cfg.Parallel)
	defer c.left.close()
	defer c.right.close()
	began := time.Now()
	err := c.compare(ctx)
	c.found.Took = time.Since(began)
	if err != nil {
		err = fmt.Errorf("shadow: compare: %w", err)
	}
	return c.found, err
}

func (c *comparer) compare(ctx context.Context) error {
	accounts, err := c.directory(ctx)
	if err != nil {
		return err
	}
	var done atomic.Int64
	err = each(ctx, c.Parallel, accounts, func(ctx context.Context, id bank.ID) error {
		if err := c.settled(ctx, func(k *check) error { return k.account(ctx, id) }); err != nil {
			return err
		}
		if n := done.Add(1); c.Progress != nil {
			c.Progress(int(n), len(accounts))
		}
		return nil
	})
	if err != nil {
		return err
	}
	rest := c.Trades
	if c.All && len(c.Accounts) == 0 {
		if rest, err = c.unclaimed(ctx, rest); err != nil {
			return err
		}
	}
	err = c.leftovers(ctx, rest)
	if err != nil || c.found.Differing > 0 {
		return err // a movement that one of them lacks would be made by asking for it
	}
	if c.Left.Operations == "" && c.Right.Operations == "" {
		return nil
	}
	return each(ctx, c.Parallel, c.cash, func(ctx context.Context, m movement) error {
		return c.once(func(k *check) error { return k.movement(ctx, m) })
	})
}

// directory compares what is there besides accounts' books, and gives the accounts to compare.
func (c *comparer) directory(ctx context.Context) (accounts []bank.ID, err error) {
	err = c.settled(ctx, func(k *check) error { return k.one(ctx, KindDay, 0, "/business-date") })
	if err != nil {
		return nil, err
	}
	err = c.settled(ctx, func(k *check) error { return k.list(ctx, KindEntity, 0, "/entities", "entity_id", nil) })
	if err != nil {
		return nil, err
	}
	if len(c.Accounts) > 0 {
		return c.Accounts, each(ctx, c.Parallel, c.Accounts, func(ctx context.Context, id bank.ID) error {
			return c.settled(ctx, func(k *check) error { return k.one(ctx, KindAccount, id, "/accounts/"+id.String()) })
		})
	}
	err = c.settled(ctx, func(k *check) error {
		accounts = nil
		return k.list(ctx, KindAccount, 0, "/accounts", "account_id", func(row obj) error {
			id, err := bank.ParseID(fmt.Sprint(row["account_id"]))
			accounts = append(accounts, id)
			return err
		})
	})
	return accounts, err
}

// each does something for all items, some at once, until one fails.
func each[T any](ctx context.Context, parallel int, items []T, do func(context.Context, T) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan T)
	var running sync.WaitGroup
	for range parallel {
		running.Go(func() {
			for item := range next {
				if err := do(ctx, item); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for _, item := range items {
		select {
		case next <- item:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	running.Wait()
	return context.Cause(ctx)
}
