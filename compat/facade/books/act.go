package books

import (
	"context"
	"fmt"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

// CancelTrade cancels a trade, see [front.Ledger].
func (b *Ledger) CancelTrade(ctx context.Context, ref bank.TradeRef) error {
	var command *bkv1.Command
	if ref.TradeID == 0 {
		command = bankmap.FromClientCancel(ref.AccountID, ref.ClientTradeID)
	} else {
		booked, err := b.byBankID(ctx, ref.TradeID)
		if err != nil {
			return b.internal(ctx, "find a trade to cancel; nothing was booked", err)
		}
		if booked == nil {
			return b.archivedCancel(ctx, ref)
		}
		command = bankmap.FromCancel(booked.bk)
	}
	command.Source = fmt.Sprintf("%s/%s-%d", b.cfg.Source, b.run, b.number.Add(1)) // no other try has it
	o := b.one(ctx, command)
	switch {
	case o.err != nil:
		return o.err
	case o.failure != nil:
		if o.failure.Reason == bankmap.ReasonTradeNotFound {
			return b.archivedCancel(ctx, ref)
		}
		if told := o.failure.OfCancel(ref); told != nil {
			return told
		}
		return bank.Errorf(bank.Internal, "BK refused the cancel: %s; nothing was booked", o.failure.Message)
	case !o.receipt.Repeat:
		return nil
	}
	// The cancel is there: of an earlier try of this call, or another's.
	answer, err := read(ctx, b, b.cfg.Client.Query.GetEntry, &bkv1.GetEntryRequest{
		By: &bkv1.GetEntryRequest_Id{Id: o.receipt.EntryId}, AtLeast: atHead,
	})
	if err != nil {
		return unknown()
	}
	if answer.Entry.Source == command.Source {
		return nil
	}
	return ref.Canceled()
}

// MoveCash moves cash, see [front.Ledger].
func (b *Ledger) MoveCash(ctx context.Context, c bank.Cash) (bank.ID, error) {
	b.minting.RLock()
	defer b.minting.RUnlock()
	if !b.cfg.IDs.minting() {
		return 0, bank.Errorf(bank.Internal, "BK books nothing first at the moment; nothing was booked")
	}
	if id, err := b.archivedCash(ctx, &c); err != nil || id != 0 {
		return id, err
	}
	if err := b.symbols.ensureCurrency(ctx, c.Currency); err != nil {
		return 0, b.internal(ctx, "prepare a cash movement; nothing was booked", err)
	}
	command := bankmap.FromCash(&c)
	command.Source = b.cfg.Source
	o := b.one(ctx, command)
	if o.err != nil {
		return 0, o.err
	}
	if o.failure != nil {
		return 0, refusedCash(&c, *o.failure)
	}
	id, err := b.cashID(ctx, o.receipt)
	if err != nil {
		b.cfg.Log.ErrorContext(ctx, "a cash movement's id can't be found", "entry", o.receipt.EntryId, "error", err)
		return 0, unknown()
	}
	return id, nil
}

func refusedCash(c *bank.Cash, f bankmap.Failure) *bank.Error {
	if told := f.OfCash(c); told != nil {
		return told
	}
	return bank.Errorf(bank.Internal, "BK refused the cash movement: %s; nothing was booked", f.Message)
}

// cashID gives Bank's id of the cash movement of a receipt.
func (b *Ledger) cashID(ctx context.Context, r *bkv1.Receipt) (bank.ID, error) {
	if !r.Repeat {
		if id, ok := b.cfg.IDs.cash(r.EntryId); ok {
			return id, nil
		}
	}
	answer, err := read(ctx, b, b.cfg.Client.Query.GetEntry, &bkv1.GetEntryRequest{By: &bkv1.GetEntryRequest_Id{Id: r.EntryId}, AtLeast: atHead})
	if err != nil {
		return 0, err
	}
	id, ok := b.cashIDOf(answer.Entry)
	if !ok {
		return 0, fmt.Errorf("entry %d has no id of Bank's", r.EntryId)
	}
	return id, nil
}

// cashIDOf gives Bank's id of the cash movement that an entry is.
func (b *Ledger) cashIDOf(e *bkv1.Entry) (bank.ID, bool) {
	if o, ok := bankmap.ParseOrigin(e.GetSource()); ok {
		return o.ID, o.Kind == bankmap.OriginCash
	}
	return b.cfg.IDs.cash(e.GetId())
}
