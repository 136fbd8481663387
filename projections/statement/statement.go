package statement

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// Name of the projection and of its table of posting lists; totalsName is its table of running totals.
const (
	Name       = "statement"
	totalsName = Name + "_totals"
)

// blockEntries is how many sequence numbers of the journal make a block. It is a bound on what has to be read to know a running
// balance in the middle of a block, against the number of rows. Changing it needs a new version.
const blockEntries = 4096

// Projection is the statements' fold and store.
type Projection struct{}

var _ projections.Projection = Projection{}

// Name is [Name].
func (Projection) Name() string { return Name }

// Version of fold and tables. 3: blocks of 4,096, and the entries of one as bytes.
func (Projection) Version() int { return 3 }

// Create makes the generation's tables.
func (Projection) Create(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	for _, sql := range []string{
		`CREATE TABLE ` + g.Table(Name) + ` (
			account    bigint  NOT NULL,
			block      bigint  NOT NULL,
			first_date integer NOT NULL,
			last_date  integer NOT NULL,
			offsets    bytea   NOT NULL,
			openings   text    NOT NULL,
			PRIMARY KEY (account, block)
		) WITH (fillfactor = 90, toast_tuple_target = 8160)`,
		// At most 4 KB, so it need not be moved out of the row, nor move the openings out; and compressing it at each update of a hot row is work
		// for nothing.
		`ALTER TABLE ` + g.Table(Name) + ` ALTER COLUMN offsets SET STORAGE PLAIN`,
		// For taking up the open block at start, and for verification; it only ever grows at its end.
		`CREATE INDEX ` + g.Index(Name, "block") + ` ON ` + g.Table(Name) + ` (block)`,
	} {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return fmt.Errorf("create %s: %w", g.Table(Name), err)
		}
	}
	return projections.CreateTotals(ctx, tx, g.Table(totalsName))
}

// Drop drops them.
func (Projection) Drop(ctx context.Context, tx pgx.Tx, g projections.Generation) error {
	_, err := tx.Exec(ctx, `DROP TABLE IF EXISTS `+g.Table(Name)+`, `+g.Table(totalsName))
	return err
}

// Open makes a fold that knows what the open block has already.
func (Projection) Open(ctx context.Context, tx pgx.Tx, g projections.Generation) (projections.Fold, error) {
	f := &fold{
		table: g.Table(Name), totals: g.Table(totalsName), block: g.Checkpoint.Seq / blockEntries,
		cells: map[projections.Key]*cell{}, rows: map[int64]*row{},
	}
	stored, err := readBlock(ctx, tx, g, f.block)
	if err != nil {
		return nil, err
	}
	for _, s := range stored {
		f.rows[s.account] = &row{account: s.account, block: f.block, stored: true, last: s.seq(len(s.offsets) - 1)}
		for _, o := range s.openings {
			f.cells[projections.Key{Account: s.account, Instrument: o.instrument}] = &cell{inBlock: f.block, touched: true}
		}
	}
	return f, nil
}

// Check makes a checker.
func (Projection) Check(tx pgx.Tx, g projections.Generation) projections.Checker {
	return newChecker(tx, g)
}

// storedRow is a row of the table: the entries of a block that touch an account, and what the account had before the block of all
// that it touches in it.
type storedRow struct {
	account  int64
	block    uint64
	offsets  []int16 // ascending; sequence number = block × blockEntries + offset
	openings []opening
	text     string // openings as stored
	// The first and the last effective date of the entries.
	firstDate, lastDate ledger.Date
}

// opening is the balance of an instrument before a block.
type opening struct {
	instrument int64
	projections.Holding
}

// The openings' text is instrument:unsettled:settled; for each, in the order of first touch: short, readable in SQL, appended to
// with ||, and the same for the same journal.
func (o opening) append(b []byte) []byte {
	b = append(strconv.AppendInt(b, o.instrument, 10), ':')
	b = append(o.Unsettled.AppendText(b), ':')
	return append(o.Settled.AppendText(b), ';')
}

func parseOpenings(text string) ([]opening, error) {
	var all []opening
	for text != "" {
		var item string
		var ended bool
		item, text, ended = strings.Cut(text, ";")
		instrument, rest, _ := strings.Cut(item, ":")
		unsettled, settled, _ := strings.Cut(rest, ":")
		var o opening
		var err error
		o.instrument, err = strconv.ParseInt(instrument, 10, 64)
		if err == nil {
			o.Unsettled, err = projections.ParseSum(unsettled)
		}
		if err == nil {
			o.Settled, err = projections.ParseSum(settled)
		}
		if err != nil || !ended {
			return nil, fmt.Errorf("opening %q is not of the form instrument:unsettled:settled; (%w)", item, err)
		}
		all = append(all, o)
	}
	return all, nil
}

// seq gives the sequence number of the nth entry.
func (s *storedRow) seq(n int) uint64 { return s.block*blockEntries + uint64(s.offsets[n]) }

// appendOffset adds an entry to a block's bytes: its distance from the last one before it, or from the block's beginning. At most 4,096 bytes in all, mostly one
// each, which are only ever appended to.
func appendOffset(b []byte, distance uint64) []byte { return binary.AppendUvarint(b, distance) }

func parseOffsets(b []byte) ([]int16, error) {
	offsets := make([]int16, 0, len(b))
	for at := uint64(0); len(b) > 0; {
		distance, n := binary.Uvarint(b)
		at += distance
		if n <= 0 || distance >= blockEntries || at >= blockEntries || distance == 0 && len(offsets) > 0 {
			return nil, errors.New("the offsets are not those of entries in a block")
		}
		offsets, b = append(offsets, int16(at)), b[n:]
	}
	if len(offsets) == 0 {
		return nil, errors.New("there are no offsets")
	}
	return offsets, nil
}

// columns are those of scanRow.
const columns = `account, block, offsets, openings, first_date, last_date`

func scanRow(r pgx.CollectableRow) (s storedRow, err error) {
	var block int64
	var offsets []byte
	if err = r.Scan(&s.account, &block, &offsets, &s.text, &s.firstDate, &s.lastDate); err != nil {
		return s, err
	}
	s.block = uint64(block)
	if s.offsets, err = parseOffsets(offsets); err == nil {
		s.openings, err = parseOpenings(s.text)
	}
	if err != nil {
		return s, fmt.Errorf("account %d, block %d: %w", s.account, s.block, err)
	}
	return s, nil
}

// readBlock reads all rows of a block; there are at most as many as the block has postings.
func readBlock(ctx context.Context, tx pgx.Tx, g projections.Generation, block uint64) ([]storedRow, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM `+g.Table(Name)+` WHERE block = $1`, int64(block))
	if err != nil {
		return nil, fmt.Errorf("read block %d of %s: %w", block, g.Table(Name), err)
	}
	stored, err := pgx.CollectRows(rows, scanRow)
	if err != nil {
		return nil, fmt.Errorf("read block %d of %s: %w", block, g.Table(Name), err)
	}
	return stored, nil
}
