package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/bkledger/bk/ledger"
)

// sequencer decides, alone and in one order: what is a repeat, what a trade's state allows, which number an entry gets. It works
// in memory; entries become real when their batch is committed.
type sequencer struct {
	j        *Journal
	t        *term
	window   *window
	batch    *batch
	next     uint64
	hash     [32]byte
	lastTime time.Time
	day      ledger.BusinessDay
	room     []*ledger.Entry // of what is being decided
	previous chan struct{}   // closed when the batch before is committed
}

// batch is what one transaction appends.
type batch struct {
	rows     rows
	entries  []*ledger.Entry
	sizes    []int
	groups   []*Pending
	seq      uint64   // the last entry sequenced when the batch was handed over
	hash     [32]byte // and its chain hash
	previous <-chan struct{}
	done     chan struct{}
}

func (s *sequencer) newBatch() *batch {
	b, _ := s.t.spare.Get().(*batch)
	if b == nil {
		b = &batch{rows: rows{shard: s.j.cfg.Shard}}
	}
	b.rows.reset()
	b.entries, b.sizes, b.groups = b.entries[:0], b.sizes[:0], b.groups[:0]
	b.previous, b.done = s.previous, make(chan struct{})
	s.previous = b.done
	return b
}

// run takes groups from the queue until the term ends. While the committers are busy the batch grows; when one is free it takes all
// that is waiting. On a clean end (draining closed) it empties the queue first.
func (s *sequencer) run(ctx context.Context) error {
	defer close(s.t.toCommit)
	defer func() { s.t.fail(s.batch) }() // what is not handed over is not booked
	draining := s.t.draining
	for {
		s.takeWaiting()
		in, out := s.t.queue, s.t.toCommit
		if len(s.batch.groups) == 0 {
			out = nil
			if draining == nil {
				return nil
			}
		}
		if len(s.batch.entries) >= s.j.cfg.MaxBatch {
			in = nil
		}
		select {
		case p := <-in:
			s.decide(ctx, p)
		case out <- s.seal():
			s.batch = s.newBatch()
		case <-draining:
			draining = nil // the queue gets nothing more; takeWaiting empties it
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// takeWaiting decides what is in the queue without waiting for more.
func (s *sequencer) takeWaiting() {
	for len(s.batch.entries) < s.j.cfg.MaxBatch {
		select {
		case p := <-s.t.queue:
			s.decide(s.t.ctx, p)
		default:
			return
		}
	}
}

func (s *sequencer) seal() *batch {
	s.batch.seq, s.batch.hash = s.next-1, s.hash
	return s.batch
}

// decide settles a group of commands: its entries go into the batch, or it is answered at once where nothing has to be waited for.
func (s *sequencer) decide(ctx context.Context, p *Pending) {
	now := time.Now()
	s.j.metrics.queueWait.Observe(now.Sub(p.queuedAt).Seconds())
	if now = now.UTC().Truncate(time.Microsecond); now.After(s.lastTime) {
		s.lastTime = now
	}
	if p.asOf+1 < s.window.start { // the caller took its time: what it knows is too old
		if err := s.j.lookUp(ctx, p); err != nil {
			p.fail(err)
			return
		}
	}
	head, _, _ := s.j.tail.position()
	if s.window.start > head+1 {
		panic("journal: the window has lost an entry that is not committed")
	}
	mark := s.batch.rows.mark()
	from, first, hash, day := len(s.batch.entries), s.next, s.hash, s.day
	pending := false
	for i := range p.items {
		it := &p.items[i]
		if !it.settled {
			p.outcomes[i] = s.decideItem(it, p.outcomes[i], first)
			pending = pending || s.uncommitted(p.outcomes[i], head)
		}
		if p.outcomes[i].Err != nil && p.atomic {
			s.rewind(from, mark, first, hash)
			s.day = day
			p.rejectGroup()
			pending = first-1 > head
			break
		}
	}
	s.j.metrics.count(p)
	if !pending {
		p.finish()
		return
	}
	s.batch.groups = append(s.batch.groups, p)
}

// uncommitted reports whether an answer has to wait for a commit: its own, or that of what it rests on. A repeat rests on the entry that
// it repeats, a rejection or a definition that is there already on anything that was sequenced before.
func (s *sequencer) uncommitted(o Outcome, head uint64) bool {
	if o.Err != nil || o.Receipt.Entry.ID == 0 {
		return s.next-1 > head
	}
	return o.Receipt.UpTo > head
}

// rewind takes back what a group has put into the batch.
func (s *sequencer) rewind(from int, mark rowsMark, first uint64, hash [32]byte) {
	for _, e := range s.batch.entries[from:] {
		if e.Account != nil || e.Define != nil {
			s.j.directory.Release(e)
		}
	}
	s.batch.entries, s.batch.sizes = s.batch.entries[:from], s.batch.sizes[:from]
	s.batch.rows.rewind(mark)
	s.window.truncate(first)
	s.next, s.hash = first, hash
}

// decideItem settles one command; rejected is what the caller's goroutine found, which stands if the key is new. first is the first
// sequence number of the command's group.
func (s *sequencer) decideItem(it *item, rejected Outcome, first uint64) Outcome {
	c, e := it.draft.Command, it.draft.Entry
	if it.known == nil && c.Key != "" {
		it.known = s.window.byKey(c.Key)
	}
	if it.known != nil && it.known.ID.Seq() >= first && it.known.Content != it.draft.Content {
		return Outcome{Err: ledger.Reject(ledger.ReasonKeyConflict, "key", "%q stands twice in this batch, with other content", c.Key)}
	}
	if it.known != nil {
		return repeatOf(it, s.lastWith(it.known))
	}
	if rejected.Err != nil {
		return rejected
	}
	if c.IsDefinition() {
		exists, rej := s.j.directory.Reserve(e)
		if rej != nil {
			return Outcome{Err: rej}
		}
		if exists {
			return Outcome{Receipt: Receipt{Entry: e, Repeat: true}}
		}
	}
	var target ledger.Life
	if targetOf(c) != nil {
		target = s.life(it)
	}
	entries, rej := s.j.cfg.Rules.Decide(s.room[:0], &it.draft, target, s.moment())
	s.room = entries
	if rej != nil {
		return Outcome{Err: rej}
	}
	s.append(entries)
	return Outcome{Receipt: Receipt{Entry: e, UpTo: s.next - 1}}
}

func (s *sequencer) moment() ledger.Moment {
	return ledger.Moment{Next: ledger.MakeID(s.j.cfg.Shard, s.next), Day: s.day, Books: s.j.directory}
}

// lastWith gives the last entry that was booked together with one: the settlement of a trade that was due already.
func (s *sequencer) lastWith(e *ledger.Entry) uint64 {
	seq := e.ID.Seq()
	if next := s.window.at(seq + 1); next != nil && next.Kind == ledger.KindSettle && next.Links.Trade == e.ID {
		return seq + 1
	}
	return seq
}

// life gives the trade that a command acts on, as of now: what the caller found and what was sequenced since.
func (s *sequencer) life(it *item) ledger.Life {
	life, target := it.target, targetOf(it.draft.Command)
	// What was booked with the key since goes before what was found by id.
	if booked := s.window.byKey(target.Key); booked != nil && booked.Kind.IsTrade() && (life == nil || life[0].ID != booked.ID) {
		life = ledger.Life{booked}
	}
	if life == nil && target.Trade != 0 && target.Trade.Shard() == s.j.cfg.Shard {
		if booked := s.window.at(target.Trade.Seq()); booked != nil && booked.Kind.IsTrade() {
			life = ledger.Life{booked}
		}
	}
	if life == nil {
		return nil
	}
	last := life[len(life)-1].ID.Seq()
	for _, seq := range s.window.trades[life[0].ID.Seq()] {
		if seq > last {
			life = append(life[:len(life):len(life)], s.window.at(seq))
		}
	}
	return life
}

// append puts entries, which have the next ids, into the batch.
func (s *sequencer) append(entries []*ledger.Entry) {
	for _, e := range entries {
		e.Epoch, e.BookedAt = s.t.epoch, s.lastTime
		for _, p := range e.Postings {
			if p.Account == 0 || p.Instrument == 0 {
				panic(fmt.Sprintf("journal: the rule of %s made a posting on account %d, instrument %d", e.Kind, p.Account, p.Instrument))
			}
		}
		hash, size := s.batch.rows.add(s.hash, e)
		e.Hash = hash
		s.batch.entries, s.batch.sizes = append(s.batch.entries, e), append(s.batch.sizes, size)
		s.window.push(e, size)
		s.next, s.hash, s.day = s.next+1, hash, s.day.After(e)
	}
}
