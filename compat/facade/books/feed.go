package books

import (
	"context"
	"fmt"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

// Work is what Bank has to do so that it has done what an entry of BK says. The zero value is nothing.
type Work struct {
	Replay   *bank.Replay // a booking, a cancel, a cash movement
	Accounts []bank.ID    // that the replay touches
	Account  *bank.NewAccount
	Roll     bank.Date // the business date of a day that has begun
}

// WorkOf gives what Bank has to do for an entry of BK's journal. What Bank decided before BK booked first, what its own rules do by themselves (opening, settling, the
// cancel that is a part of a replacement) and what it has no notion of is nothing.
func (b *Ledger) WorkOf(ctx context.Context, e *bkv1.Entry) (Work, error) {
	// In a part in which BK books first it is a third system's, by POST /replay, and Bank lacks it; or Bank's own that was late, and to Bank a repeat.
	if _, fromBank := bankmap.ParseOrigin(e.GetSource()); fromBank && !b.cfg.IDs.booksFirst(e.GetId()) {
		return Work{}, nil
	}
	work, err := b.workOf(ctx, e)
	if err != nil {
		return Work{}, fmt.Errorf("what entry %d is to Bank: %w", e.GetId(), err)
	}
	return work, nil
}

func (b *Ledger) workOf(ctx context.Context, e *bkv1.Entry) (Work, error) {
	switch {
	case e.GetKind() == "day.begin":
		return Work{Roll: bank.Date(e.GetDay().GetDate())}, nil
	case e.GetAccount() != nil:
		if !bankmap.IsBankAccount(e.GetAccount()) {
			return Work{}, nil
		}
		account, err := b.accountOf(ctx, e.GetAccount())
		return Work{Account: &bank.NewAccount{AccountID: account.AccountID, EntityID: account.EntityID, Name: account.Name}}, err
	case bankmap.Books(e):
		id, ok := b.idOf(e)
		if !ok {
			return Work{}, nil
		}
		request, err := b.request(ctx, e.GetTrade(), e)
		if err != nil {
			return Work{}, err
		}
		return Work{
			Replay:   &bank.Replay{TradeID: id, BookedAt: bankmap.Moment(e), Request: &request},
			Accounts: parties(&request),
		}, nil
	case bankmap.Cancels(e):
		booked, err := b.booking(ctx, e.GetTrade().GetId())
		if err != nil || booked == nil || e.GetLinks().GetReplacedBy() != 0 {
			return Work{}, err
		}
		return Work{Replay: &bank.Replay{TradeID: booked.id, CanceledAt: bankmap.Moment(e)}, Accounts: parties(&booked.trade)}, nil
	case bankmap.MovesCash(e):
		id, ok := b.cashIDOf(e)
		if !ok {
			return Work{}, nil
		}
		cash, err := bankmap.ToCash(e)
		if err != nil {
			return Work{}, err
		}
		accounts := []bank.ID{cash.AccountID}
		if cash.TargetAccountID != 0 {
			accounts = append(accounts, cash.TargetAccountID)
		}
		return Work{Replay: &bank.Replay{CashID: id, BookedAt: bankmap.Moment(e), Cash: &cash}, Accounts: accounts}, nil
	}
	return Work{}, nil
}

func parties(t *bank.Trade) []bank.ID {
	if t.TargetAccountID != 0 {
		return []bank.ID{t.AccountID, t.TargetAccountID}
	}
	return []bank.ID{t.AccountID}
}
