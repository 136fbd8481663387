package shadow

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"

	"github.com/bkledger/bk/compat/bank"
)

// longGap is how many ids in a row may be left in the sequence and are looked for: trades that no journal names yet, as their date has not come, are among them.
const longGap = 10_000

// named is what of a trade says where it is listed.
type named struct {
	Account bank.ID   `json:"account_id"`
	Date    bank.Date `json:"date"`
	State   string    `json:"state"`
}

// trade compares a trade by its id, and gives the left one's; nil if that is not there. Without an account it need be in neither, unless it was asked for.
func (c *check) trade(ctx context.Context, account, id bank.ID) (*named, error) {
	path := "/trades/" + id.String()
	left, right, err := c.both(ctx, path)
	if err != nil || account == 0 && c.All && left.code == http.StatusNotFound && right.code == http.StatusNotFound && !slices.Contains(c.Trades, id) {
		return nil, err
	}
	c.pair(KindTrade, account, path, left, right)
	if left.code != http.StatusOK {
		return nil, nil
	}
	var n named
	if err := json.Unmarshal(left.body, &n); err != nil {
		return nil, fmt.Errorf("%s: GET %s: %w in %s", c.left.system.Name, path, err, left.short())
	}
	return &n, nil
}

// listed is a list of trades of an account: of a day, without those that are cancelled, or with them alone.
type listed struct {
	account  bank.ID
	day      bank.Date // 0: the business date
	canceled bool
}

func (l listed) path() string {
	path := fmt.Sprintf("/accounts/%d/trades", l.account)
	switch {
	case l.day != 0 && l.canceled:
		return fmt.Sprintf("%s?date=%d&state=%s", path, l.day, bank.StateCanceled)
	case l.day != 0:
		return fmt.Sprintf("%s?date=%d", path, l.day)
	case l.canceled:
		return path + "?state=" + bank.StateCanceled
	}
	return path
}

// every compares the trades that an account's journal names, and gives the lists that have them.
func (c *check) every(ctx context.Context, account bank.ID, ids []bank.ID) (map[listed]struct{}, error) {
	found := map[listed]struct{}{}
	return found, each(ctx, c.Parallel, ids, func(ctx context.Context, id bank.ID) error {
		var trade *named
		var err error
		if c.claim(account, id) {
			trade, err = c.trade(ctx, account, id)
		} else { // compared with its other account
			trade = &named{}
			err = c.left.read(ctx, "/trades/"+id.String(), trade)
		}
		if err != nil || trade == nil {
			return err
		}
		c.mu.Lock()
		found[listed{account, trade.Date, trade.State == bank.StateCanceled}] = struct{}{}
		c.mu.Unlock()
		return nil
	})
}

// claim says whether a trade is to be compared with this account: the first that names it.
func (c *comparer) claim(account, id bank.ID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.claimed[id] == 0 {
		c.claimed[id] = account
	}
	return c.claimed[id] == account
}

// unclaimed gives the ids of the sequence that no account has named, and those that were asked for.
func (c *comparer) unclaimed(ctx context.Context, asked []bank.ID) ([]bank.ID, error) {
	rest := slices.Clone(asked)
	var known []bank.ID
	for id := range c.claimed {
		known = append(known, id)
	}
	slices.Sort(known)
	last := bank.ID(0)
	if len(known) > 0 {
		last = known[len(known)-1]
	}
	if c.Left.Operations != "" {
		var place bank.ReplayPlace
		a, err := c.left.send(ctx, request{method: http.MethodGet, operations: true, path: "/replay"})
		if err == nil && a.code == http.StatusOK {
			err = decode(a.body, &place)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: how far its ids have come: %w", c.left.system.Name, err)
		}
		last = max(last, place.LastTradeID)
	}
	next := bank.ID(1)
	for _, id := range append(known, last+1) {
		if gap := int(id - next); gap > longGap {
			c.found.Unlooked += gap
			next = id
		}
		for ; next < id; next++ {
			rest = append(rest, next)
		}
		next = id + 1
	}
	slices.Sort(rest)
	return slices.Compact(rest), nil
}

// leftovers compares trades that no journal names, and the lists that have them.
func (c *comparer) leftovers(ctx context.Context, ids []bank.ID) error {
	var mu sync.Mutex
	due := map[listed]struct{}{}
	err := each(ctx, c.Parallel, ids, func(ctx context.Context, id bank.ID) error {
		return c.settled(ctx, func(k *check) error {
			trade, err := k.trade(ctx, 0, id)
			if trade != nil && c.All {
				mu.Lock()
				due[listed{trade.Account, trade.Date, trade.State == bank.StateCanceled}] = struct{}{}
				mu.Unlock()
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	return each(ctx, c.Parallel, slices.Collect(maps.Keys(due)), func(ctx context.Context, of listed) error {
		return c.settled(ctx, func(k *check) error { return k.listed(ctx, of, nil) })
	})
}
