package shadow

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// Comparison says which systems are compared, and what of them besides what they list. The zero value of a field is its default.
type Comparison struct {
	Left, Right System        // Needed. Operations are asked for ids of cash only, and may be left out.
	Trades      []bank.ID     // each is read by its id
	Days        []bank.Date   // trade dates whose trades are listed, for each account; none: the current business date alone
	Parallel    int           // calls at once to each system; 4
	OwnTimes    bool          // each has its own booked_at and canceled_at, as neither replays the other's work: they are left out
	Keep        int           // differences that are kept in words; 100
	Timeout     time.Duration // of a call; 1 min

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
	if c.Keep < 1 || c.Timeout < 0 {
		wrong = append(wrong, errors.New("Keep, Timeout: must be above 0"))
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
	Account     bank.ID // 0: it is of no account
	Kind        string
	What        string // which of the kind
	Left, Right string // both values, as JSON; "": not there
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
	Counts      map[string]int // by kind: pairs compared
	Differing   int            // pairs that differ, and what one of the two has alone
	Differences []Difference   // the first of them
	Took        time.Duration
}

// comparer is a comparison under way.
type comparer struct {
	Comparison
	left, right *caller

	mu    sync.Mutex
	found Compared
}

// Compare holds two systems against each other, over HTTP alone, while nobody changes them. journal_id is left out, for each system has its own. An error says
// that it could not go on; what it found until then is there nevertheless.
func Compare(ctx context.Context, cfg Comparison) (Compared, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return Compared{}, fmt.Errorf("shadow: comparison: %w", err)
	}
	c := &comparer{
		Comparison: cfg, left: newCaller(cfg.Left, cfg.Parallel, cfg.Timeout), right: newCaller(cfg.Right, cfg.Parallel, cfg.Timeout),
		found: Compared{Counts: map[string]int{}},
	}
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
	if err := c.one(ctx, KindDay, 0, "/business-date"); err != nil {
		return err
	}
	if err := c.list(ctx, KindEntity, 0, "/entities", "entity_id", nil); err != nil {
		return err
	}
	var accounts []bank.ID
	err := c.list(ctx, KindAccount, 0, "/accounts", "account_id", func(row obj) error {
		id, err := bank.ParseID(fmt.Sprint(row["account_id"]))
		accounts = append(accounts, id)
		return err
	})
	if err != nil {
		return err
	}
	if err := each(ctx, c.Parallel, accounts, c.account); err != nil {
		return err
	}
	err = each(ctx, c.Parallel, c.Trades, func(ctx context.Context, id bank.ID) error {
		return c.one(ctx, KindTrade, 0, "/trades/"+id.String())
	})
	if err != nil || c.found.Differing > 0 {
		return err // a movement that one of them lacks would be made by asking for it
	}
	if c.Left.Operations == "" && c.Right.Operations == "" {
		return nil
	}
	return each(ctx, c.Parallel, c.cash, c.movement)
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

func (c *comparer) count(kind string) {
	c.mu.Lock()
	c.found.Counts[kind]++
	c.mu.Unlock()
}

func (c *comparer) differ(d Difference) {
	const shown = 4000
	d.Left, d.Right = fmt.Sprintf("%.*s", shown, d.Left), fmt.Sprintf("%.*s", shown, d.Right)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found.Differing++
	if len(c.found.Differences) < c.Keep {
		c.found.Differences = append(c.found.Differences, d)
	}
}

// one compares what both answer to a GET of one thing: status, type of error, or the body.
func (c *comparer) one(ctx context.Context, kind string, account bank.ID, path string) error {
	var answers [2]answer
	for i, side := range []*caller{c.left, c.right} {
		var err error
		if answers[i], err = side.send(ctx, get("%s", path)); err != nil {
			return fmt.Errorf("%s: %w", side.system.Name, err)
		}
		if answers[i].code >= 500 {
			return fmt.Errorf("%s: GET %s: %s: %s", side.system.Name, path, answers[i].token(), answers[i].short())
		}
	}
	c.count(kind)
	left, right := answers[0], answers[1]
	same := left.token() == right.token()
	if same && left.kind == "" {
		same = bytes.Equal(left.body, right.body) || sameJSON(left.body, right.body, c.leftOut(kind)...)
	}
	if !same {
		c.differ(Difference{Account: account, Kind: kind, What: strings.TrimPrefix(path, "/"), Left: left.token() + " " + string(left.body), Right: right.token() + " " + string(right.body)})
	}
	return nil
}

// leftOut gives the fields that are not compared.
func (c *comparer) leftOut(kind string) []string {
	switch {
	case kind == KindJournal:
		return []string{"journal_id"}
	case kind == KindTrade && c.OwnTimes:
		return []string{"booked_at", "canceled_at"}
	}
	return nil
}

// sameJSON compares objects by value, but for some fields; numbers by their text.
func sameJSON(left, right []byte, leftOut ...string) bool {
	var l, r obj
	if decode(left, &l) != nil || decode(right, &r) != nil {
		return false
	}
	for _, field := range leftOut {
		delete(l, field)
		delete(r, field)
	}
	return reflect.DeepEqual(l, r)
}

// movement asks both for a cash movement again: they have to give the id that the client got.
func (c *comparer) movement(ctx context.Context, m movement) error {
	want := string(encode(bank.Moved{CashID: m.id}))
	for i, side := range []*caller{c.left, c.right} {
		if side.system.Operations == "" {
			continue
		}
		a, err := side.send(ctx, cashRequest(m.body))
		if err != nil {
			return fmt.Errorf("%s: %w", side.system.Name, err)
		}
		if a.code != 202 || !sameJSON(a.body, []byte(want)) {
			d := Difference{Kind: KindCash, What: string(m.body), Left: want, Right: want}
			*[]*string{&d.Left, &d.Right}[i] = a.token() + " " + string(a.body)
			c.differ(d)
		}
	}
	c.count(KindCash)
	return nil
}
