package books

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
)

// Names tells what BK's journal doesn't say in Bank's terms. The façade's books.Stream does.
type Names interface {
	// Date gives the business date at a place of BK's journal, 0 before the first.
	Date(ctx context.Context, sequence int64) (bank.Date, error)
	// TradeID gives Bank's id of the trade that an entry books, CashID that of a cash movement; 0 if it has none.
	TradeID(ctx context.Context, booked *bkv1.Entry) (bank.ID, error)
	CashID(ctx context.Context, e *bkv1.Entry) (bank.ID, error)
	// Extras gives the text of what BK's trade has no field for ([bankmap.ParseExtras]), by what stands in a booking's metadata; "" for none.
	Extras(ctx context.Context, inBK string) (string, error)
	Archive
}

// Archive tells what is not in BK because its books were opened with balances: the façade's package archive. It is taken as BK's.
type Archive interface {
	// Opening gives BK's sequence number up to which its journal has no rows of Bank's, and the highest id of rows that are archived in their place; 0, 0: nothing is archived.
	Opening(ctx context.Context) (head int64, lastRow bank.ID, err error)
	// ArchivedTrades gives the trades of some accounts that are over, of all where they are nil. ArchivedRows gives all journal rows, with the cash movement that one is of or 0, by id.
	ArchivedTrades(ctx context.Context, accounts []int64, do func(*bank.StoredTrade) error) error
	ArchivedRows(ctx context.Context, do func(account, cash bank.ID, row *bank.JournalRow) error) error
	// ArchivedReplaced gives the trade that is over in whose place BK's trade of an entry stands, 0 if there is none.
	ArchivedReplaced(ctx context.Context, booked *bkv1.Entry) (bank.ID, error)
}

// Append adds rows to a table, on a connection of the warehouse. values has a value for each column, row after row: int64, int32, string, a decimal's text, or nil.
type Append func(ctx context.Context, conn *sql.Conn, t *dialect.Table, values []any) error

// Config says what is compared, and where. The zero value of a field is its default.
type Config struct {
	Warehouse *sql.DB         // Needed; tables are made in it. Nobody else uses them meanwhile.
	Dialect   dialect.Dialect // the warehouse's; DuckDB's
	Append    Append          // how rows come into the warehouse; by INSERT, which is slow: DuckDB has duck.Append
	Bank      string          // DSN of Bank's database, which is only read. Needed.
	BK        *client.Client  // Needed.
	Names     Names           // Needed.
	// Wait is how long an account that differs is looked at again and again; 0: not at all.
	Wait time.Duration
	// Keep is how many differences are told in words; 1,000. All are counted, and all of the last look are in the warehouse (table [FindingsTable]).
	Keep int
	// Parallel is how many calls of BK are made at once; 4. Patience is how long one is tried again; 1 min.
	Parallel int
	Patience time.Duration
	Log      *slog.Logger // default: none
}

// WithDefaults fills in what is left out.
func (c Config) WithDefaults() Config {
	if c.Keep == 0 {
		c.Keep = 1000
	}
	if c.Parallel == 0 {
		c.Parallel = 4
	}
	if c.Patience == 0 {
		c.Patience = time.Minute
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
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
	check(c.Warehouse != nil, "Warehouse: needed")
	check(c.Bank != "", "Bank: needed: the DSN of its database")
	check(c.BK != nil, "BK: needed")
	check(c.Names != nil, "Names: needed")
	check(c.Wait >= 0, "Wait: %s is below zero", c.Wait)
	check(c.Keep >= 1, "Keep: %d is below 1", c.Keep)
	check(c.Parallel >= 1 && c.Parallel <= 64, "Parallel: %d is not between 1 and 64", c.Parallel)
	check(c.Patience > 0, "Patience: %s is not above zero", c.Patience)
	return errors.Join(wrong...)
}
