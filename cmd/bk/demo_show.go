package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

const (
	topPositions = 8
	catchUpFor   = 5 * time.Minute // for the projections and Kafka to catch up with the load
	catchUpPoll  = 20 * time.Millisecond
)

// report shows what came of the load: figures, positions, balances, proof.
func (d *demo) report(ctx context.Context, at endpoints, c *client.Client, l *demoLoad) error {
	d.step(l.took, "%s commands are booked: trades, corrections, cancels", grouped(l.booked))
	waited, err := d.readOwnWrites(ctx, c, l)
	if err != nil {
		return err
	}
	d.step(waited, "a read that asks for the last booking (at_least %s) has its answer", l.token)
	if waited, err = d.caughtUp(ctx, c, l); err != nil {
		return err
	}
	d.step(waited, "all projections and Kafka have everything, counted from the last booking, too")
	proof, err := prove(ctx, c)
	if err != nil {
		return err
	}
	d.step(proof.took, "all of it is read again from Postgres and Kafka, and verified")

	fmt.Fprintf(d.out, "\nOver HTTP through the Connect API, batches of %d, %d in flight; load and servers on one machine:\n\n", demoBatch, demoLanes)
	t := demoTable("trades/s", "commands/s", "p50 of a batch", "p99 of a batch", "journal entries", "Kafka events")
	t.AppendRow(table.Row{
		grouped(int(float64(l.day.Trades()) / l.took.Seconds())), grouped(int(float64(l.booked) / l.took.Seconds())),
		shortDuration(l.quantile(0.5)), shortDuration(l.quantile(0.99)), grouped(l.token.Seq), grouped(proof.events),
	})
	fmt.Fprintln(d.out, indented(t.Render()))
	fmt.Fprintln(d.out, "  A correction is two entries, an account or instrument one; an entry is an event per customer.")
	if err := d.showPositions(ctx, c, l); err != nil {
		return err
	}
	if err := d.showTrialBalance(ctx, c, l.token); err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\nThe proof (bk verify):\n\n%s\n", indented(proof.table))
	return proof.broken
}

// readOwnWrites reads at the last booking and gives how long after it the answer came.
func (d *demo) readOwnWrites(ctx context.Context, c *client.Client, l *demoLoad) (time.Duration, error) {
	for {
		_, err := c.Query.TrialBalance(ctx, connect.NewRequest(&bkv1.TrialBalanceRequest{AtLeast: l.token.String()}))
		if err == nil {
			return time.Since(l.ended), nil
		}
		if client.Reason(err) != "behind" || time.Since(l.ended) > catchUpFor {
			return 0, fmt.Errorf("read at %s: %w", l.token, err)
		}
	}
}

// caughtUp waits until the projections and Kafka have everything and gives how long after the last booking that was.
func (d *demo) caughtUp(ctx context.Context, c *client.Client, l *demoLoad) (time.Duration, error) {
	for {
		status, err := c.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{}))
		if err != nil {
			return 0, fmt.Errorf("ask for the status: %w", err)
		}
		p := status.Msg.Publisher
		behind := slices.ContainsFunc(status.Msg.Projections, func(p *bkv1.ProjectionStatus) bool { return p.Lag > 0 })
		if !behind && p != nil && p.Lag == 0 && p.Sequence > 0 {
			return time.Since(l.ended), nil
		}
		if time.Since(l.ended) > catchUpFor {
			return 0, fmt.Errorf("projections or publisher are still behind: %v", status.Msg)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(catchUpPoll):
		}
	}
}

// demoHolding is a customer's position and what it is worth.
type demoHolding struct {
	*bkv1.Balance
	price, value ledger.Amount
}

func (h demoHolding) size() ledger.Amount {
	if h.value.Sign() < 0 {
		return h.value.Neg()
	}
	return h.value
}

func (d *demo) showPositions(ctx context.Context, c *client.Client, l *demoLoad) error {
	var all []demoHolding
	size := int32(1000)
	for page := ""; ; {
		answer, err := c.Query.ListBalances(ctx, connect.NewRequest(&bkv1.ListBalancesRequest{
			PageSize: &size, PageToken: page, CustomersOnly: true, NonZero: true, AtLeast: l.token.String(),
			InstrumentKind: bkv1.InstrumentKind_INSTRUMENT_KIND_SECURITY,
		}))
		if err != nil {
			return fmt.Errorf("list positions: %w", err)
		}
		for _, b := range answer.Msg.Balances {
			h := demoHolding{Balance: b, price: l.prices[b.Symbol]}
			quantity, err := ledger.ParseAmount(b.TradeDate)
			if err == nil {
				h.value, err = quantity.Mul(h.price)
			}
			if err != nil {
				return fmt.Errorf("value of %s in %s: %w", b.Symbol, b.AccountCode, err)
			}
			all = append(all, h)
		}
		if page = answer.Msg.NextPageToken; page == "" {
			break
		}
	}
	slices.SortFunc(all, func(a, b demoHolding) int { return cmp.Or(b.size().Cmp(a.size()), cmp.Compare(a.Account, b.Account)) })
	fmt.Fprintf(d.out, "\nThe largest of the %s positions, long and short:\n\n", grouped(len(all)))
	t := demoTable("account", "symbol", "trade-date quantity", "last price", "value in USD")
	for _, h := range all[:min(topPositions, len(all))] {
		t.AppendRow(table.Row{h.AccountCode, h.Symbol, grouped(h.TradeDate), dollars(h.price), dollars(h.value)})
	}
	alignNumbers(t, 3, 4, 5)
	fmt.Fprintln(d.out, indented(t.Render()))
	return nil
}

func (d *demo) showTrialBalance(ctx context.Context, c *client.Client, token ledger.Token) error {
	size := int32(1000) // more than the day's instruments
	answer, err := c.Query.TrialBalance(ctx, connect.NewRequest(&bkv1.TrialBalanceRequest{PageSize: &size, AtLeast: token.String()}))
	if err != nil {
		return fmt.Errorf("trial balance: %w", err)
	}
	fmt.Fprintf(d.out, "\nTrial balance: every instrument's balances, over all accounts, come to zero:\n\n")
	t := demoTable("instrument", "balances", "positive", "negative", "difference")
	off := 0
	for _, r := range answer.Msg.Rows {
		if r.Difference != "0" {
			off++
		}
		t.AppendRow(table.Row{r.Symbol, grouped(r.Balances), grouped(r.Positive), grouped(r.Negative), grouped(r.Difference)})
	}
	alignNumbers(t, 2, 3, 4, 5)
	fmt.Fprintln(d.out, indented(t.Render()))
	if off > 0 {
		return fmt.Errorf("%d instruments do not come to zero", off)
	}
	return nil
}

// proof is what the server's verification found.
type proof struct {
	table  string
	events int64
	took   time.Duration
	broken error // the books do not hold
}

// prove lets the server verify everything. An error says that it could not.
func prove(ctx context.Context, c *client.Client) (*proof, error) {
	stream, err := c.Admin.Verify(ctx, connect.NewRequest(&bkv1.VerifyRequest{}))
	if err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	defer stream.Close()
	p := &proof{}
	t := demoTable("check", "counted", "result")
	var breaches []string
	var summary *bkv1.VerifySummary
	for stream.Receive() {
		if f := stream.Msg().GetFinding(); f != nil {
			result := "holds"
			if !f.Ok {
				result = "BROKEN"
				breaches = append(breaches, fmt.Sprintf("%s, entry %d:%d: %s", f.Check, f.Shard, f.Sequence, f.What))
			}
			t.AppendRow(table.Row{f.Check, countsText(f.Counts), result})
			p.events += f.Counts["events"]
		}
		if s := stream.Msg().GetSummary(); s != nil {
			summary = s
		}
	}
	if err := stream.Err(); err != nil {
		return nil, fmt.Errorf("verify: %w", err)
	}
	if summary == nil {
		return nil, fmt.Errorf("verify: the server ended without a summary")
	}
	p.table, p.took = t.Render(), summary.Took.AsDuration()
	if !summary.Ok {
		p.broken = fmt.Errorf("the books do not hold, %d breaches:\n  %s", summary.Breaches, strings.Join(breaches[:min(10, len(breaches))], "\n  "))
	}
	return p, nil
}

// serveOn says how to look further.
func (d *demo) serveOn(at endpoints, keep bool) {
	bk := os.Args[0]
	if strings.Contains(bk, "go-build") {
		bk = "go run ./cmd/bk"
	}
	fmt.Fprintf(d.out, "\nLook further, in another terminal:\n\n")
	for _, line := range []string{
		fmt.Sprintf("%s positions --server %s", bk, at.Connect),
		fmt.Sprintf("%s trades --limit 10 --server %s", bk, at.Connect),
		fmt.Sprintf("%s entries --server %s", bk, at.Connect),
		fmt.Sprintf("curl -s %s/bk.v1.QueryService/TrialBalance -H 'Content-Type: application/json' -d '{}'", at.Connect),
		fmt.Sprintf("curl -s %s/metrics | grep ^bk_", at.Metrics),
		fmt.Sprintf("psql '%s' -c 'TABLE bk_read.projection'", at.Postgres),
	} {
		fmt.Fprintf(d.out, "  %s\n", line)
	}
	end := "ends it and removes the folder"
	if keep {
		end = fmt.Sprintf("ends it; `bk dev --data %s` serves the same ledger again", d.stack.dir)
	}
	fmt.Fprintf(d.out, "\nKafka is at %s, topic bk.events.v1; the log is %s.\nServing. Ctrl-C %s.\n", at.Kafka, filepath.Join(d.stack.dir, "bk.log"), end)
}

func demoTable(header ...any) table.Writer {
	t := table.NewWriter()
	style := table.StyleLight
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	t.AppendHeader(table.Row(header))
	return t
}

// alignNumbers puts the columns of these numbers, from 1, to the right.
func alignNumbers(t table.Writer, columns ...int) {
	var configs []table.ColumnConfig
	for _, n := range columns {
		configs = append(configs, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
}

func indented(block string) string { return "  " + strings.ReplaceAll(block, "\n", "\n  ") }

// grouped writes a decimal number with commas between thousands.
func grouped(number any) string {
	sign, digits := "", fmt.Sprint(number)
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	whole, fraction, hasFraction := strings.Cut(digits, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if hasFraction {
		whole += "." + fraction
	}
	return sign + whole
}

// dollars writes an amount with cents; more digits, if it has them, stay.
func dollars(amount ledger.Amount) string {
	whole, fraction, _ := strings.Cut(grouped(amount), ".")
	for len(fraction) < 2 {
		fraction += "0"
	}
	return whole + "." + fraction
}

// shortDuration writes a duration with three digits that matter.
func shortDuration(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
}

func countsText(all map[string]int64) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, counted(all[name], name))
	}
	return strings.Join(parts, ", ")
}
