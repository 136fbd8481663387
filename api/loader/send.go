package loader

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"connectrpc.com/connect"
	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/tradefile"
)

// lookups of trades are made so many at a time.
const lookups = 16

// send books one batch, and reports and counts all of its rows.
func (l *Loader) send(ctx context.Context, r *tradefile.Reader, b *batch) error {
	b.pending = b.pending[:0]
	for i := range b.rows[:b.used] {
		b.pending = append(b.pending, &b.rows[i])
	}
	if l.cfg.CreateMissing {
		if err := l.define(ctx, b.pending); err != nil {
			return err
		}
	}
	if err := l.dropForeign(ctx, r, b); err != nil {
		return err
	}
	for len(b.pending) > 0 {
		answer, err := l.book(ctx, b)
		if err != nil {
			return err
		}
		if err := l.take(ctx, r, b, answer); err != nil {
			return err
		}
	}
	slices.SortFunc(b.rejects, func(x, y *tradefile.RowError) int { return cmp.Compare(x.Line, y.Line) })
	for _, bad := range b.rejects {
		l.cfg.OnReject(bad)
	}
	l.totals.Rows += int64(len(b.rejects))
	l.totals.Rejected += int64(len(b.rejects))
	l.cfg.OnProgress(l.totals)
	return nil
}

// book sends the pending rows until they are answered.
func (l *Loader) book(ctx context.Context, b *batch) (*bkv1.BookBatchResponse, error) {
	b.commands = b.commands[:0]
	for _, row := range b.pending {
		c := row.Command()
		c.Source = l.source
		b.commands = append(b.commands, c)
	}
	req := connect.NewRequest(&bkv1.BookBatchRequest{Mode: bkv1.BatchMode_BATCH_MODE_EACH, Commands: b.commands})
	var answer *bkv1.BookBatchResponse
	err := l.retries.call(ctx, func(ctx context.Context) error {
		res, err := l.cfg.Client.Booking.BookBatch(ctx, req)
		if err == nil {
			answer = res.Msg
		}
		return err
	})
	if err == nil && len(answer.Results) != len(b.pending) {
		err = fmt.Errorf("the server answered %d commands with %d results", len(b.pending), len(answer.Results))
	}
	return answer, err
}

// take counts what is decided and leaves pending what must be sent again.
func (l *Loader) take(ctx context.Context, r *tradefile.Reader, b *batch, answer *bkv1.BookBatchResponse) error {
	again := b.pending[:0]
	var unsure *bkv1.Error // the reason to wait before sending again
	for i, row := range b.pending {
		result := answer.Results[i]
		if receipt := result.GetReceipt(); receipt != nil {
			l.totals.Rows++
			if receipt.Repeat {
				l.totals.Repeats++
			} else {
				l.totals.Booked++
			}
			continue
		}
		failure := result.GetError()
		reason := failure.GetDetail().GetReason()
		if client.RetryableReason(reason) {
			unsure = failure
			again = append(again, row)
			continue
		}
		byID, err := l.meantByID(ctx, row, reason)
		if err != nil {
			return err
		}
		if byID || len(again) > 0 {
			again = append(again, row)
			continue
		}
		b.rejects = append(b.rejects, rejected(r, row, failure))
	}
	if answer.Token != "" {
		l.totals.Token = answer.Token
	}
	if len(again) < len(b.pending) {
		l.retries.progressed()
	}
	b.pending = again
	if unsure == nil {
		return nil
	}
	return l.retries.pause(ctx, &elementError{unsure})
}

// meantByID finds out whether a row that the ledger refused means by its cancel_trade_id a trade's id, and changes it so. The key of a
// row that was booked so before is a conflict when it comes by the client's id.
func (l *Loader) meantByID(ctx context.Context, row *tradefile.Row, reason string) (bool, error) {
	if row.ReplacesID == 0 || row.Command().GetReplaces().GetKey() == "" {
		return false, nil
	}
	if reason != client.ReasonTradeNotFound && reason != client.ReasonKeyConflict {
		return false, nil
	}
	owned, err := l.owns(ctx, row.Account, row.ReplacesID)
	if err != nil || !owned {
		return false, err
	}
	row.ReplaceByID()
	return true, nil
}

// dropForeign takes out cancels that name a trade of another account by its id.
func (l *Loader) dropForeign(ctx context.Context, r *tradefile.Reader, b *batch) error {
	foreign := make(map[*tradefile.Row]*atomic.Bool)
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for _, row := range b.pending {
		id := row.Command().GetCancel().GetTarget().GetTrade()
		if id == 0 {
			continue
		}
		found := new(atomic.Bool)
		foreign[row] = found
		group.Go(func() error {
			owned, err := l.owns(groupCtx, row.Account, id)
			found.Store(!owned)
			return err
		})
	}
	if err := group.Wait(); err != nil || len(foreign) == 0 {
		return err
	}
	b.pending = slices.DeleteFunc(b.pending, func(row *tradefile.Row) bool {
		if found := foreign[row]; found == nil || !found.Load() {
			return false
		}
		id := row.Command().GetCancel().GetTarget().GetTrade()
		b.rejects = append(b.rejects, rejected(r, row, &bkv1.Error{Detail: &bkv1.ErrorDetail{
			Reason: client.ReasonTradeNotFound, Field: "cancel.target", Message: fmt.Sprintf("the account %d has no trade %d", row.Account, id),
		}}))
		return true
	})
	return nil
}

// owns reports whether a trade with this id is booked to the account.
func (l *Loader) owns(ctx context.Context, account, id int64) (bool, error) {
	req := connect.NewRequest(&bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Id{Id: id}})
	owned := false
	err := l.retries.call(ctx, func(ctx context.Context) error {
		res, err := l.cfg.Client.Query.GetTrade(ctx, req)
		if err == nil {
			owned = res.Msg.GetTrade().GetTrade().GetAccount().GetId() == account
		} else if client.Reason(err) == client.ReasonTradeNotFound {
			return nil
		}
		return err
	})
	return owned, err
}

// rejected is the ledger's refusal in the file's terms.
func rejected(r *tradefile.Reader, row *tradefile.Row, failure *bkv1.Error) *tradefile.RowError {
	d := failure.GetDetail()
	return &tradefile.RowError{File: r.Name(), Line: row.Line, Field: r.Column(d.GetField()), Reason: d.GetReason(), Message: d.GetMessage()}
}

// elementError is the failure of one element as an error.
type elementError struct{ of *bkv1.Error }

func (e *elementError) Error() string {
	return fmt.Sprintf("%s (%s)", e.of.GetDetail().GetMessage(), e.of.GetDetail().GetReason())
}
