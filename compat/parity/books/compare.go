package books

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// comparer is a comparison under way.
type comparer struct {
	*warehouse
	cfg    Config
	bank   *bankSide
	bk     *bkSide
	scope  string // which accounts are compared, as a condition on account_id
	report Report
}

// Compare holds Bank's tables against BK's projections, in the warehouse. An error says that it could not be done.
func Compare(ctx context.Context, cfg Config) (report Report, err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return report, fmt.Errorf("books: configuration: %w", err)
	}
	began := time.Now()
	conn, err := cfg.Warehouse.Conn(ctx)
	if err != nil {
		return report, fmt.Errorf("books: the warehouse: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	w := &warehouse{conn, cfg.Dialect, cfg.Append}
	c := &comparer{warehouse: w, cfg: cfg, bank: &bankSide{cfg.Bank, w}, bk: newBKSide(cfg, w), scope: "account_id IS NOT NULL"}
	if err := c.run(ctx); err != nil {
		return report, fmt.Errorf("books: %w", err)
	}
	c.report.Took = time.Since(began)
	return c.report, nil
}

// run looks until both are the same, or the wait is over.
func (c *comparer) run(ctx context.Context) error {
	const first, longest = 50 * time.Millisecond, 2 * time.Second
	if err := c.empty(ctx); err != nil {
		return err
	}
	var accounts []int64 // nil: all
	var deadline time.Time
	for pause := first; ; pause = min(2*pause, longest) {
		if err := c.load(ctx, accounts); err != nil {
			return err
		}
		began := time.Now()
		if err := c.compare(ctx); err != nil {
			return err
		}
		c.report.Comparing += time.Since(began)
		if c.report.Looks++; c.report.Looks == 1 {
			deadline = time.Now().Add(c.cfg.Wait)
		}
		differing, err := c.number(ctx, "SELECT COUNT(*) FROM "+foundTable)
		if err != nil {
			return err
		}
		if differing == 0 || !time.Now().Add(pause).Before(deadline) {
			c.report.Differing = differing
			return c.explain(ctx)
		}
		if accounts, err = c.again(ctx); err != nil {
			return err
		}
		c.cfg.Log.Debug("looking again", "accounts", len(accounts), "differing", differing)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// load lands both sides, Bank's first: BK's place is of after Bank's snapshot.
func (c *comparer) load(ctx context.Context, accounts []int64) error {
	began := time.Now()
	last, landed, err := c.bank.load(ctx, accounts)
	if err != nil {
		return err
	}
	c.report.Landed += landed
	if landed, err = c.bk.load(ctx, accounts); err != nil {
		return err
	}
	c.report.Landed += landed
	if c.report.Looks == 0 {
		c.report.Place = Place{BankEvents: last, BKSequence: c.bk.journal.place}
	}
	c.cfg.Log.Debug("landed the books", "again", len(accounts), "bank_event", last, "bk_entry", c.bk.journal.place, "took", time.Since(began))
	c.report.Loading += time.Since(began)
	return nil
}

// again gives the accounts that are to be looked at again, and makes room for what is landed of them.
func (c *comparer) again(ctx context.Context) ([]int64, error) {
	statements := []string{
		"DELETE FROM " + lookTable,
		// Those that differ, and all that a trade that differs has on either side.
		"INSERT INTO " + lookTable + " SELECT account_id FROM " + foundTable + " WHERE account_id <> 0" +
			" UNION SELECT t.account_id FROM " + tradeTable + " t JOIN " + foundTable + " f ON f.trade_id = t.trade_id" +
			" UNION SELECT t.target_account_id FROM " + tradeTable + " t JOIN " + foundTable + " f ON f.trade_id = t.trade_id WHERE t.target_account_id IS NOT NULL",
		"DELETE FROM " + dateTable,
	}
	looked := " WHERE account_id IN (SELECT account_id FROM " + lookTable + ")"
	bankAlone := looked + " AND " + c.d.Quote("side") + " = " + c.d.Literal(sideBank)
	for _, t := range []string{tradeTable, positionTable, balanceTable, summaryTable} {
		statements = append(statements, "DELETE FROM "+t+looked)
	}
	for _, t := range []string{accountTable, journalTable} { // BK's only grow
		statements = append(statements, "DELETE FROM "+t+bankAlone)
	}
	for _, s := range statements {
		if err := c.exec(ctx, "prepare another look", s); err != nil {
			return nil, err
		}
	}
	c.scope = "account_id IN (SELECT account_id FROM " + lookTable + ")"
	rows, err := c.db.QueryContext(ctx, "SELECT account_id FROM "+lookTable+" ORDER BY account_id")
	if err != nil {
		return nil, fmt.Errorf("the warehouse: which accounts to look at again: %w", err)
	}
	defer rows.Close() //nolint:errcheck // its Err tells
	accounts := []int64{}
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("the warehouse: which accounts to look at again: %w", err)
		}
		accounts = append(accounts, id)
	}
	return accounts, rows.Err()
}

// compare fills the table of what was found.
func (c *comparer) compare(ctx context.Context) error {
	if err := c.exec(ctx, "forget what was found", "DELETE FROM "+foundTable); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{c.directory, c.compareTrades, c.compareRows, c.compareSums} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparer) number(ctx context.Context, query string) (n int64, err error) {
	if err := c.db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("the warehouse: %w", err)
	}
	return n, nil
}

// count notes how many pairs a query has that were compared, in the first look, which is at everything.
func (c *comparer) count(ctx context.Context, what, from string) error {
	if c.report.Looks > 0 {
		return nil
	}
	n, err := c.number(ctx, "SELECT COUNT(*) FROM "+from)
	if c.report.Compared == nil {
		c.report.Compared = map[string]int64{}
	}
	c.report.Compared[what] = n
	return err
}
