package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/spf13/cobra"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

// eventBooking is bk event.
type eventBooking struct {
	app                    *app
	server                 remote
	output                 output
	key, source            string
	target, targetKey      string
	trade, settle, effects dateFlag
	timeout                time.Duration
}

func newEventCommand(a *app) *cobra.Command {
	e := &eventBooking{app: a}
	cmd := &cobra.Command{
		Use:   "event KIND [FIELD=VALUE...] --key KEY",
		Short: "Book one event by hand: cash, a journal, foreign exchange, street settlement",
		Long: `Books an event of a kind that no file brings. The kind says which fields it needs:

  cash.deposit, cash.withdrawal      account currency amount
  interest.charge, interest.credit   account currency amount
  journal.cash                       from to currency amount
  journal.security                   from to instrument (_type _country _currency) quantity; cost, currency
  fx.trade                           account sold_currency sold_amount bought_currency bought_amount
  trade.settle_street                --target TRADE

and those that were added to the ledger. Accounts are named by id or code. The same key again books nothing twice.`,
		Example: `  bk event cash.deposit account=cust:100018 currency=USD amount=250000 --key wire-4711
  bk event trade.settle_street --target 22031 --effective-date 2013-10-10 --key street-22031`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return e.run(cmd.Context(), args[0], args[1:]) },
	}
	e.server.bind(cmd)
	e.output.bind(cmd, asTable, asJSON)
	cmd.Flags().StringVar(&e.key, "key", "", "what makes the booking happen once: any text of up to 256 bytes; needed")
	cmd.Flags().StringVar(&e.source, "source", "", "who books it")
	cmd.Flags().StringVar(&e.target, "target", "", "the id of the trade that the event acts on")
	cmd.Flags().StringVar(&e.targetKey, "target-key", "", "the key of the trade that the event acts on, instead of its id")
	cmd.Flags().Var(&e.effects, "effective-date", "when it counts in the books: the business date if left out")
	cmd.Flags().Var(&e.trade, "trade-date", "its trade date, if it has one")
	cmd.Flags().Var(&e.settle, "settle-date", "its settlement date, if it has one")
	cmd.Flags().DurationVar(&e.timeout, "timeout", 2*time.Minute, "give up when the server has not answered for so long")
	return cmd
}

func (e *eventBooking) run(ctx context.Context, kind string, assignments []string) error {
	if e.key == "" {
		return usageError("--key: needed: what makes the booking happen once")
	}
	event := &bkv1.NewEvent{Kind: kind}
	if e.target != "" || e.targetKey != "" {
		id, err := parseNumber(e.target)
		if e.target != "" && (err != nil || id == 0) {
			return usageError("--target: %q is no trade id", e.target)
		}
		event.Target = &bkv1.Target{Trade: id, Key: e.targetKey}
	}
	for _, text := range assignments {
		name, value, ok := strings.Cut(text, "=")
		if _, twice := event.Fields[name]; !ok || name == "" || twice {
			return usageError("%q is no FIELD=VALUE, or the field stands twice", text)
		}
		if event.Fields == nil {
			event.Fields = map[string]string{}
		}
		event.Fields[name] = value
	}
	c, err := e.server.dial()
	if err != nil {
		return err
	}
	defer c.Close()
	again := &again{timeout: e.timeout, meter: newMeter(e.app.err, false)}
	if err := again.begin(ctx, c); err != nil {
		return err
	}
	var receipt *bkv1.Receipt
	err = again.call(ctx, func(ctx context.Context) error {
		res, err := c.Booking.BookEvent(ctx, connect.NewRequest(&bkv1.BookEventRequest{
			Key: e.key, Source: e.source, TradeDate: e.trade.date, SettleDate: e.settle.date, EffectiveDate: e.effects.date, Event: event,
		}))
		if err == nil {
			receipt = res.Msg.Receipt
		}
		return err
	})
	if err != nil {
		return err
	}
	if e.output.form == asJSON {
		text, err := messageJSON(receipt)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.app.out, "%s\n", text)
		return err
	}
	how := "booked"
	if receipt.Repeat {
		how = "was booked before"
	}
	_, err = fmt.Fprintf(e.app.out, "%s %s: entry %d at %s\n", kind, how, receipt.EntryId, receipt.Token)
	return err
}
