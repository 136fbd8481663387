package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

const (
	maxTold      = 20               // breaches that a check tells; the others are counted
	checkTimeout = 20 * time.Minute // for millions of entries
)

// verdict collects what was checked, with counts, and what was found.
type verdict struct {
	lines    []string
	breaches int
	told     []string
}

func (v *verdict) checked(format string, args ...any) {
	v.lines = append(v.lines, fmt.Sprintf(format, args...))
}

func (v *verdict) breach(format string, args ...any) {
	if v.breaches++; len(v.told) < maxTold {
		v.told = append(v.told, fmt.Sprintf(format, args...))
	}
}

// err is what was found.
func (v *verdict) err() error {
	if v.breaches == 0 {
		return nil
	}
	return fmt.Errorf("%d breaches:\n  %s", v.breaches, strings.Join(v.told, "\n  "))
}

// show prints what was checked.
func (v *verdict) show(to io.Writer) {
	for _, line := range v.lines {
		fmt.Fprintln(to, "  "+line)
	}
}

// balanceKey is a line of the balances: what an account has of an instrument.
type balanceKey struct{ account, instrument int64 }

// balance is in both buckets.
type balance struct{ unsettled, settled ledger.Amount }

// check proves the ledger at rest: once as the server does it itself, and once from the rows in Postgres and the records in Kafka.
func (l *loop) check(ctx context.Context) (*verdict, error) {
	v := &verdict{}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	head := l.tally.head.Load()
	err := l.world.await(ctx, "projections and publisher, at the end", func(ctx context.Context) (bool, string) { return l.world.caughtUp(ctx, head) })
	if err != nil {
		return v, err
	}
	server, _ := l.world.leader(ctx)
	if server == nil {
		return v, errors.New("no server leads")
	}
	if err := l.repeatSamples(ctx, v); err != nil {
		return v, err
	}
	if err := serverVerify(ctx, server, v); err != nil {
		return v, fmt.Errorf("verification by the server: %w", err)
	}
	served, err := serverBalances(ctx, server)
	if err != nil {
		return v, fmt.Errorf("read the balances: %w", err)
	}
	for _, s := range l.world.servers {
		if err := s.stop(); err != nil {
			v.breach("%v", err)
		}
	}
	v.checked("SIGTERM: the server drained and ended with exit code 0")

	j := newJournalCheck(v, l.receipts())
	j.days.told, j.days.reached = l.roller.days, ledger.Date(l.roller.date.Load())
	defer func() { l.days = j.days }()
	if err := j.run(ctx, l.world.postgres.DSN()); err != nil {
		return v, err
	}
	j.compareBalances(served)
	if err := newStreamCheck(v, j).run(ctx, l.world.broker.Addr()); err != nil {
		return v, err
	}
	return v, v.err()
}

// repeatSamples sends acknowledged commands of all rounds again. The clients themselves hold the answers against what they know.
func (l *loop) repeatSamples(ctx context.Context, v *verdict) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	sent := 0
	for _, t := range l.traders {
		if err := t.repeatAll(ctx); err != nil {
			return err
		}
		sent += len(t.memory.sample)
	}
	v.checked("repeats: %d acknowledged commands of all rounds sent once more, each answered with its first entry", sent)
	return nil
}

// receipts gives what all clients remember together.
func (l *loop) receipts() map[string]receipt {
	all := make(map[string]receipt, l.tally.acknowledged.Load())
	for _, t := range l.traders {
		maps.Copy(all, t.memory.receipts) // a key names its client's day: none is two clients'
	}
	return all
}

// serverVerify lets the server verify, as `bk verify` does.
func serverVerify(ctx context.Context, s *server, v *verdict) error {
	began := time.Now()
	stream, err := s.client.Admin.Verify(ctx, connect.NewRequest(&bkv1.VerifyRequest{}))
	if err != nil {
		return err
	}
	defer stream.Close()
	for stream.Receive() {
		switch step := stream.Msg().Step.(type) {
		case *bkv1.VerifyResponse_Finding:
			f := step.Finding
			if !f.Ok {
				v.breach("the server's own verification: %s: %d:%d: %s", f.Check, f.Shard, f.Sequence, f.What)
				continue
			}
			v.checked("server: %-24s %s", f.Check, counts(f.Counts))
		case *bkv1.VerifyResponse_Summary:
			if !step.Summary.Ok {
				v.breach("the server's own verification: %d breaches", step.Summary.Breaches)
			}
			v.checked("server: %d checks in %.1f s", step.Summary.Checks, time.Since(began).Seconds())
			return nil
		}
	}
	return errors.Join(errors.New("it ended without a summary"), stream.Err())
}

func counts(of map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%d %s", of[name], name))
	}
	return strings.Join(parts, ", ")
}

// serverBalances gives all balances as the API gives them.
func serverBalances(ctx context.Context, s *server) (map[balanceKey]balance, error) {
	all := map[balanceKey]balance{}
	size := int32(1000)
	for page := ""; ; {
		res, err := s.client.Query.ListBalances(ctx, connect.NewRequest(&bkv1.ListBalancesRequest{PageSize: &size, PageToken: page}))
		if err != nil {
			return nil, err
		}
		for _, b := range res.Msg.Balances {
			key := balanceKey{b.Account, b.Instrument}
			if _, twice := all[key]; twice {
				return nil, fmt.Errorf("account %d, instrument %d is there twice", b.Account, b.Instrument)
			}
			unsettled, err1 := ledger.ParseAmount(b.Unsettled)
			settled, err2 := ledger.ParseAmount(b.Settled)
			if err := errors.Join(err1, err2); err != nil {
				return nil, fmt.Errorf("account %d, instrument %d: %w", b.Account, b.Instrument, err)
			}
			all[key] = balance{unsettled, settled}
		}
		if page = res.Msg.NextPageToken; page == "" {
			return all, nil
		}
	}
}
