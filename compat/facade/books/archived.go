package books

import (
	"cmp"
	"context"
	"slices"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bank/front"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/facade/books/archive"
)

// sequenceIn gives the sequence number that an entry's id has in it.
func sequenceIn(entry int64) int64 { return entry & (1<<48 - 1) }

// archivedByRef finds a trade that is over, nil if there is none.
func (b *Ledger) archivedByRef(ctx context.Context, ref bank.TradeRef) (*archive.Trade, error) {
	past, err := b.archive.Place(ctx)
	if err != nil || !past.There() {
		return nil, err
	}
	if ref.TradeID == 0 {
		name := archive.Name{Account: ref.AccountID, ClientID: ref.ClientTradeID}
		found, err := b.archive.ByName(ctx, name)
		return found[name], err
	}
	found, err := b.archive.ByID(ctx, ref.TradeID)
	if t := found[ref.TradeID]; t.Over() {
		return t, err
	}
	return nil, err
}

// archivedTrade gives a trade that is over as it stands, nil if there is none.
func (b *Ledger) archivedTrade(ctx context.Context, ref bank.TradeRef) (*storedTrade, error) {
	t, err := b.archivedByRef(ctx, ref)
	if err != nil || t == nil {
		return nil, err
	}
	stored, err := b.archivedStored(ctx, t)
	return &storedTrade{StoredTrade: stored}, err
}

// archivedStored gives it with the trade that stands in its place now: the last one that was booked for it.
func (b *Ledger) archivedStored(ctx context.Context, t *archive.Trade) (bank.StoredTrade, error) {
	stored, err := t.Stored()
	if err != nil || t.State != bank.StateCanceled {
		return stored, err
	}
	keys, err := b.archive.Replacing(ctx, t.ID)
	if err != nil {
		return stored, err
	}
	past, err := b.archive.Place(ctx)
	if err != nil {
		return stored, err
	}
	last := past.Head // up to there the archive knows
	for _, key := range keys {
		answer, err := read(ctx, b, b.cfg.Client.Query.GetTrade, &bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Key{Key: key}, AtLeast: atHead})
		if client.Reason(err) == bankmap.ReasonTradeNotFound {
			continue
		}
		if err != nil {
			return stored, err
		}
		booked := answer.Entries[0]
		id, ok := b.idOf(booked)
		if !ok || sequenceIn(booked.Id) <= last || answer.Trade.Corrects != 0 {
			continue
		}
		x, err := b.extras(ctx, booked)
		if err != nil {
			return stored, err
		}
		replaced, err := b.archivedReplaced(ctx, booked, id, x.CancelTradeID)
		if err != nil {
			return stored, err
		}
		if replaced == t.ID {
			last, stored.ReplacedBy = sequenceIn(booked.Id), &id
		}
	}
	return stored, nil
}

// archivedReplaced gives the trade that is over in whose place one of BK's stands that replaces none of BK's, 0 if there is none. What was loaded has it in the archive; what was booked
// since names it in its request.
func (b *Ledger) archivedReplaced(ctx context.Context, booked *bkv1.Entry, id bank.ID, named string) (bank.ID, error) {
	past, err := b.archive.Place(ctx)
	if err != nil || !past.There() {
		return 0, err
	}
	if sequenceIn(booked.Id) <= past.Head {
		found, err := b.archive.ByID(ctx, id)
		if t := found[id]; t != nil {
			return t.Replaces, err
		}
		return 0, err
	}
	if named == "" {
		return 0, nil
	}
	t, _, err := b.archivedNamed(ctx, bank.ID(booked.GetTrade().GetTrade().GetAccount().GetId()), named)
	if t == nil {
		return 0, err
	}
	return t.ID, err
}

// archivedNamed finds the trade that is over which a cancel_trade_id names in an account: by the client's id, else by Bank's.
func (b *Ledger) archivedNamed(ctx context.Context, account bank.ID, named string) (t *archive.Trade, byClient bool, err error) {
	if t, err = b.archivedByRef(ctx, bank.TradeRef{AccountID: account, ClientTradeID: named}); t != nil || err != nil {
		return t, true, err
	}
	id, err := bank.ParseID(named)
	if err != nil || id == 0 {
		return nil, false, nil
	}
	if t, err = b.archivedByRef(ctx, bank.TradeRef{TradeID: id}); t == nil || t.Account != account {
		return nil, false, err
	}
	return t, false, err
}

// archivedTarget finds the trade that is over which element i of a call replaces, nil if it replaces none such: a client's id in BK, or earlier in the call, comes before Bank's id.
func (b *Ledger) archivedTarget(ctx context.Context, trades []bank.Trade, i int) (*archive.Trade, error) {
	t := &trades[i]
	if t.CancelTradeID == "" {
		return nil, nil
	}
	over, byClient, err := b.archivedNamed(ctx, t.AccountID, t.CancelTradeID)
	if over == nil || byClient || err != nil {
		return over, err
	}
	if slices.ContainsFunc(trades[:i], func(o bank.Trade) bool { return o.AccountID == t.AccountID && o.ClientTradeID == t.CancelTradeID }) {
		return nil, nil
	}
	there, err := b.whole(ctx, bank.TradeRef{AccountID: t.AccountID, ClientTradeID: t.CancelTradeID})
	if there != nil || err != nil {
		return nil, err
	}
	return over, nil
}

// replacesArchived reports whether element i of a call replaces a trade that is over and cancelled: the two are only linked, and BK is told nothing of it.
func (b *Ledger) replacesArchived(ctx context.Context, trades []bank.Trade, i int, key string) (bool, error) {
	over, err := b.archivedTarget(ctx, trades, i)
	if over == nil || err != nil || over.State != bank.StateCanceled {
		return false, err
	}
	return true, b.archive.NoteReplacing(ctx, over.ID, key)
}

// replacesSettled tells that the trade that BK does not find, for element i to replace it, is settled; nil if that is not so.
func (b *Ledger) replacesSettled(ctx context.Context, trades []bank.Trade, i int, failure bankmap.Failure) error {
	if failure.Reason != bankmap.ReasonTradeNotFound {
		return nil
	}
	over, err := b.archivedTarget(ctx, trades, i)
	if err != nil {
		return b.internal(ctx, "look for a replaced trade in the archive; nothing was booked", err)
	}
	if over != nil && over.State == bank.StateSettled {
		return bank.SettledReplaced(&trades[i])
	}
	return nil
}

// archivedOf gives the elements of a call that were booked before and are over, by their place.
func (b *Ledger) archivedOf(ctx context.Context, trades []bank.Trade) (map[int]*archive.Trade, error) {
	past, err := b.archive.Place(ctx)
	if err != nil || !past.There() {
		return nil, err
	}
	names := make([]archive.Name, len(trades))
	for i := range trades {
		names[i] = archive.Name{Account: trades[i].AccountID, ClientID: trades[i].ClientTradeID}
	}
	found, err := b.archive.ByName(ctx, names...)
	all := make(map[int]*archive.Trade, len(found))
	for i, name := range names {
		if t := found[name]; t != nil {
			all[i] = t
		}
	}
	return all, err
}

// archivedCancel says why a trade that BK does not have can't be cancelled.
func (b *Ledger) archivedCancel(ctx context.Context, ref bank.TradeRef) error {
	over, err := b.archivedByRef(ctx, ref)
	switch {
	case err != nil:
		return b.internal(ctx, "look for a trade in the archive; nothing was booked", err)
	case over == nil:
		return ref.NotFound()
	case over.State == bank.StateSettled:
		return ref.Settled()
	}
	return ref.Canceled()
}

// archivedCash gives the id of a cash movement that was made before, 0 if it was not.
func (b *Ledger) archivedCash(ctx context.Context, c *bank.Cash) (bank.ID, error) {
	past, err := b.archive.Place(ctx)
	if err == nil && past.There() {
		var found map[string]archive.Cash
		found, err = b.archive.Cash(ctx, c.ClientID)
		if was, made := found[c.ClientID]; made && err == nil {
			if was.Content != archive.HashCash(c) {
				return 0, bank.OtherCash(c.ClientID)
			}
			return was.ID, nil
		}
	}
	if err != nil {
		return 0, b.internal(ctx, "look for a cash movement in the archive; nothing was booked", err)
	}
	return 0, nil
}

// archivedRows gives up to limit journal rows of an account from before the opening, behind an id.
func (b *Ledger) archivedRows(ctx context.Context, account, after bank.ID, limit int) (rows []bank.JournalRow, past archive.Place, err error) {
	if past, err = b.archive.Place(ctx); err != nil || !past.There() || after >= past.LastRow {
		return nil, past, err
	}
	found, err := b.archive.Rows(ctx, account, after, limit)
	for _, r := range found {
		rows = append(rows, r.JournalRow)
	}
	return rows, past, err
}

// withArchived puts an account's trades that are over among others, by Bank's id, limit of them at most.
func (b *Ledger) withArchived(
	ctx context.Context, trades []bank.AccountTrade, account bank.ID, filter front.TradeFilter, after bank.ID, limit int,
) ([]bank.AccountTrade, error) {
	past, err := b.archive.Place(ctx)
	if err != nil || !past.There() {
		return trades, err
	}
	over, err := b.archive.List(ctx, account, filter.Date, filter.State, after, limit)
	if err != nil {
		return nil, err
	}
	for _, t := range over {
		seen, err := archivedSeen(t, account)
		if err != nil {
			return nil, err
		}
		trades = append(trades, seen)
	}
	slices.SortFunc(trades, func(p, q bank.AccountTrade) int { return cmp.Compare(p.TradeID, q.TradeID) })
	return trades[:min(len(trades), limit)], nil
}

// archivedSeen gives a trade that is over as one of its accounts sees it.
func archivedSeen(t *archive.Trade, account bank.ID) (bank.AccountTrade, error) {
	stored, err := t.Stored()
	if err != nil {
		return bank.AccountTrade{}, err
	}
	running, err := t.Running(account)
	return bankmap.AccountTrade(t.ID, account, &stored.Trade, running), err
}

func (b *Ledger) archivedAccountTrade(ctx context.Context, account, trade bank.ID) (bank.AccountTrade, error) {
	over, err := b.archivedByRef(ctx, bank.TradeRef{TradeID: trade})
	if err == nil && (over == nil || over.Account != account && over.Target != account) {
		return bank.AccountTrade{}, bank.NoTradeOf(account, trade)
	}
	var seen bank.AccountTrade
	if err == nil {
		seen, err = archivedSeen(over, account)
	}
	if err != nil {
		return seen, b.internal(ctx, "read an archived trade", err)
	}
	return seen, nil
}

// archivedRunning gives the running positions of trades that were loaded open, by the entries that opened them: opening balances know nothing of what stood before each.
func (b *Ledger) archivedRunning(ctx context.Context, account bank.ID, trades []*bkv1.TradeSummary, booked []*booking, to map[int64]bank.Decimal) error {
	past, err := b.archive.Place(ctx)
	if err != nil || !past.There() {
		return err
	}
	var ids []bank.ID
	for i, t := range trades {
		if t.OpenedBy != 0 && sequenceIn(t.OpenedBy) <= past.Head {
			ids = append(ids, booked[i].id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	found, err := b.archive.ByID(ctx, ids...)
	if err != nil {
		return err
	}
	for i, t := range trades {
		if of := found[booked[i].id]; of != nil && t.OpenedBy != 0 && sequenceIn(t.OpenedBy) <= past.Head {
			running, err := of.Running(account)
			if err != nil {
				return err
			}
			if running != nil {
				to[t.OpenedBy] = *running
			}
		}
	}
	return nil
}

// archivedReplays finds what of a call was done before the opening. What is another thing under the same name is a [*ReplayError].
func (b *Ledger) archivedReplays(ctx context.Context, replays []bank.Replay) (done map[int]bool, err error) {
	past, err := b.archive.Place(ctx)
	if err != nil || !past.There() {
		return nil, err
	}
	var ids []bank.ID
	var names []archive.Name
	var clients []string
	for _, r := range replays {
		switch {
		case r.Request != nil:
			ids, names = append(ids, r.TradeID), append(names, archive.Name{Account: r.Request.AccountID, ClientID: r.Request.ClientTradeID})
		case r.Cash != nil:
			clients = append(clients, r.Cash.ClientID)
		default:
			ids = append(ids, r.TradeID)
		}
	}
	byID, err := b.archive.ByID(ctx, ids...)
	if err != nil {
		return nil, err
	}
	byName, err := b.archive.ByName(ctx, names...)
	if err != nil {
		return nil, err
	}
	moved, err := b.archive.Cash(ctx, clients...)
	if err != nil {
		return nil, err
	}
	done = map[int]bool{}
	for i, r := range replays {
		var known bool
		switch {
		case r.Request != nil:
			known, err = replayedTrade(r, byID[r.TradeID], byName[archive.Name{Account: r.Request.AccountID, ClientID: r.Request.ClientTradeID}])
		case r.Cash != nil:
			was, made := moved[r.Cash.ClientID]
			known, err = replayedCash(r, was, made)
		default:
			known, err = replayedCancel(r, byID[r.TradeID])
		}
		if err != nil {
			return nil, &ReplayError{i, err}
		}
		if known {
			done[i] = true
		}
	}
	return done, nil
}

func replayedTrade(r bank.Replay, byID, byName *archive.Trade) (bool, error) {
	switch {
	case byName != nil && byName.ID != r.TradeID:
		return false, bank.Errorf(bank.ClientIDConflict, "request.client_trade_id: %q was booked to account %d under another trade_id", r.Request.ClientTradeID, r.Request.AccountID)
	case byName != nil && byName.Content != archive.HashTrade(r.Request):
		return false, bank.OtherTrade(r.Request)
	case byName == nil && byID.Over():
		return false, bank.Errorf(bank.Conflict, "trade_id: %d is another trade", r.TradeID)
	}
	return byName != nil, nil
}

func replayedCash(r bank.Replay, was archive.Cash, made bool) (bool, error) {
	switch {
	case made && was.Content != archive.HashCash(r.Cash):
		return false, bank.OtherCash(r.Cash.ClientID)
	case made && was.ID != r.CashID:
		return false, bank.Errorf(bank.Conflict, "cash.client_id: %q was booked under another cash_id", r.Cash.ClientID)
	}
	return made, nil
}

func replayedCancel(r bank.Replay, over *archive.Trade) (bool, error) {
	if !over.Over() {
		return false, nil
	}
	ref := bank.TradeRef{TradeID: r.TradeID}
	if over.State == bank.StateSettled {
		return false, ref.Settled()
	}
	stored, err := over.Stored()
	if err == nil && (stored.CanceledAt == nil || *stored.CanceledAt != r.CanceledAt) {
		err = ref.Canceled()
	}
	return err == nil, err
}

// replayRest does what of a call was not done before the opening.
func (b *Ledger) replayRest(ctx context.Context, replays []bank.Replay, done map[int]bool) ([]int64, error) {
	var rest []bank.Replay
	var places []int
	for i, r := range replays {
		if !done[i] {
			rest, places = append(rest, r), append(places, i)
		}
	}
	booked, err := b.ReplayAll(ctx, rest)
	if refused, ok := err.(*ReplayError); ok {
		refused.Index = places[refused.Index]
	}
	ids := make([]int64, len(replays))
	for n, id := range booked {
		ids[places[n]] = id
	}
	return ids, err
}
