package shadow

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/bkledger/bk/compat/bank"
)

// patience is for how many parts that differ the whole wait is spent: what differs everywhere is no lag.
const patience = 32

// check is one look at a part of both systems: an account, a list, a trade.
type check struct {
	*comparer
	mu    sync.Mutex
	found Compared
}

// once looks at a part, and adds up what was found.
func (c *comparer) once(look func(*check) error) error {
	_, err := c.try(look, true)
	return err
}

// settled looks at a part until both are the same in it, or the wait is over.
func (c *comparer) settled(ctx context.Context, look func(*check) error) error {
	const first, longest = 50 * time.Millisecond, 2 * time.Second
	deadline := time.Now().Add(c.Wait)
	for pause := first; ; pause = min(2*pause, longest) {
		c.mu.Lock()
		short := c.waited >= patience && pause > first
		c.mu.Unlock()
		last := short || !time.Now().Add(pause).Before(deadline)
		again, err := c.try(look, last)
		if err != nil || !again {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// try looks once. What it found counts if it found no difference, or is the last look.
func (c *comparer) try(look func(*check) error, last bool) (again bool, err error) {
	k := &check{comparer: c, found: Compared{Counts: map[string]int{}}}
	err = look(k)
	if err == nil && k.found.Differing > 0 && !last {
		return true, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for kind, n := range k.found.Counts {
		c.found.Counts[kind] += n
	}
	c.found.Differing += k.found.Differing
	c.found.Differences = append(c.found.Differences, k.found.Differences[:min(len(k.found.Differences), c.Keep-len(c.found.Differences))]...)
	if k.found.Differing > 0 {
		c.waited++
	}
	return false, err
}

func (c *check) count(kind string) {
	c.mu.Lock()
	c.found.Counts[kind]++
	c.mu.Unlock()
}

func (c *check) differ(d Difference) {
	const shown = 4000
	d.Left, d.Right = fmt.Sprintf("%.*s", shown, d.Left), fmt.Sprintf("%.*s", shown, d.Right)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found.Differing++
	if len(c.found.Differences) < c.Keep {
		c.found.Differences = append(c.found.Differences, d)
	}
}

// both asks both systems at once for one thing.
func (c *check) both(ctx context.Context, path string) (left, right answer, err error) {
	var running sync.WaitGroup
	var rightErr error
	running.Go(func() { right, rightErr = c.right.get(ctx, path) })
	left, err = c.left.get(ctx, path)
	running.Wait()
	if err == nil {
		err = rightErr
	}
	return left, right, err
}

// one compares what both answer to a GET of one thing: status, type of error, or the body.
func (c *check) one(ctx context.Context, kind string, account bank.ID, path string) error {
	left, right, err := c.both(ctx, path)
	if err == nil {
		c.pair(kind, account, path, left, right)
	}
	return err
}

// pair compares two answers.
func (c *check) pair(kind string, account bank.ID, path string, left, right answer) {
	c.count(kind)
	same := left.token() == right.token()
	if same && left.kind == "" {
		same = bytes.Equal(left.body, right.body) || sameJSON(left.body, right.body, c.leftOut(kind)...)
	}
	if !same {
		c.differ(Difference{Account: account, Kind: kind, What: strings.TrimPrefix(path, "/"), Left: left.token() + " " + string(left.body), Right: right.token() + " " + string(right.body)})
	}
}

// leftOut gives the fields that are not compared.
func (c *check) leftOut(kind string) []string {
	if kind == KindTrade && c.OwnTimes {
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
func (c *check) movement(ctx context.Context, m movement) error {
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
