package rates

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/compat/bank"
)

// What is booked: trades of so many accounts, in three symbols, all of one day, which is the business date.
const (
	firstAccount = 100_001
	accounts     = 1000
	day          = 20131007
)

// side is a system that trades are booked to.
type side struct {
	name   string
	api    string
	booked atomic.Int64
}

// appendTrade adds a trade as JSON. No two have the same number.
func appendTrade(to []byte, number int64, dice *rand.Rand) []byte {
	symbols := [...]string{"SPY", "BAC", "IBM"}
	directions := [...]string{"buy", "sell"}
	to = append(to, `{"type":"exchange_trade","timestamp":1381132800464,"client_trade_id":"20131007-`...)
	to = strconv.AppendInt(to, number, 10)
	to = append(to, `","date":20131007,"account_id":`...)
	to = strconv.AppendInt(to, int64(firstAccount+dice.IntN(accounts)), 10)
	to = append(to, `,"quantity":"`...)
	to = strconv.AppendInt(to, int64(100*(1+dice.IntN(20))), 10)
	to = append(to, `","price":"167.`...)
	to = strconv.AppendInt(to, int64(10+dice.IntN(90)), 10)
	to = append(to, `","instrument":{"identifier":"`...)
	to = append(to, symbols[dice.IntN(3)]...)
	to = append(to, `","identifier_type":"ticker","country":"USA","currency":"USD"},"side":{"direction":"`...)
	to = append(to, directions[dice.IntN(2)]...)
	return append(to, `"},"capacity":"principal","mic":"ARCX","exec_mpid":"CLST","fees":{"commission":"1.00"},"order_id":"o-17"}`...)
}

// appendCall adds the body of a call.
func appendCall(to []byte, numbers *atomic.Int64, trades int, dice *rand.Rand) []byte {
	last := numbers.Add(int64(trades))
	to = append(to, '[')
	for i := range int64(trades) {
		if i > 0 {
			to = append(to, ',')
		}
		to = appendTrade(to, last-i, dice)
	}
	return append(to, ']')
}

// open opens the accounts, and begins the day.
func open(ctx context.Context, api, operations string) error {
	c, err := bank.NewClient(bank.ClientConfig{API: api, Operations: operations})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.CreateEntity(ctx, bank.Entity{EntityID: 1, ClientCode: "ONE", LegalName: "One Inc."}); err != nil {
		return fmt.Errorf("open an entity: %w", err)
	}
	group, opening := errgroup.WithContext(ctx)
	group.SetLimit(32)
	for i := range accounts {
		group.Go(func() error {
			_, err := c.CreateAccount(opening, bank.NewAccount{AccountID: bank.ID(firstAccount + i), EntityID: 1, Name: fmt.Sprintf("Account %d", i)})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("open accounts: %w", err)
	}
	if err := c.Roll(ctx, day); err != nil {
		return fmt.Errorf("begin the day: %w", err)
	}
	return nil
}

// phase has clients book calls of some trades for a time, each as soon as its last one is answered, and gives trades a second.
func (r *run) phase(ctx context.Context, s *side, clients, trades int, length time.Duration) (float64, error) {
	callers := make([]*caller, clients)
	defer func() {
		for _, c := range callers {
			if c != nil {
				c.close()
			}
		}
	}()
	for i := range callers {
		var err error
		if callers[i], err = dial(ctx, s.api); err != nil {
			return 0, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	var done atomic.Int64
	errs := make([]error, clients)
	began := time.Now()
	end := began.Add(length)
	var running sync.WaitGroup
	for i, c := range callers {
		running.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(i), uint64(r.numbers.Load())))
			var body []byte
			for ctx.Err() == nil && time.Now().Before(end) {
				body = appendCall(body[:0], &r.numbers, trades, dice)
				if err := c.call("POST", "/trades", body, 202); err != nil {
					errs[i] = fmt.Errorf("%s: %w", s.name, err)
					return
				}
				done.Add(int64(trades))
			}
		})
	}
	running.Wait()
	took := time.Since(began)
	s.booked.Add(done.Load())
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return float64(done.Load()) / took.Seconds(), ctx.Err()
}
