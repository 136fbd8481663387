package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/jedib0t/go-pretty/v6/table"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
)

// The demo's days: the one that is made up and the two that follow, on which its trades settle, and those of the account that is looked at.
const (
	demoDate    ledger.Date = 20250303
	demoSettled ledger.Date = 20250304
	demoEnd     ledger.Date = 20250305
	demoAccount             = "cust:demo"
)

// demoDays shows how the books go on after the day that was booked.
type demoDays struct {
	*demo
	client   *client.Client
	security ledger.Instrument

	token  string // of the last write
	held   int    // checks that held
	failed []error
}

func (d *demoDays) show(ctx context.Context) error {
	fmt.Fprintf(d.out, "\nThe days that follow, for the account %s in %s:\n\n", demoAccount, d.security.Symbol)
	opened, err := d.client.Directory.CreateAccount(ctx, connect.NewRequest(&bkv1.CreateAccountRequest{Account: &bkv1.Account{Code: demoAccount}, Source: "demo"}))
	if err != nil {
		return fmt.Errorf("open an account: %w", err)
	}
	d.token = opened.Msg.Token
	for _, step := range []func(context.Context) error{d.trade, d.settle, d.profit, d.past, d.stockRecord, d.cuts, d.again} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(d.out, "\n%d checks of these days hold, %d do not.\n", d.held, len(d.failed))
	return errors.Join(d.failed...)
}

// check counts a check.
func (d *demoDays) check(holds bool, format string, args ...any) {
	if holds {
		d.held++
		return
	}
	d.failed = append(d.failed, fmt.Errorf("does not hold: "+format, args...))
}

// order is a trade of the demo's account.
func (d *demoDays) order(side bkv1.Direction, quantity, price string, on ledger.Date) *bkv1.Trade {
	return &bkv1.Trade{
		Type: bkv1.TradeType_TRADE_TYPE_EXCHANGE, ExecutedAt: timestamppb.New(on.Time().Add(15 * time.Hour)), Account: &bkv1.AccountRef{Code: demoAccount},
		Direction: side, Quantity: quantity, Price: price, Instrument: wire.Identifier(d.security.Identifiers[0]),
		Capacity: bkv1.Capacity_CAPACITY_AGENCY, Mic: "XNYS", ExecMpid: "DEMO",
	}
}

func (d *demoDays) book(ctx context.Context, key string, on ledger.Date, t *bkv1.Trade) (*bkv1.Receipt, error) {
	res, err := d.client.Booking.BookTrade(ctx, connect.NewRequest(&bkv1.BookTradeRequest{Key: "demo-" + key, Source: "demo", TradeDate: int32(on), Trade: t}))
	if err != nil {
		return nil, fmt.Errorf("book a trade: %w", err)
	}
	d.token = res.Msg.Receipt.Token
	return res.Msg.Receipt, nil
}

// roll takes the business date forward and says how long it took.
func (d *demoDays) roll(ctx context.Context, to ledger.Date) (days []*bkv1.RolledDay, took time.Duration, err error) {
	began := time.Now()
	stream, err := d.client.Admin.Roll(ctx, connect.NewRequest(&bkv1.RollRequest{To: int32(to)}))
	if err != nil {
		return nil, 0, fmt.Errorf("roll to %s: %w", to, err)
	}
	defer stream.Close()
	for stream.Receive() {
		if day := stream.Msg().GetDay(); day != nil {
			days = append(days, day)
		}
		if s := stream.Msg().GetSummary(); s != nil {
			d.token = s.Token
		}
	}
	if err := stream.Err(); err != nil {
		return nil, 0, fmt.Errorf("roll to %s: %w", to, err)
	}
	return days, time.Since(began), nil
}

// trade books on the first business date: a trade that is corrected, and one that is cancelled.
func (d *demoDays) trade(ctx context.Context) error {
	days, took, err := d.roll(ctx, demoDate)
	if err != nil {
		return err
	}
	d.check(len(days) == 1 && days[0].Settled == 0, "the first roll settles nothing")
	d.step(took, "the first roll: the business date is %s, its cut has %s rows", demoDate, grouped(days[0].GetCutRows()))
	began := time.Now()
	wrong, err := d.book(ctx, "1", demoDate, d.order(bkv1.Direction_DIRECTION_BUY, "100", "101.5", demoDate))
	if err != nil {
		return err
	}
	corrected, err := d.client.Booking.CorrectTrade(ctx, connect.NewRequest(&bkv1.CorrectTradeRequest{
		Key: "demo-2", Source: "demo", TradeDate: int32(demoDate), Target: &bkv1.Target{Trade: wrong.TradeId},
		Trade: d.order(bkv1.Direction_DIRECTION_BUY, "100", "100", demoDate),
	}))
	if err != nil {
		return fmt.Errorf("correct a trade: %w", err)
	}
	mistaken, err := d.book(ctx, "3", demoDate, d.order(bkv1.Direction_DIRECTION_BUY, "5000", "100", demoDate))
	if err != nil {
		return err
	}
	canceled, err := d.client.Booking.CancelTrade(ctx, connect.NewRequest(&bkv1.CancelTradeRequest{
		Key: "demo-4", Source: "demo", Target: &bkv1.Target{Trade: mistaken.TradeId},
	}))
	if err != nil {
		return fmt.Errorf("cancel a trade: %w", err)
	}
	d.token = canceled.Msg.Receipt.Token
	was, err := d.client.Query.GetTrade(ctx, connect.NewRequest(&bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Id{Id: wrong.TradeId}, AtLeast: d.token}))
	if err != nil {
		return fmt.Errorf("read a trade: %w", err)
	}
	old := was.Msg.Trade
	d.check(old.State == bkv1.TradeState_TRADE_STATE_CANCELED && old.ReplacedBy == corrected.Msg.Receipt.TradeId, "the corrected trade is cancelled and linked to the new one")
	d.step(time.Since(began), "bought 100 @ 101.50, corrected to 100.00; bought 5,000, cancelled")
	return nil
}

// settle rolls to the settlement date: every trade of the day settles, with its parties and with the street.
func (d *demoDays) settle(ctx context.Context) error {
	days, took, err := d.roll(ctx, demoSettled)
	if err != nil {
		return err
	}
	var settled int64
	for _, day := range days {
		settled += day.Settled
	}
	one := int32(1)
	open, err := d.client.Query.ListTrades(ctx, connect.NewRequest(&bkv1.ListTradesRequest{State: bkv1.TradeState_TRADE_STATE_OPEN, PageSize: &one, AtLeast: d.token}))
	if err != nil {
		return fmt.Errorf("list open trades: %w", err)
	}
	d.check(settled > 0 && len(open.Msg.Trades) == 0, "every trade of the day has settled")
	d.step(took, "rolled to %s: %s trades settled (%s/s), bookings waited meanwhile", demoSettled, grouped(settled), grouped(int64(float64(settled)/took.Seconds())))
	return nil
}

// profit sells a part and shows what that brought.
func (d *demoDays) profit(ctx context.Context) error {
	sell := d.order(bkv1.Direction_DIRECTION_SELL, "40", "112.25", demoSettled)
	if _, err := d.book(ctx, "5", demoSettled, sell); err != nil {
		return err
	}
	_, took, err := d.roll(ctx, demoEnd)
	if err != nil {
		return err
	}
	d.step(took, "sold 40 @ 112.25 on %s, rolled to %s", demoSettled, demoEnd)
	p, err := d.position(ctx, 0, "")
	if err != nil {
		return err
	}
	d.check(p.GetSettled() == "60" && p.GetUnsettled() == "0" && p.GetCost() == "6000" && p.GetRealised() == "490", "60 are left at 6000, and 40 × (112.25 - 100) is realised: %v", p)
	return nil
}

// position gives the account's position, nil if it has none.
func (d *demoDays) position(ctx context.Context, asOf ledger.Date, knownAt string) (*bkv1.Position, error) {
	res, err := d.client.Query.ListPositions(ctx, connect.NewRequest(&bkv1.ListPositionsRequest{
		Account: &bkv1.AccountRef{Code: demoAccount}, AsOf: int32(asOf), KnownAt: knownAt, AtLeast: d.token,
	}))
	if err != nil {
		return nil, fmt.Errorf("read a position: %w", err)
	}
	if len(res.Msg.Positions) == 0 {
		return nil, nil
	}
	return res.Msg.Positions[0], nil
}

// past books a trade of two days ago, and reads each day as it was known before and as it is known now.
func (d *demoDays) past(ctx context.Context) error {
	before, began := d.token, time.Now()
	if _, err := d.book(ctx, "6", demoDate, d.order(bkv1.Direction_DIRECTION_BUY, "100", "98", demoDate)); err != nil {
		return err
	}
	t := demoTable("as of", "known", "quantity", "settled", "cost", "average cost", "realised")
	for _, on := range []ledger.Date{demoDate, demoSettled, demoEnd} {
		for _, known := range []struct{ at, name string }{{before, "before"}, {"", "now"}} {
			p, err := d.position(ctx, on, known.at)
			if err != nil {
				return err
			}
			t.AppendRow(table.Row{on, known.name, p.GetTradeDate(), p.GetSettled(), p.GetCost(), p.GetAverageCost(), p.GetRealised()})
			if on == demoEnd && known.at == "" {
				d.check(p.GetTradeDate() == "160" && p.GetRealised() == "530" && p.GetAverageCost() == "99", "cost and profit are derived anew from the late trade on: %v", p)
			} else if on == demoEnd {
				d.check(p.GetTradeDate() == "60" && p.GetRealised() == "490", "what was known before stays: %v", p)
			}
		}
	}
	d.step(time.Since(began), "on %s comes a forgotten trade of %s: bought 100 @ 98", demoEnd, demoDate)
	alignNumbers(t, 3, 4, 5, 6, 7)
	fmt.Fprintf(d.out, "\nThe position, as of each day, as it was known before the late trade and now:\n\n%s\n", indented(t.Render()))
	return nil
}

// stockRecord shows where one security is.
func (d *demoDays) stockRecord(ctx context.Context) error {
	size := int32(1000) // more than the day's instruments
	res, err := d.client.Query.ListStockRecords(ctx, connect.NewRequest(&bkv1.ListStockRecordsRequest{PageSize: &size, AtLeast: d.token}))
	if err != nil {
		return fmt.Errorf("read the stock record: %w", err)
	}
	off := 0
	t := demoTable("security", "owners long", "owners short", "located", "difference")
	for _, r := range res.Msg.Totals {
		if r.Difference != "0" {
			off++
		}
		if r.Symbol == d.security.Symbol {
			t.AppendRow(table.Row{r.Symbol, grouped(r.Long), grouped(r.Short), grouped(r.Located), r.Difference})
		}
	}
	d.check(off == 0 && len(res.Msg.Totals) > 0, "owners and locations are equal in %d of %d securities", len(res.Msg.Totals)-off, len(res.Msg.Totals))
	alignNumbers(t, 2, 3, 4, 5)
	fmt.Fprintf(d.out, "\nThe stock record of %s; it is even in all %d securities:\n\n%s\n", d.security.Symbol, len(res.Msg.Totals)-off, indented(t.Render()))
	return nil
}

// cuts shows what is frozen.
func (d *demoDays) cuts(ctx context.Context) error {
	res, err := d.client.Query.ListCuts(ctx, connect.NewRequest(&bkv1.ListCutsRequest{AtLeast: d.token}))
	if err != nil {
		return fmt.Errorf("list the cuts: %w", err)
	}
	t := demoTable("day", "rows of the cut", "hash")
	for _, cut := range res.Msg.Cuts {
		t.AppendRow(table.Row{day(cut.Date), grouped(cut.Rows), cut.Hash[:16] + " …"})
	}
	d.check(len(res.Msg.Cuts) == 3, "three days have their cuts")
	alignNumbers(t, 2)
	fmt.Fprintf(d.out, "\nThe days' cuts, frozen:\n\n%s\n", indented(t.Render()))
	return nil
}

// again rolls to where the business date is, and proves the books once more.
func (d *demoDays) again(ctx context.Context) error {
	days, took, err := d.roll(ctx, demoEnd)
	if err != nil {
		return err
	}
	d.check(len(days) == 0, "rolling again does nothing")
	fmt.Fprintln(d.out)
	d.step(took, "rolled to %s again: nothing to do", demoEnd)
	if err := d.caughtUpAt(ctx); err != nil {
		return err
	}
	proof, err := prove(ctx, d.client)
	if err != nil {
		return err
	}
	d.check(proof.broken == nil, "the proof of the books: %v", proof.broken)
	d.step(proof.took, "all of it is read and verified once more: %s events", grouped(proof.events))
	return nil
}

// caughtUpAt waits until Kafka has everything.
func (d *demoDays) caughtUpAt(ctx context.Context) error {
	_, err := d.caughtUp(ctx, d.client, &demoLoad{ended: time.Now()})
	return err
}
