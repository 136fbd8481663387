package faults

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"github.com/bkledger/bk/compat/parity/dialect"
)

// Config says what is altered.
type Config struct {
	DB      *sql.DB // the warehouse. Needed
	Dialect dialect.Dialect
	Side    string   // whose events: bk (the default) or bank
	Count   int      // how many faults: 200
	Kinds   []string // default: all
	Seed    uint64
	// Apart is how many events of an account lie between two faults at least: 10.
	Apart int
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Side == "" {
		c.Side = dialect.SideBK
	}
	if c.Count == 0 {
		c.Count = 200
	}
	if c.Kinds == nil {
		c.Kinds = Kinds()
	}
	if c.Apart == 0 {
		c.Apart = 10
	}
	return c
}

// Validate reports everything that is wrong.
func (c Config) Validate() error {
	var wrong []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf(format, args...))
		}
	}
	check(c.DB != nil, "DB: needed")
	check(c.Side == dialect.SideBank || c.Side == dialect.SideBK, "Side: %q is neither %s nor %s", c.Side, dialect.SideBank, dialect.SideBK)
	check(c.Count >= 1 && c.Count <= 100_000, "Count: %d is not between 1 and 100000", c.Count)
	check(len(c.Kinds) > 0, "Kinds: none")
	for _, kind := range c.Kinds {
		check(Names(kind) != nil, "Kinds: %q is none of %q", kind, Kinds())
	}
	check(c.Apart >= 3 && c.Apart <= 1000, "Apart: %d is not between 3 and 1000", c.Apart)
	return errors.Join(wrong...)
}

// Event names an event.
type Event struct {
	Account int64  `json:"account"`
	Cash    bool   `json:"cash,omitempty"`
	Number  int64  `json:"number"` // the trade's id, the cash movement's
	Event   string `json:"event"`
}

// Fault is what was done to one event.
type Fault struct {
	Kind      string `json:"kind"`
	Event            // as it was
	With      *Event `json:"with,omitempty"` // the second event of a swap
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"` // as it was
	Was       string `json:"was"`
	Is        string `json:"is"`
}

// Manifest is what was done.
type Manifest struct {
	Side   string  `json:"side"`
	Seed   uint64  `json:"seed"`
	Faults []Fault `json:"faults"`
}

// ReadManifest reads what [Manifest.Write] has written.
func ReadManifest(from io.Reader) (m Manifest, err error) {
	if err = json.NewDecoder(from).Decode(&m); err != nil {
		return m, fmt.Errorf("read the manifest: %w", err)
	}
	return m, nil
}

// Write writes it as JSON.
func (m Manifest) Write(to io.Writer) error {
	e := json.NewEncoder(to)
	e.SetIndent("", "  ")
	return e.Encode(m)
}

// Inject alters events. It changes the warehouse: use a copy.
func Inject(ctx context.Context, cfg Config) (m Manifest, err error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return m, fmt.Errorf("inject faults: %w", err)
	}
	tx, err := cfg.DB.BeginTx(ctx, nil)
	if err != nil {
		return m, fmt.Errorf("inject faults: begin: %w", err)
	}
	defer func() {
		if err != nil {
			if back := tx.Rollback(); back != nil && !errors.Is(back, sql.ErrTxDone) {
				err = errors.Join(err, back)
			}
		}
	}()
	in := &injector{cfg: cfg, rows: rowsTable{tx, cfg.Dialect}, dice: rand.New(rand.NewPCG(cfg.Seed, 0xfa17)), used: map[int64][]int64{}, trades: map[int64]bool{}, ends: map[place]int64{}}
	m = Manifest{Side: cfg.Side, Seed: cfg.Seed}
	if err := in.begin(ctx); err != nil {
		return m, fmt.Errorf("inject faults: %w", err)
	}
	for i := range cfg.Count {
		f, err := in.one(ctx, cfg.Kinds[i%len(cfg.Kinds)])
		if err != nil {
			return m, fmt.Errorf("inject faults: %s, after %d: %w", cfg.Kinds[i%len(cfg.Kinds)], i, err)
		}
		m.Faults = append(m.Faults, f)
	}
	if err := tx.Commit(); err != nil {
		return m, fmt.Errorf("inject faults: commit: %w", err)
	}
	return m, nil
}

// injector chooses events.
type injector struct {
	cfg      Config
	rows     rowsTable
	dice     *rand.Rand
	accounts []int64
	symbols  []string
	lastID   int64             // the highest event id of the side
	number   int64             // the highest id of a trade
	used     map[int64][]int64 // event ids near which nothing more is altered, by account
	trades   map[int64]bool    // altered
	ends     map[place]int64   // the next free offset of a partition
	pools    map[string][]candidate
}

// candidate is an event that may be altered.
type candidate struct {
	place
	account, number, eventID int64
	event, symbol            string
}

func (in *injector) begin(ctx context.Context) error {
	q := in.rows.d.Quote
	side := []any{in.cfg.Side}
	err := in.rows.tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(event_id), 0), COALESCE(MAX(trade_id), 0) FROM trade_events WHERE "+q("side")+" = ?", side...).Scan(&in.lastID, &in.number)
	if err != nil {
		return err
	}
	var cashID int64
	if err := in.rows.tx.QueryRowContext(ctx, "SELECT COALESCE(MAX(event_id), 0) FROM cash_events WHERE "+q("side")+" = ?", side...).Scan(&cashID); err != nil {
		return err
	}
	in.lastID = max(in.lastID, cashID)
	if in.accounts, err = list[int64](ctx, in.rows.tx, "SELECT DISTINCT account_id FROM trade_events WHERE "+q("side")+" = ? ORDER BY account_id", side...); err != nil {
		return err
	}
	if in.symbols, err = list[string](ctx, in.rows.tx, "SELECT DISTINCT instrument_identifier FROM trade_events WHERE "+q("side")+" = ? ORDER BY instrument_identifier LIMIT 1000", side...); err != nil {
		return err
	}
	if len(in.accounts) < 2 || len(in.symbols) < 2 {
		return errors.New("two accounts and two symbols are needed")
	}
	in.pools = map[string][]candidate{}
	return nil
}

func list[T any](ctx context.Context, tx *sql.Tx, query string, args ...any) (all []T, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var one T
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// pool gives events that fulfil a condition, in an order that the seed makes.
func (in *injector) pool(ctx context.Context, table, condition string) ([]candidate, error) {
	name := table + " " + condition
	if p, ok := in.pools[name]; ok {
		return p, nil
	}
	q := in.rows.d.Quote
	id, symbol := "trade_id", "instrument_identifier"
	if table == dialect.CashEvents {
		id, symbol = "cash_id", "currency"
	}
	if condition != "" {
		condition = " AND " + condition
	}
	rows, err := in.rows.tx.QueryContext(ctx, fmt.Sprintf("SELECT topic, %s, %s, account_id, %s, event_id, event, %s FROM %s WHERE %s = ?%s ORDER BY HASH(event_id, account_id, %d), event_id LIMIT %d",
		q("partition"), q("offset"), id, symbol, table, q("side"), condition, in.cfg.Seed%1_000_000_007, 50*in.cfg.Count+1000), in.cfg.Side)
	if err != nil {
		return nil, err
	}
	var all []candidate
	for rows.Next() {
		c := candidate{place: place{side: in.cfg.Side}}
		if err := rows.Scan(&c.topic, &c.partition, &c.offset, &c.account, &c.number, &c.eventID, &c.event, &c.symbol); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, c)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	in.dice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	in.pools[name] = all
	return all, nil
}

// free tells whether no fault is near an event, nor of its trade.
func (in *injector) free(ctx context.Context, account, number, eventID int64) (bool, error) {
	if in.trades[number] {
		return false, nil
	}
	for _, near := range in.used[account] {
		q := in.rows.d.Quote("side")
		low, high := min(near, eventID), max(near, eventID)
		var n int
		err := in.rows.tx.QueryRowContext(ctx, "SELECT (SELECT COUNT(*) FROM trade_events WHERE "+q+" = ? AND account_id = ? AND event_id BETWEEN ? AND ?) + (SELECT COUNT(*) FROM cash_events WHERE "+
			q+" = ? AND account_id = ? AND event_id BETWEEN ? AND ?)", in.cfg.Side, account, low, high, in.cfg.Side, account, low, high).Scan(&n)
		if err != nil {
			return false, err
		}
		if n <= in.cfg.Apart {
			return false, nil
		}
	}
	return true, nil
}

func (in *injector) use(account, number, eventID int64) {
	in.used[account] = append(in.used[account], eventID)
	in.trades[number] = true
}

// take gives the next free event that fulfils a condition and is fit.
func (in *injector) take(ctx context.Context, table, condition string, fit func(*candidate) (bool, error)) (*candidate, error) {
	pool, err := in.pool(ctx, table, condition)
	if err != nil {
		return nil, err
	}
	key := table + " " + condition
	fewest := slices.ContainsFunc(in.accounts, func(account int64) bool { return in.used[account] == nil })
	for _, again := range []bool{false, true} { // accounts without a fault first
		for i := range pool {
			c := &pool[i]
			if c.number == 0 || !again && (in.used[c.account] != nil || !fewest) {
				continue
			}
			ok, err := in.free(ctx, c.account, c.number, c.eventID)
			if err != nil {
				return nil, err
			}
			if ok && fit != nil {
				if ok, err = fit(c); err != nil {
					return nil, err
				}
			}
			if ok {
				taken := *c
				c.number = 0
				in.use(taken.account, taken.number, taken.eventID)
				return &taken, nil
			}
		}
	}
	return nil, fmt.Errorf("no event is left (%s)", key)
}
