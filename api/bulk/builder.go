package bulk

import (
	"errors"
	"fmt"
	"time"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/projections/daily"
)

// chunkBytes ends a chunk before its rows do, where they are large.
const chunkBytes = 64 << 20

// BuilderConfig says how to build a journal. The zero value of a field is its default.
type BuilderConfig struct {
	// Shard is the number of the journal.
	Shard uint16
	// Epoch is what the rows carry. Default 1. The load has an epoch of its own, not below it.
	Epoch int64
	// ChunkRows is how many rows a chunk has at most. Default 100,000; it ends before where it comes to 64 MiB.
	ChunkRows int
	// Rules make the postings. Default: [ledger.StandardRules].
	Rules *ledger.Rules
	// Sink gets the chunks, in order. What it fails with, all that follows fails with. Needed.
	Sink func(Chunk) error
}

// WithDefaults fills in what is left out.
func (c BuilderConfig) WithDefaults() BuilderConfig {
	if c.Epoch == 0 {
		c.Epoch = 1
	}
	if c.ChunkRows == 0 {
		c.ChunkRows = 100_000
	}
	if c.Rules == nil {
		c.Rules = ledger.StandardRules()
	}
	return c
}

// Validate reports everything that is wrong.
func (c BuilderConfig) Validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	check(c.Shard <= ledger.MaxShard, "shard: %d is above %d", c.Shard, ledger.MaxShard)
	check(c.Epoch >= 1, "epoch: %d is below 1", c.Epoch)
	check(c.ChunkRows >= 1 && c.ChunkRows <= 1<<23, "chunk rows: %d is not between 1 and %d", c.ChunkRows, 1<<23)
	check(c.Sink != nil, "sink: needed")
	return errors.Join(faults...)
}

// Receipt says what came of a command. Ids are as the API gives them.
type Receipt struct {
	Entry      int64             // of the entry; 0 for a definition that was there already
	Trade      int64             // the trade that the entry is about, 0 if it is about none
	Account    int64             // of a definition
	Instrument int64             // of a definition
	State      ledger.TradeState // where the trade stands after all that came of the command, "" without a trade; of a repeat, where it stands now
	Repeat     bool              // the key was known with the same content, or the same is defined already: nothing was booked now
}

// Builder makes a journal from commands in the order in which they are given, in memory and without a database: what the sequencer of a server would have made of
// them. One goroutine calls it, but for Prepare.
type Builder struct {
	cfg       BuilderConfig
	directory *ledger.Directory
	keys      keys
	lives     lives
	cuts      *daily.Book
	sums      sums
	day       ledger.BusinessDay
	lastTime  time.Time
	next      uint64
	hash      [32]byte
	rows      *journal.Rows
	chunk     ChunkMeta // of the rows that are not given away
	room      []*ledger.Entry
	err       error // for good
}

// NewBuilder makes a builder of an empty journal.
func NewBuilder(cfg BuilderConfig) (*Builder, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("bulk: builder: %w", err)
	}
	start := journal.ChainStart(cfg.Shard)
	return &Builder{
		cfg: cfg, directory: ledger.NewDirectory(), keys: newKeys(), lives: newLives(cfg.Shard), cuts: daily.NewTotals(),
		next: 1, hash: start, rows: journal.NewRows(cfg.Shard), chunk: ChunkMeta{Number: 1, First: 1, PrevHash: start},
	}, nil
}

var errClosed = errors.New("bulk: the builder is closed")

// Book books a command as of a time. A time before that of the last entry counts as that one. What the engine would reject is a *ledger.Rejection: nothing of the command
// is booked then (accounts of the house that its rule needed are opened, as the engine opens them), and the next may follow. After any other error nothing may.
func (b *Builder) Book(c *bkv1.Command, at time.Time) (Receipt, error) {
	return b.BookPrepared(b.Prepare(c, at))
}

// OpenAccount books the definition of an account; see Book.
func (b *Builder) OpenAccount(a *bkv1.Account, source string, at time.Time) (Receipt, error) {
	return b.BookPrepared(b.prepareAccount(a, source, at))
}

// DefineInstrument books the definition of an instrument; see Book.
func (b *Builder) DefineInstrument(in *bkv1.Instrument, source string, at time.Time) (Receipt, error) {
	return b.BookPrepared(b.prepareInstrument(in, source, at))
}

// BookPrepared books what Prepare has made ready; see Book. Each is booked once.
func (b *Builder) BookPrepared(p *Prepared) (Receipt, error) {
	if b.err != nil {
		return Receipt{}, b.err
	}
	if p.refused != nil {
		return Receipt{}, p.refused
	}
	if p.command.Kind.IsInternal() {
		return Receipt{}, ledger.Reject(ledger.ReasonInvalid, "kind", "a %s is booked by the ledger itself", p.command.Kind)
	}
	r, rej := b.book(p)
	if rej != nil {
		rej = p.form.Rename(rej)
	}
	switch {
	case b.err != nil:
		return Receipt{}, b.err
	case rej != nil:
		return Receipt{}, rej
	}
	return r, nil
}

// book takes a command all the way. What was prepared may be of a time when an account or an instrument was not defined yet: a rejection, and a need for house accounts,
// count only here. What was prepared without either stands, as definitions never change.
func (b *Builder) book(p *Prepared) (Receipt, *ledger.Rejection) {
	if p.at.After(b.lastTime) {
		b.lastTime = p.at
	}
	if p.rejected != nil || p.draft.NeedHouse != nil {
		b.prepare(p)
	}
	for _, code := range p.draft.NeedHouse {
		house := &Prepared{command: ledger.HouseAccount(code), at: p.at}
		b.prepare(house)
		if _, rej := b.decide(house); rej != nil && rej.Reason != ledger.ReasonAccountExists {
			return Receipt{}, rej
		}
	}
	if p.draft.NeedHouse != nil {
		b.prepare(p)
		if p.draft.NeedHouse != nil {
			panic(fmt.Sprintf("bulk: the rule of %s asks for ever more house accounts: %v", p.command.Kind, p.draft.NeedHouse))
		}
	}
	return b.decide(p)
}

// decide settles a command at its place, in the order in which the sequencer asks: repeat, rejection, definition, the trade's state.
func (b *Builder) decide(p *Prepared) (Receipt, *ledger.Rejection) {
	c, e := p.command, p.draft.Entry
	if c.Key != "" && e != nil {
		if seq, same := b.keys.find(c.Key, p.draft.Content); seq != 0 && !same {
			return Receipt{}, ledger.Reject(ledger.ReasonKeyConflict, "key", "%q was used for entry %d, with other content", c.Key, ledger.MakeID(b.cfg.Shard, seq))
		} else if seq != 0 {
			return b.repeat(c, seq), nil
		}
	}
	if p.rejected != nil {
		return Receipt{}, p.rejected
	}
	if c.IsDefinition() {
		exists, rej := b.directory.Reserve(e)
		if rej != nil {
			return Receipt{}, rej
		}
		if exists {
			return defined(Receipt{Repeat: true}, e), nil
		}
	}
	var target ledger.Life
	place := -1
	if t := targetOf(c); t != nil {
		if place = b.trade(t); place >= 0 {
			target = b.lives.life(place)
		}
	}
	entries, rej := b.cfg.Rules.Decide(b.room[:0], &p.draft, target, ledger.Moment{
		Next: ledger.MakeID(b.cfg.Shard, b.next), Day: b.day, Books: b.directory,
	})
	b.room = entries
	if rej != nil {
		return Receipt{}, rej
	}
	for _, e := range entries {
		b.append(e)
	}
	r := Receipt{Entry: int64(e.ID), Trade: int64(e.Links.Trade)}
	if r.Trade != 0 {
		r.State = entries[len(entries)-1].State
	}
	clear(b.room)
	return defined(r, e), nil
}

func defined(r Receipt, e *ledger.Entry) Receipt {
	if e.Account != nil {
		r.Account = e.Account.ID
	}
	if e.Define != nil {
		r.Instrument = e.Define.ID
	}
	return r
}

// repeat is the receipt of a command whose key is known with the same content.
func (b *Builder) repeat(c *ledger.Command, seq uint64) Receipt {
	r := Receipt{Entry: int64(ledger.MakeID(b.cfg.Shard, seq)), Repeat: true}
	place, ok := b.lives.find(seq)
	if !ok && c.Target != nil {
		place = b.trade(c.Target)
		ok = place >= 0
	}
	if ok {
		r.Trade = int64(ledger.MakeID(b.cfg.Shard, b.lives.trades[place].seq))
		r.State = b.lives.state(place)
	}
	return r
}

func targetOf(c *ledger.Command) *ledger.Target {
	if c.Target != nil {
		return c.Target
	}
	return c.Replaces
}

// trade gives the place of the trade that a target names, by key before id; below zero if there is none.
func (b *Builder) trade(t *ledger.Target) int {
	if t.Key != "" {
		if seq, _ := b.keys.find(t.Key, ledger.Content{}); seq != 0 {
			if place, ok := b.lives.find(seq); ok {
				return place
			}
		}
	}
	if t.Trade != 0 && t.Trade.Shard() == b.cfg.Shard {
		if place, ok := b.lives.find(t.Trade.Seq()); ok {
			return place
		}
	}
	return -1
}

// append makes an entry, which has the next id, the journal's.
func (b *Builder) append(e *ledger.Entry) {
	e.Epoch, e.BookedAt = b.cfg.Epoch, b.lastTime
	for _, p := range e.Postings {
		if p.Account == 0 || p.Instrument == 0 {
			panic(fmt.Sprintf("bulk: the rule of %s made a posting on account %d, instrument %d", e.Kind, p.Account, p.Instrument))
		}
	}
	b.hash = b.rows.Add(b.hash, e)
	e.Hash = b.hash
	b.directory.Apply(e)
	if e.Key != "" {
		b.keys.add(e.Key, b.next, e.Content)
	}
	if e.Links.Trade != 0 {
		b.lives.add(e)
	}
	if err := b.cuts.Add(e); err != nil {
		b.fail(fmt.Errorf("fold entry %d into the day's totals: %w", e.ID, err))
	}
	b.sums.add(e.Postings)
	b.day = b.day.After(e)
	b.next++
	if b.rows.Len() >= b.cfg.ChunkRows || b.rows.Size() >= chunkBytes {
		b.flush()
	}
}

func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = fmt.Errorf("bulk: %w", err)
	}
}

// flush gives the chunk away and begins the next.
func (b *Builder) flush() {
	if b.rows.Len() == 0 || b.err != nil {
		return
	}
	c := b.chunk
	c.Last, c.Rows, c.Hash = b.next-1, int64(b.rows.Len()), b.hash
	data := b.rows.Take()
	c.Bytes, c.SHA256 = int64(len(data)), HashOf(data)
	if err := b.cfg.Sink(Chunk{c, data}); err != nil {
		b.fail(fmt.Errorf("give away chunk %d (entries %d to %d): %w", c.Number, c.First, c.Last, err))
	}
	b.chunk = ChunkMeta{Number: c.Number + 1, First: b.next, PrevHash: b.hash}
}

// Close gives away the last chunk and says what it all comes to. Nothing can be booked after.
func (b *Builder) Close() (Summary, error) {
	b.flush()
	if b.err != nil {
		return Summary{}, b.err
	}
	b.err = errClosed
	return Summary{Rows: int64(b.next) - 1, Head: b.next - 1, Hash: b.hash, Day: int32(b.day.Date), Sums: b.sums.list()}, nil
}
