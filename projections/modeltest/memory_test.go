package modeltest_test

import (
	"fmt"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections/cash"
	"github.com/bkledger/bk/projections/daily"
	"github.com/bkledger/bk/projections/foldtest"
	"github.com/bkledger/bk/projections/modeltest"
	"github.com/bkledger/bk/projections/positions"
	"github.com/bkledger/bk/projections/trades"
)

// memory is the system in memory: the rules and the sequencing of the ledger, and the folds of its projections.
type memory struct {
	books *foldtest.Books
	model *modeltest.Model
	codes map[int64]string // of accounts
	names map[int64]string // of instruments
	count *tally

	folded    int // entries in the folds
	positions *positions.Book
	trades    *trades.Book
	cash      *cash.Book
	daily     *daily.Book
}

func newMemory(count *tally) (*memory, error) {
	s := &memory{books: foldtest.NewBooks(0), codes: map[int64]string{}, names: map[int64]string{}, count: count}
	for _, c := range definitions() {
		if _, rej := s.books.Book(c); rej != nil {
			return nil, fmt.Errorf("define: %w", rej)
		}
	}
	s.model = newModel(s.books.Head().Seq)
	for code, id := range s.model.Accounts {
		s.codes[id] = code
	}
	for name, in := range s.model.Instruments {
		s.names[in.ID] = name
	}
	s.positions, s.trades = positions.NewBook(s.books.Directory), trades.NewBook(s.books.Directory)
	s.cash, s.daily = cash.NewBook(s.books.Directory), daily.NewBook()
	return s, nil
}

// runMemory runs a sequence against the folds in memory; the error says where it is not as the model says.
func runMemory(steps []Step, count *tally) (err error) {
	s, err := newMemory(count)
	if err != nil {
		return err
	}
	count.sequences++
	for i, step := range steps {
		if step.Read != nil {
			err = s.read(*step.Read)
		} else {
			err = s.book(step.Command)
		}
		if err != nil {
			return &stepError{i, err}
		}
	}
	return nil
}

func (s *memory) book(c modeltest.Command) error {
	before := s.books.Head().Seq
	at := s.books.Now()
	command := translate(c, s.find)
	want := s.model.Book(c, modeltest.Date(ledger.DateOf(at)))
	var entry *ledger.Entry
	var rej *ledger.Rejection
	switch {
	case c.Kind != "roll":
		entry, rej = s.books.Book(command)
	case want.Reason != "":
		return nil // backwards: these books are not asked
	default:
		var failed error
		rej = s.books.Roll(ledger.Date(c.To), c.Street, func(ledger.Date) (rows int64, hash [32]byte) {
			if err := s.fold(); err != nil {
				failed = err
				return 0, hash
			}
			return s.daily.Cut()
		})
		if failed != nil {
			return failed
		}
	}
	reason := ""
	if rej != nil {
		reason = string(rej.Reason)
	}
	if reason != want.Reason {
		return fmt.Errorf("rejected as %q (%v), should be %q", reason, rej, want.Reason)
	}
	s.count.did(c, want)
	if want.Entry != nil && entry.ID.Seq() != want.Entry.Seq {
		return fmt.Errorf("it is entry %d, should be %d", entry.ID, want.Entry.Seq)
	}
	made := s.books.All()[before:]
	if len(made) != len(want.Entries) {
		return fmt.Errorf("it made the entries %s, should be %s", kinds(made), wantedKinds(want.Entries))
	}
	for i, e := range made {
		if got, want := s.entryText(e), s.wantedText(want.Entries[i]); got != want {
			return fmt.Errorf("entry %d is\n\t          %s\n\tshould be %s", e.ID, got, want)
		}
	}
	return nil
}

// find gives a trade's id; for one that is not there, the id of something else.
func (s *memory) find(key string) ledger.ID {
	if t := s.model.Find(key); t != nil {
		return ledger.MakeID(0, t.Seq)
	}
	return ledger.MakeID(0, 1)
}

// fold gives the folds what is new in the journal.
func (s *memory) fold() error {
	for _, e := range s.books.All()[s.folded:] {
		for name, fold := range map[string]interface{ Add(*ledger.Entry) error }{"positions": s.positions, "trades": s.trades, "cash": s.cash, "daily": s.daily} {
			if err := fold.Add(e); err != nil {
				return fmt.Errorf("%s: entry %d: %w", name, e.ID, err)
			}
		}
		s.folded++
	}
	return nil
}

func (s *memory) read(r Read) error {
	at := modeltest.Time{AsOf: r.AsOf}
	if r.Back >= 0 {
		at.KnownAt = max(s.model.Head-min(s.model.Head-1, uint64(r.Back)), 1)
	}
	got := answers{}
	reads, err := s.answer(got, at)
	if err != nil {
		return fmt.Errorf("read %+v: %w", at, err)
	}
	return s.count.compare(s.model, at, reads, got)
}
