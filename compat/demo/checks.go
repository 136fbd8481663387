package demo

import (
	"context"
	"fmt"
	"sync"
	"time"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
)

// audit has each client compare all its accounts, between two calls, with what it was told since the history: positions, and cash. It gives how many were compared.
func (c *clients) audit(ctx context.Context) (accounts int64, wrong []string, err error) {
	var mu sync.Mutex
	err = c.each(ctx, func(one *client) {
		some := one.audit()
		mu.Lock()
		defer mu.Unlock()
		wrong = append(wrong, some...)
		accounts += int64(len(one.accounts))
	})
	mu.Lock()
	defer mu.Unlock()
	return accounts, wrong, err
}

// audit compares all of a client's accounts.
func (c *client) audit() (wrong []string) {
	for _, account := range c.accounts {
		began := time.Now()
		positions, err := c.api.Positions(c.calls, account, true, bank.Page{Size: 100})
		if !c.called("read positions", began, "", err) {
			return append(wrong, fmt.Sprintf("account %s: its positions can't be read", account))
		}
		wrong = append(wrong, c.wrongPositions(account, positions.Data)...)
		began = time.Now()
		balances, err := c.api.Balances(c.calls, account)
		if !c.called("read balances", began, "", err) {
			return append(wrong, fmt.Sprintf("account %s: its balances can't be read", account))
		}
		if text := c.wrongCash(account, balances); text != "" {
			wrong = append(wrong, text)
		}
	}
	return wrong
}

// trialBalance looks at the sum of each instrument over all accounts of BK's: it has to be zero. It gives how many there are.
func (w *world) trialBalance(ctx context.Context) (instruments int64, wrong []string, err error) {
	size := int32(1000)
	for page := ""; ; {
		answer, err := w.bk.Query.TrialBalance(ctx, connect.NewRequest(&bkv1.TrialBalanceRequest{PageSize: &size, PageToken: page}))
		if err != nil {
			return 0, nil, fmt.Errorf("BK's trial balance: %w", err)
		}
		for _, row := range answer.Msg.Rows {
			instruments++
			if row.Difference != "0" {
				wrong = append(wrong, fmt.Sprintf("BK's books have %s of %s too many", row.Difference, row.Symbol))
			}
		}
		if page = answer.Msg.NextPageToken; page == "" {
			return instruments, wrong, nil
		}
	}
}

// verify has BK prove its books: chain, sums, projections, stream.
func (w *world) verify(ctx context.Context) (checks int64, wrong []string, err error) {
	stream, err := w.bk.Admin.Verify(ctx, connect.NewRequest(&bkv1.VerifyRequest{}))
	if err != nil {
		return 0, nil, fmt.Errorf("verify BK: %w", err)
	}
	defer stream.Close() //nolint:errcheck // it was read
	ended := false
	for stream.Receive() {
		if f := stream.Msg().GetFinding(); f != nil && !f.Ok {
			wrong = append(wrong, fmt.Sprintf("BK's %s: %s", f.Check, f.What))
		}
		if s := stream.Msg().GetSummary(); s != nil {
			ended, checks = true, int64(s.Checks)
		}
	}
	if err := stream.Err(); err != nil {
		return 0, nil, fmt.Errorf("verify BK: %w", err)
	}
	if !ended {
		return 0, nil, fmt.Errorf("verify BK: it ended without a result")
	}
	return checks, wrong, nil
}
