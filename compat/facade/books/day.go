package books

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/facade/idle"
)

// errCut says that a stream ended without its last message.
var errCut = errors.New("the answer was cut off")

// BusinessDate gives the business date, see [front.Ledger].
func (b *Ledger) BusinessDate(ctx context.Context) (bank.Date, error) {
	day, err := read(ctx, b, b.cfg.Client.Query.GetBusinessDate, &bkv1.GetBusinessDateRequest{AtLeast: atHead})
	if err != nil {
		return 0, b.internal(ctx, "read the business date", err)
	}
	return bank.Date(day.Date), nil
}

// Roll takes BK's business date to a day and waits until it is there, see [front.Ledger]. One that is under way is waited for, and does as well.
func (b *Ledger) Roll(ctx context.Context, to bank.Date) error {
	began, pause, begun := time.Now(), minPause, false
	for {
		err := b.roll(ctx, to)
		switch reason := client.Reason(err); {
		case err == nil:
			return nil
		case reason == bankmap.ReasonDayPassed:
			return bank.DayPassed(to)
		case reason == "invalid_field", reason == "missing_field":
			return bank.Errorf(bank.MalformedRequest, "date: %s", client.Detail(err).GetMessage())
		case !client.Retryable(err):
			return b.internal(ctx, "roll the business date", err)
		}
		begun = begun || !nothingBooked(err)
		if once(ctx) || time.Since(began) > b.cfg.RetryFor || !idle.For(ctx, pause) {
			b.cfg.Log.WarnContext(ctx, "BK did not roll in time", "to", to, "error", client.Describe(err))
			if begun {
				return unknown()
			}
			return bank.Errorf(bank.Internal, "BK is not available; the business date stays")
		}
		pause = min(2*pause, maxPause)
	}
}

func (b *Ledger) roll(ctx context.Context, to bank.Date) error {
	ctx, cancel := context.WithCancel(ctx) // ends the stream in any case
	defer cancel()
	stream, err := b.cfg.Client.Admin.Roll(ctx, connect.NewRequest(&bkv1.RollRequest{To: int32(to)}))
	if err != nil {
		return err
	}
	defer stream.Close()
	done := false
	for stream.Receive() {
		done = done || stream.Msg().GetSummary() != nil
	}
	if err := stream.Err(); err != nil {
		return err
	}
	if !done {
		return connect.NewError(connect.CodeUnknown, errCut)
	}
	return nil
}
