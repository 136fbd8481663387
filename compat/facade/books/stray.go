package books

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
)

// strayWait bounds the look for strays: the façade's database may be away, and reads go on.
const strayWait = time.Second

// stray is a trade that was replayed into a part of BK's journal in which BK books first: under an id that was left out, or a low one. So BK's order, which is that of
// Bank's ids for all others, is not for it.
type stray struct {
	id bank.ID // Bank's
	bk int64   // BK's
}

// strayKey is an account on a trade date.
type strayKey struct {
	account bank.ID
	date    bank.Date
}

// queueStrays notes those among the replays.
func (w *replayWork) queueStrays(b *pgx.Batch) {
	var accounts, ids, bks []int64
	var dates []int32
	for i, r := range w.replays {
		if r.Request == nil || !w.b.cfg.IDs.booksFirst(w.receipts[i].EntryId) {
			continue
		}
		for _, account := range parties(r.Request) {
			accounts, dates = append(accounts, int64(account)), append(dates, int32(r.Request.Date))
			ids, bks = append(ids, int64(r.TradeID)), append(bks, w.receipts[i].EntryId)
		}
	}
	if len(ids) > 0 {
		b.Queue(`INSERT INTO facade.books_stray (account_id, date, bank_id, bk_id)
			SELECT a, d, b, e FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) AS g (a, d, b, e) ON CONFLICT DO NOTHING`, accounts, dates, ids, bks)
	}
}

// straysOf gives the strays of an account on a trade date, by Bank's id. Without the façade's database they are those that are remembered: nothing is replayed meanwhile.
func (b *Ledger) straysOf(ctx context.Context, account bank.ID, date bank.Date) ([]stray, error) {
	asking, cancel := context.WithTimeout(ctx, strayWait)
	defer cancel()
	key := strayKey{account, date}
	rows, err := b.pool.Query(asking, `SELECT bank_id, bk_id FROM facade.books_stray WHERE account_id = $1 AND date = $2 ORDER BY bank_id`, int64(account), int32(date))
	var found []stray
	if err == nil {
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (s stray, err error) { return s, row.Scan(&s.id, &s.bk) })
	}
	switch {
	case err == nil && len(found) > 0:
		b.strays.put(b.strays.now(), key, found)
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("look for replayed trades: %w", err)
	case err != nil:
		b.cfg.Log.WarnContext(ctx, "the façade's database does not answer; replayed trades stand where they were last known to", "account", account, "error", err)
		found, _ = b.strays.get(key)
	}
	return found, nil
}

// listed is a row of a list of trades.
type listed struct {
	summary *bkv1.TradeSummary
	booked  *booking
	token   string // BK's page on which it stands, or from which on it is found
}

// withStrays puts strays behind after where they belong among rows, which are all there are behind after, or limit of them, by Bank's id. It gives limit rows at most.
func (b *Ledger) withStrays(ctx context.Context, rows []listed, strays []stray, states []bkv1.TradeState, after bank.ID, limit int, begin string) ([]listed, error) {
	last := bank.ID(0) // behind which there may be rows that are not known
	if len(rows) == limit {
		last = rows[limit-1].booked.id
	}
	all, got := slices.Clone(rows), 0
	for _, s := range strays {
		if s.id <= after {
			continue
		}
		if last != 0 && s.id > last || got == limit {
			break
		}
		answer, err := read(ctx, b, b.cfg.Client.Query.GetTrade, &bkv1.GetTradeRequest{By: &bkv1.GetTradeRequest_Id{Id: s.bk}, AtLeast: atHead})
		if client.Reason(err) == bankmap.ReasonTradeNotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(answer.Entries) == 0 || !slices.Contains(states, answer.Trade.State) {
			continue
		}
		booked, err := b.bookingOf(ctx, answer.Entries[0])
		if err != nil {
			return nil, err
		}
		if booked == nil {
			continue
		}
		all, got = append(all, listed{summary: summaryOf(answer), booked: booked}), got+1
	}
	slices.SortFunc(all, func(p, q listed) int { return cmp.Compare(p.booked.id, q.booked.id) })
	token := begin
	for i := range all { // the next page begins at BK's page of the row before it that stands in order
		if all[i].token == "" {
			all[i].token = token
		}
		token = all[i].token
	}
	return all[:min(len(all), limit)], nil
}

// summaryOf gives what a list needs of a trade with its entries.
func summaryOf(answer *bkv1.GetTradeResponse) *bkv1.TradeSummary {
	summary := &bkv1.TradeSummary{Id: answer.Trade.Id}
	for _, e := range answer.Entries {
		if bankmap.Opens(e) {
			summary.OpenedBy = e.Id
		}
	}
	return summary
}
