package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
)

// rolling is bk roll.
type rolling struct {
	app     *app
	server  remote
	output  output
	to      dateFlag
	street  bool
	quiet   bool
	timeout time.Duration

	meter   *meter
	again   *again
	before  *bkv1.StatusResponse // where the ledger stood
	listing *listing
	shown   []int32 // days that are shown already
}

func newRollCommand(a *app) *cobra.Command {
	r := &rolling{app: a}
	cmd := &cobra.Command{
		Use:   "roll --to DATE",
		Short: "Take the business date forward: open and settle what is due, and freeze each day's cut",
		Long: `Takes the business date forward to DATE, day by day: on each day what is due opens and settles, with its parties and with the street, and
at its end a cut of all holdings is frozen, whose hash is shown. Bookings wait meanwhile. The first roll of a ledger sets its business date
to DATE at once.

Rolling to the business date does nothing and is a success, so a roll that was interrupted is simply given again. Once a day has begun, the
server takes the roll to its end by itself.`,
		Example: `  bk roll --to 2013-10-16
  bk roll --to 20131016 --street=false    # the street side is left to bk event trade.settle_street`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.run(cmd.Context()) },
	}
	r.server.bind(cmd)
	r.output.bind(cmd, asTable, asCSV, asJSON)
	cmd.Flags().Var(&r.to, "to", "the business date to come to; needed")
	cmd.Flags().BoolVar(&r.street, "street", true, "settle the street side, too")
	cmd.Flags().BoolVar(&r.quiet, "quiet", false, "no progress")
	cmd.Flags().DurationVar(&r.timeout, "timeout", 2*time.Minute, "give up when nothing has gone forward for so long")
	return cmd
}

func (r *rolling) run(ctx context.Context) error {
	if r.to.date == 0 {
		return usageError("--to: needed: the business date to come to")
	}
	c, err := r.server.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	r.meter = newMeter(r.app.err, r.quiet)
	r.again = &again{timeout: r.timeout, meter: r.meter}
	if err := r.again.begin(ctx, c); err != nil {
		return err
	}
	if err := r.again.call(ctx, func(ctx context.Context) error {
		res, err := c.Admin.Status(ctx, connect.NewRequest(&bkv1.StatusRequest{}))
		if err == nil {
			r.before = res.Msg
		}
		return err
	}); err != nil {
		return err
	}
	if r.output.form != asTable {
		r.listing = list(r.app.out, r.output.form, "date", ">opened", ">settled", ">cut_rows", "cut_hash", "token")
	}
	var summary *bkv1.RollSummary
	err = r.again.call(ctx, func(ctx context.Context) (err error) {
		summary, err = r.roll(ctx, c)
		return err
	})
	r.meter.clear()
	if err != nil {
		return err
	}
	if err := r.missed(ctx, c, summary); err != nil {
		return err
	}
	if r.listing != nil {
		return r.listing.end()
	}
	already := ""
	if len(r.shown) == 0 {
		already = " already"
	}
	_, err = fmt.Fprintf(r.app.out, "the business date is %s%s\n", day(summary.Date), already)
	return err
}

// roll asks for the roll once, or joins the one that is under way, and shows the days as they end.
func (r *rolling) roll(ctx context.Context, c *client.Client) (summary *bkv1.RollSummary, err error) {
	stream, err := c.Admin.Roll(ctx, connect.NewRequest(&bkv1.RollRequest{To: r.to.date, WithoutStreet: !r.street}))
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	for stream.Receive() {
		r.again.progressed()
		switch step := stream.Msg().Step.(type) {
		case *bkv1.RollResponse_Progress:
			p := step.Progress
			r.meter.show(p.Done, 0, fmt.Sprintf("%s: %s %s", day(p.Date), p.Doing, grouped(p.Done)))
		case *bkv1.RollResponse_Day:
			if err := r.show(step.Day); err != nil {
				return nil, err
			}
		case *bkv1.RollResponse_Summary:
			summary = step.Summary
		}
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	if summary == nil {
		return nil, connect.NewError(connect.CodeUnavailable, errors.New("the roll broke off: the server sent no summary"))
	}
	return summary, nil
}

// show shows a day that has ended, once, and not those before the one that this roll began behind.
func (r *rolling) show(d *bkv1.RolledDay) error {
	if d.Date <= r.before.BusinessDate && !r.before.Rolling || slices.Contains(r.shown, d.Date) {
		return nil
	}
	r.shown = append(r.shown, d.Date)
	if r.listing != nil {
		return r.listing.add(day(d.Date), d.Opened, d.Settled, d.CutRows, d.CutHash, d.Token)
	}
	r.meter.clear()
	_, err := fmt.Fprintf(r.app.out, "%s  opened %s  settled %s  cut of %s rows  %s\n", day(d.Date), grouped(d.Opened), grouped(d.Settled),
		grouped(d.CutRows), d.CutHash)
	return err
}

// missed shows the days that ended while the connection was lost: the journal has them.
func (r *rolling) missed(ctx context.Context, c *client.Client, summary *bkv1.RollSummary) error {
	if r.before.BusinessDate == summary.Date && !r.before.Rolling || slices.Contains(r.shown, summary.Date) && int32(len(r.shown)) == summary.Days {
		return nil
	}
	head, err := ledger.ParseToken(r.before.Head)
	if err != nil {
		return fmt.Errorf("the server's head: %w", err)
	}
	return pages(func(token string) (string, bool, error) {
		req := &bkv1.ListEntriesRequest{PageSize: ptr(int32(pageRows)), PageToken: token, Kind: string(ledger.KindDayEnd), FirstSequence: int64(head.Seq) + 1, AtLeast: summary.Token}
		res, err := patiently(ctx, func(ctx context.Context) (*connect.Response[bkv1.ListEntriesResponse], error) {
			return c.Query.ListEntries(ctx, connect.NewRequest(req))
		})
		if err != nil {
			return "", false, err
		}
		for _, e := range res.Entries {
			d := e.Day
			if err := r.show(&bkv1.RolledDay{
				Date: d.GetDate(), Opened: d.GetOpened(), Settled: d.GetSettled(), CutRows: d.GetCutRows(), CutHash: fmt.Sprintf("%x", d.GetCutHash()),
				Token: ledger.Token{Shard: uint16(e.Shard), Seq: uint64(e.Sequence)}.String(),
			}); err != nil {
				return "", false, err
			}
		}
		return res.NextPageToken, true, nil
	})
}
