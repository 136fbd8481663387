package gate

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/facade/mode"
)

// Sequences holds where the ids that are given next lie behind all that there are: those that Bank's sequences give, and those that BK mints. A sequence that was not set behind rows that were
// loaded, or a base that was taken from an old place, gives two trades one id.
type Sequences struct{}

func (*Sequences) needs() []need {
	return []need{needBank, needOperations, needBK, needDatabase(BankDatabase), needDatabase(FacadeDatabase)}
}
func (*Sequences) validate() []error { return nil }

// sequencesOfBank are those whose ids clients and consumers see, with the tables that have them.
const sequencesOfBank = `
	SELECT 'trade', (SELECT coalesce(max(trade_id), 0) FROM bank.trade), (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM bank.trade_id)
	UNION ALL SELECT 'cash', (SELECT coalesce(max(cash_id), 0) FROM bank.cash), (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM bank.cash_id)
	UNION ALL SELECT 'journal row', (SELECT coalesce(max(journal_id), 0) FROM bank.journal), (SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM bank.journal_id)
	UNION ALL SELECT 'event', (SELECT greatest(coalesce(max(event_id), 0), (SELECT max(event_id) FROM bank.published)) FROM bank.outbox),
		(SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END FROM bank.event_id)`

func (*Sequences) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	f, wrong := Figures{}, []string(nil)
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	conn, err := t.Connect(ctx, BankDatabase, true)
	if err != nil {
		return nil, "", err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was read
	rows, err := conn.Query(ctx, sequencesOfBank)
	if err != nil {
		return nil, "", fmt.Errorf("Bank's sequences: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var last, given int64
		if err := rows.Scan(&name, &last, &given); err != nil {
			return nil, "", fmt.Errorf("Bank's sequences: %w", err)
		}
		f["bank_"+name+"_last"], f["bank_"+name+"_given"] = last, given
		if given < last {
			say("Bank's sequence of %s ids is at %d, behind the last one there is, %d", name, given, last)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, "", fmt.Errorf("Bank's sequences: %w", err)
	}
	source, err := t.bankClient()
	if err != nil {
		return nil, "", err
	}
	defer source.Close()
	view, err := facade.OpenView(ctx, t.BK, t.Databases[FacadeDatabase], t.log())
	if err != nil {
		return nil, "", err
	}
	defer view.Close()
	known, err := t.knownIDs(ctx)
	if err != nil {
		return nil, "", err
	}
	// Clients write meanwhile: who gives the ids is asked last, so that the other one can't be ahead only because it was asked later.
	var theirs, ours bank.ReplayPlace
	ofBank := func() (err error) {
		if theirs, err = source.ReplayPlace(ctx); err != nil {
			return fmt.Errorf("Bank's place: %w", err)
		}
		return nil
	}
	ofBK := func() (err error) {
		if ours, err = view.Place(ctx); err != nil {
			return fmt.Errorf("BK's place: %w", err)
		}
		return nil
	}
	order := []func() error{ofBK, ofBank}
	if view.Epoch().Mode.Primary() == mode.BK {
		order = []func() error{ofBank, ofBK}
	}
	for _, ask := range order {
		if err := ask(); err != nil {
			return nil, "", err
		}
	}
	now := view.Epoch()
	head := int64(ours.LastEventID)
	for _, id := range []struct {
		name              string
		theirs, ours, has bank.ID
		base              int64
	}{{"trade", theirs.LastTradeID, ours.LastTradeID, known["trade"], now.TradeID}, {"cash", theirs.LastCashID, ours.LastCashID, known["cash"], now.CashID}} {
		next, by := int64(id.theirs)+1, "Bank"
		if now.Mode.Primary() == mode.BK {
			next, by = id.base+head+1, "BK"
		}
		f[id.name+"_bank_last"], f[id.name+"_bk_last"], f[id.name+"_mapped_last"], f[id.name+"_next"] = id.theirs, id.ours, id.has, next
		// BK's own last id is how far its journal has come, so no id of the past is above it, but not every one up to it was given: only what BK gives next is held against it.
		behind := map[string]bank.ID{"Bank has": id.theirs, "the façade knows": id.has}
		if by == "BK" {
			behind["BK has"] = id.ours
		}
		for where, last := range behind {
			if next <= int64(last) {
				say("%s gives %d as the next %s id, and %s %d already", by, next, id.name, where, last)
			}
		}
	}
	f["mode"], f["bk_head"] = now.Mode, head
	return f, reasons(wrong), nil
}

func (t *Targets) bankClient() (*bank.Client, error) {
	c, err := bank.NewClient(bank.ClientConfig{API: t.Bank, Operations: t.BankOperations, Key: t.BankKey})
	if err != nil {
		return nil, fmt.Errorf("Bank: %w", err)
	}
	return c, nil
}

// knownIDs gives the highest of Bank's ids that the façade's table ties to one of BK's, by kind.
func (t *Targets) knownIDs(ctx context.Context) (map[string]bank.ID, error) {
	pool, err := pgxpool.New(ctx, t.Databases[FacadeDatabase])
	if err != nil {
		return nil, fmt.Errorf("the façade's database: %w", err)
	}
	defer pool.Close()
	rows, err := pool.Query(ctx, `SELECT kind, max(bank_id) FROM (SELECT kind, bank_id FROM facade.books_id
		UNION ALL SELECT 'trade', bank_id FROM facade.archive_trade UNION ALL SELECT 'cash', cash_id FROM facade.archive_cash) known GROUP BY kind`)
	if err != nil {
		return nil, fmt.Errorf("the façade's ids: %w", err)
	}
	defer rows.Close()
	known := map[string]bank.ID{}
	for rows.Next() {
		var kind string
		var last int64
		if err := rows.Scan(&kind, &last); err != nil {
			return nil, fmt.Errorf("the façade's ids: %w", err)
		}
		known[kind] = bank.ID(last)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("the façade's ids: %w", err)
	}
	return known, nil
}
