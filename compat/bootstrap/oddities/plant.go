package oddities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bootstrap/history"
	"github.com/bkledger/bk/compat/bootstrap/source"
	"github.com/bkledger/bk/ledger"
)

// Config says what is planted.
type Config struct {
	DSN  string // of Bank's database. Needed.
	Seed uint64
	Each int // of each oddity, at most; 3. Where the database has fewer rows that are fit, there are fewer.
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Each == 0 {
		c.Each = 3
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var wrong []error
	if c.DSN == "" {
		wrong = append(wrong, errors.New("DSN: needed: Bank's database"))
	}
	if c.Each < 1 || c.Each > 10_000 {
		wrong = append(wrong, fmt.Errorf("Each: %d is not between 1 and 10000", c.Each))
	}
	return errors.Join(wrong...)
}

// Row names a row that has to be in quarantine, and why.
type Row struct {
	Table source.Table `json:"table"`
	Key   string       `json:"key"`
	Rule  history.Rule `json:"rule"`
}

// Planted is what was put in.
type Planted struct {
	// Fired is how often each rule has to fire, those that sound rows fall under included.
	Fired history.Counts `json:"rules"`
	// Quarantined are the rows that have to be there, and no others.
	Quarantined []Row `json:"quarantined"`
}

// planter plants in one transaction.
type planter struct {
	Config
	tx   pgx.Tx
	used map[bank.ID]bool // trades that have one
	done Planted
}

// Plant puts the oddities in, all or none.
func Plant(ctx context.Context, cfg Config) (Planted, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return Planted{}, fmt.Errorf("oddities: configuration: %w", err)
	}
	db, err := pgx.Connect(ctx, cfg.DSN)
	if err != nil {
		return Planted{}, fmt.Errorf("oddities: connect to Bank's database: %w", err)
	}
	defer db.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the transaction has told
	p := &planter{Config: cfg, used: map[bank.ID]bool{}, done: Planted{Fired: history.Counts{}}}
	err = pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		p.tx = tx
		if _, err := tx.Exec(ctx, `CREATE INDEX odd_replaces ON bank.trade (replaces); CREATE INDEX odd_trade ON bank.journal (trade_id)`); err != nil { // Bank looks for neither
			return err
		}
		for _, k := range kinds() {
			if err := k.plant(ctx, p); err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
		}
		if err := p.natural(ctx); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `DROP INDEX bank.odd_replaces, bank.odd_trade`)
		return err
	})
	if err != nil {
		return Planted{}, fmt.Errorf("oddities: %w", err)
	}
	slices.SortFunc(p.done.Quarantined, func(a, b Row) int {
		if a.Table != b.Table {
			return slices.Index(source.Tables(), a.Table) - slices.Index(source.Tables(), b.Table)
		}
		return slices.Compare([]byte(a.Key), []byte(b.Key))
	})
	return p.done, nil
}

// trades picks trades that fit a condition and have no oddity yet, in an order that the seed gives. alone: no other trade is linked to them, or names them.
func (p *planter) trades(ctx context.Context, alone bool, where string) ([]bank.ID, error) {
	if alone {
		where = "(" + where + `) AND replaced_by IS NULL AND replaces IS NULL AND request ->> 'cancel_trade_id' IS NULL`
	}
	rows, err := p.tx.Query(ctx, `SELECT trade_id FROM bank.trade AS t WHERE `+where+` ORDER BY md5(trade_id::text || '/' || $1::text), trade_id`, strconv.FormatUint(p.Seed, 10))
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[bank.ID])
	if err != nil {
		return nil, err
	}
	var picked []bank.ID
	for _, id := range all {
		if !p.used[id] && len(picked) < p.Each {
			p.used[id] = true
			picked = append(picked, id)
		}
	}
	return picked, nil
}

// each runs statements for each of some trades, whose id is $1. Each has to change something.
func (p *planter) each(ctx context.Context, ids []bank.ID, statements ...string) error {
	for _, id := range ids {
		for _, sql := range statements {
			if tag, err := p.tx.Exec(ctx, sql, int64(id)); err != nil || tag.RowsAffected() == 0 {
				return fmt.Errorf("trade %d: %s: %s: %w", id, sql, tag, err)
			}
		}
	}
	return nil
}

// must runs a statement that changes rows, and gives how many.
func (p *planter) must(ctx context.Context, sql string, args ...any) (int64, error) {
	tag, err := p.tx.Exec(ctx, sql, args...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", sql, err)
	}
	return tag.RowsAffected(), nil
}

func (p *planter) fires(rule history.Rule, n int) {
	if n > 0 {
		p.done.Fired[rule] += int64(n)
	}
}

// quarantines says that rows have to be in quarantine.
func (p *planter) quarantines(table source.Table, rule history.Rule, keys ...string) {
	p.fires(rule, len(keys))
	for _, key := range keys {
		p.done.Quarantined = append(p.done.Quarantined, Row{table, key, rule})
	}
}

// natural counts what sound rows, too, are counted for: trades that were booked after they should have settled, and those that settle on a holiday.
func (p *planter) natural(ctx context.Context) error {
	held := map[bank.ID]bool{}
	for _, row := range p.done.Quarantined {
		if id, err := bank.ParseID(row.Key); err == nil && row.Table == source.Trades {
			held[id] = true
		}
	}
	rows, err := p.tx.Query(ctx, `SELECT trade_id, settle_date, coalesce((SELECT min(date) FROM bank.journal AS j WHERE j.trade_id = t.trade_id AND memo = 'open'), 0) FROM bank.trade AS t`)
	if err != nil {
		return err
	}
	var id bank.ID
	var settles, opened bank.Date
	_, err = pgx.ForEachRow(rows, []any{&id, &settles, &opened}, func() error {
		if held[id] {
			return nil
		}
		if settles < opened {
			p.done.Fired[history.SettledEarly]++
		}
		if settles != bank.WhenIssued && !ledger.IsSettlementDay(ledger.Date(settles)) {
			p.done.Fired[history.HolidaySettlement]++
		}
		return nil
	})
	return err
}
