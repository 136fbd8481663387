package books

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

// booking is what never changes of a trade.
type booking struct {
	id    bank.ID    // Bank's
	bk    int64      // BK's
	trade bank.Trade // without the fields that are kept as given
}

// booking gives the booking that an entry of BK is, nil if it is none, or none that has an id of Bank's.
func (b *Ledger) booking(ctx context.Context, bk int64) (*booking, error) {
	if known, ok := b.bookings.get(bk); ok {
		return known, nil
	}
	answer, err := read(ctx, b, b.cfg.Client.Query.GetEntry, &bkv1.GetEntryRequest{By: &bkv1.GetEntryRequest_Id{Id: bk}, AtLeast: atHead})
	if client.Reason(err) == bankmap.ReasonEntryNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return b.bookingOf(ctx, answer.Entry)
}

// bookingOf is booking for an entry that is there.
func (b *Ledger) bookingOf(ctx context.Context, e *bkv1.Entry) (*booking, error) {
	if !bankmap.Books(e) {
		return nil, nil
	}
	since := b.bookings.now()
	id, ok := b.idOf(e)
	if !ok {
		return nil, nil
	}
	t, err := b.request(ctx, e.GetTrade(), e)
	if err != nil {
		return nil, err
	}
	t.ContraSideQualifier, t.NSCCClearing, t.LastMarket, t.Locate, t.BehalfOfAccountID = nil, nil, nil, nil, nil
	t.Solicited, t.RegisteredRep, t.BranchOffice, t.UserData = nil, nil, nil, nil
	found := &booking{id, e.Id, t}
	b.bookings.put(since, e.Id, found)
	return found, nil
}

// idOf gives Bank's id of the trade that an entry books.
func (b *Ledger) idOf(e *bkv1.Entry) (bank.ID, bool) {
	if o, ok := bankmap.ParseOrigin(e.GetSource()); ok {
		return o.ID, o.Kind == bankmap.OriginTrade
	}
	return b.cfg.IDs.trade(e.GetId())
}

// request gives the request behind a trade; booked is the entry that booked it.
func (b *Ledger) request(ctx context.Context, r *bkv1.TradeRecord, booked *bkv1.Entry) (bank.Trade, error) {
	x, err := b.extras(ctx, booked)
	if err != nil {
		return bank.Trade{}, err
	}
	return bankmap.ToTrade(r, x)
}

func (b *Ledger) extras(ctx context.Context, booked *bkv1.Entry) (bankmap.Extras, error) {
	text, err := b.extrasText(ctx, booked.GetMetadata()[bankmap.MetadataKey])
	if err != nil {
		return bankmap.Extras{}, err
	}
	return bankmap.ParseExtras(text)
}

// extrasText gives the text of extras that stand in the metadata, "" if there are none.
func (b *Ledger) extrasText(ctx context.Context, inBK string) (string, error) {
	text, err := b.text(ctx, inBK)
	if err != nil || text != "" && text[0] != '{' { // of BK's own users
		return "", err
	}
	return text, nil
}

// byBankID finds a trade by Bank's id of it, nil if there is none.
func (b *Ledger) byBankID(ctx context.Context, id bank.ID) (*booking, error) {
	for _, bk := range b.cfg.IDs.entries(id) {
		found, err := b.booking(ctx, bk)
		if err != nil || found != nil && found.id == id {
			return found, err
		}
	}
	var bk int64
	err := b.pool.QueryRow(ctx, `SELECT bk_id FROM facade.books_id WHERE kind = 'trade' AND bank_id = $1`, int64(id)).Scan(&bk)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find trade %d: %w", id, err)
	}
	return b.booking(ctx, bk)
}

// Trade gives a trade as it stands, see [front.Ledger].
func (b *Ledger) Trade(ctx context.Context, ref bank.TradeRef) (bank.StoredTrade, error) {
	found, err := b.storedTrade(ctx, ref)
	if err != nil {
		return bank.StoredTrade{}, b.internal(ctx, "read a trade", err)
	}
	if found == nil {
		return bank.StoredTrade{}, ref.NotFound()
	}
	return found.StoredTrade, nil
}

func (b *Ledger) storedTrade(ctx context.Context, ref bank.TradeRef) (*storedTrade, error) {
	answer, err := b.whole(ctx, ref)
	if err == nil && answer == nil {
		return b.archivedTrade(ctx, ref)
	}
	if err != nil {
		return nil, err
	}
	booked := answer.Entries[0]
	id, ok := b.idOf(booked)
	if !ok {
		return nil, nil
	}
	x, err := b.extras(ctx, booked)
	if err != nil {
		return nil, err
	}
	var others [2]bank.ID
	for i, bk := range [...]int64{answer.Trade.ReplacedBy, answer.Trade.Corrects} {
		if bk == 0 {
			continue
		}
		other, err := b.booking(ctx, bk)
		if err != nil {
			return nil, err
		}
		if other != nil {
			others[i] = other.id
		}
	}
	if others[1] == 0 {
		if others[1], err = b.archivedReplaced(ctx, booked, id, x.CancelTradeID); err != nil {
			return nil, err
		}
	}
	stored, err := bankmap.Stored(answer.Trade, answer.Entries, x, id, others[0], others[1])
	return &storedTrade{stored, answer.Trade.Id}, err
}

// whole asks BK for a trade with all of its entries, nil if there is none.
func (b *Ledger) whole(ctx context.Context, ref bank.TradeRef) (*bkv1.GetTradeResponse, error) {
	question := &bkv1.GetTradeRequest{AtLeast: atHead}
	if ref.TradeID == 0 {
		question.By = &bkv1.GetTradeRequest_Key{Key: bankmap.TradeKey(ref.AccountID, ref.ClientTradeID)}
	} else {
		booked, err := b.byBankID(ctx, ref.TradeID)
		if err != nil || booked == nil {
			return nil, err
		}
		question.By = &bkv1.GetTradeRequest_Id{Id: booked.bk}
	}
	answer, err := read(ctx, b, b.cfg.Client.Query.GetTrade, question)
	if client.Reason(err) == bankmap.ReasonTradeNotFound {
		return nil, nil
	}
	if err == nil && len(answer.Entries) == 0 {
		err = errors.New("BK gave a trade without entries")
	}
	return answer, err
}
