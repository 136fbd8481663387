package daily

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
)

// fold collects what a chunk changes, in segments between the days that begin and end in it: what stands before a day entry is
// written before the day is.
type fold struct {
	g        projections.Generation
	day      ledger.BusinessDay // after the last entry added
	segments []*segment         // never empty; the last one is open
	full     bool
}

// segment is what happens on one business date until the next day entry.
type segment struct {
	today   ledger.Date // the business date
	changes map[movement]*projections.Holding
	end     *ledger.Entry // the day entry that follows; nil in the last segment
}

func newFold(g projections.Generation, day ledger.BusinessDay) *fold {
	f := &fold{g: g, day: day}
	f.next()
	return f
}

func (f *fold) next() {
	f.segments = append(f.segments, &segment{today: f.day.Date, changes: map[movement]*projections.Holding{}})
}

func (f *fold) Add(e *ledger.Entry) (err error) {
	open := f.segments[len(f.segments)-1]
	if isDay(e) {
		if err := checkDay(f.day, e); err != nil {
			return err
		}
		open.end, f.day = e, f.day.After(e)
		f.full = true
		f.next()
		return nil
	}
	for _, p := range e.Postings {
		m := movement{projections.Key{Account: p.Account, Instrument: p.Instrument}, e.EffectiveDate}
		change := open.changes[m]
		if change == nil {
			change = &projections.Holding{}
			open.changes[m] = change
		}
		if *change, err = change.Add(p); err != nil {
			return err
		}
	}
	return nil
}

// Full is of projections.Heavy: a transaction begins or ends one day at most.
func (f *fold) Full() bool { return f.full }

func (f *fold) Store(ctx context.Context, tx pgx.Tx) error {
	for _, s := range f.segments {
		if err := f.storeChanges(ctx, tx, s); err != nil {
			return err
		}
		if s.end == nil {
			continue
		}
		turn := f.begin
		if s.end.Kind == ledger.KindDayEnd {
			turn = f.end
		}
		if err := turn(ctx, tx, s); err != nil {
			return err
		}
	}
	open := f.segments[len(f.segments)-1]
	clear(open.changes)
	clear(f.segments)
	f.segments, f.full = append(f.segments[:0], open), false
	return nil
}

// storeChanges adds a segment's changes to the movements, and to the totals what is in force.
func (f *fold) storeChanges(ctx context.Context, tx pgx.Tx, s *segment) error {
	if len(s.changes) == 0 {
		return nil
	}
	keys := make([]movement, 0, len(s.changes))
	for m := range s.changes {
		keys = append(keys, m)
	}
	slices.SortFunc(keys, func(a, b movement) int { // neighbours share pages
		return cmp.Or(a.Compare(b.Key), cmp.Compare(a.date, b.date))
	})
	if err := f.addMovements(ctx, tx, keys, s.changes); err != nil {
		return err
	}
	counts := make(map[projections.Key]projections.Holding, len(keys))
	touched := make([]projections.Key, 0, len(keys))
	for _, m := range keys {
		if !inForce(m.date, s.today) {
			continue
		}
		if n := len(touched); n == 0 || touched[n-1] != m.Key {
			touched = append(touched, m.Key)
		}
		counts[m.Key] = counts[m.Key].Plus(*s.changes[m])
	}
	return projections.AddTotals(ctx, tx, f.g.Table(totalsName), touched, func(k projections.Key) projections.Holding { return counts[k] }, nil)
}

const movementsGiven = ` (SELECT a, i, d, u::numeric(38,10), s::numeric(38,10)
	FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::text[], $5::text[]) AS g (a, i, d, u, s)) AS x `

// addMovements updates the rows that are there and inserts the others; see projections.AddTotals.
func (f *fold) addMovements(ctx context.Context, tx pgx.Tx, keys []movement, changes map[movement]*projections.Holding) error {
	table := f.g.Table(Name)
	rows, err := tx.Query(ctx, `UPDATE `+table+` AS t SET unsettled = t.unsettled + x.u, settled = t.settled + x.s FROM`+movementsGiven+`
		WHERE t.account = x.a AND t.instrument = x.i AND t.effective_date = x.d
		RETURNING t.account, t.instrument, t.effective_date`, columns(keys, changes)...)
	there := map[movement]bool{}
	if err == nil {
		var m movement
		_, err = pgx.ForEachRow(rows, []any{&m.Account, &m.Instrument, &m.date}, func() error {
			there[m] = true
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("add to %s: %w", table, err)
	}
	missing := make([]movement, 0, len(keys)-len(there))
	for _, m := range keys {
		if !there[m] {
			missing = append(missing, m)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	tag, err := tx.Exec(ctx, `INSERT INTO `+table+` SELECT a, i, d, u, s FROM`+movementsGiven, columns(missing, changes)...)
	if err == nil && tag.RowsAffected() != int64(len(missing)) {
		err = fmt.Errorf("%d rows instead of %d", tag.RowsAffected(), len(missing))
	}
	if err != nil {
		return fmt.Errorf("insert into %s: %w", table, err)
	}
	return nil
}

func columns(keys []movement, changes map[movement]*projections.Holding) []any {
	n := len(keys)
	accounts, instruments, dates := make([]int64, n), make([]int64, n), make([]int32, n)
	unsettled, settled := make([]string, n), make([]string, n)
	for i, m := range keys {
		change := changes[m]
		accounts[i], instruments[i], dates[i] = m.Account, m.Instrument, int32(m.date)
		unsettled[i], settled[i] = change.Unsettled.String(), change.Settled.String()
	}
	return []any{accounts, instruments, dates, unsettled, settled}
}

// begin moves the business date, and adds to the totals what comes into force by it.
func (f *fold) begin(ctx context.Context, tx pgx.Tx, s *segment) error {
	day := s.end.Day.Date
	if _, err := tx.Exec(ctx, `INSERT INTO `+f.g.Table(dayName)+` (day, begun) VALUES ($1, $2)`, day, int64(s.end.ID.Seq())); err != nil {
		return fmt.Errorf("begin %s: %w", day, err)
	}
	// On the first day all that waits: whatever is effective on it or before, dated or not.
	where, args := `effective_date <= $1`, []any{day}
	if s.today != 0 {
		where, args = where+` AND effective_date > $2`, append(args, s.today)
	}
	_, err := tx.Exec(ctx, `INSERT INTO `+f.g.Table(totalsName)+` AS t
		SELECT account, instrument, sum(unsettled), sum(settled) FROM `+f.g.Table(Name)+` WHERE `+where+`
		GROUP BY account, instrument ORDER BY account, instrument
		ON CONFLICT (account, instrument) DO UPDATE SET unsettled = t.unsettled + excluded.unsettled, settled = t.settled + excluded.settled`, args...)
	if err != nil {
		return fmt.Errorf("bring into force what is due on %s: %w", day, err)
	}
	return nil
}

// end freezes the totals as the day's cut. It must be the one that the entry states: the journal's word is what others rely on.
func (f *fold) end(ctx context.Context, tx pgx.Tx, s *segment) error {
	e, day := s.end, s.end.Day.Date
	if _, err := tx.Exec(ctx, `INSERT INTO `+f.g.Table(cutName)+` SELECT $1, account, instrument, unsettled, settled FROM `+f.g.Table(totalsName)+`
		WHERE unsettled <> 0 OR settled <> 0 ORDER BY account, instrument`, day); err != nil {
		return fmt.Errorf("freeze the cut of %s: %w", day, err)
	}
	h, err := hashRows(ctx, tx, day, cutRows(f.g), day)
	if err != nil {
		return fmt.Errorf("hash the cut of %s: %w", day, err)
	}
	rows, hash := h.Sum()
	if rows != e.Day.CutRows || hash != e.Day.CutHash {
		return &projections.Fault{Projection: Name, Shard: f.g.Shard, Seq: e.ID.Seq(), What: fmt.Sprintf(
			"the end of day %s (entry %d) states a cut of %d rows with the hash %x; the entries before it make one of %d rows with the hash %x",
			day, e.ID.Seq(), e.Day.CutRows, e.Day.CutHash, rows, hash)}
	}
	tag, err := tx.Exec(ctx, `UPDATE `+f.g.Table(dayName)+` SET seq = $2, hash = $3, rows = $4, booked_at = $5 WHERE day = $1 AND seq IS NULL`,
		day, int64(e.ID.Seq()), hash[:], rows, e.BookedAt)
	if err == nil && tag.RowsAffected() != 1 {
		err = fmt.Errorf("it has not begun in %s", f.g.Table(dayName))
	}
	if err != nil {
		return fmt.Errorf("end %s: %w", day, err)
	}
	return nil
}

// cutRows reads a day's cut in its order.
func cutRows(g projections.Generation) string {
	return `SELECT account, instrument, unsettled::text, settled::text FROM ` + g.Table(cutName) + `
		WHERE day = $1 ORDER BY account, instrument`
}
