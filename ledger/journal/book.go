package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bkledger/bk/ledger"
)

// BookOptions say how commands that come together are treated.
type BookOptions struct {
	// Atomic: all or none. Otherwise each stands on its own.
	Atomic bool
	// Wait: wait for room in the queue, until the context ends, instead of answering ErrOverloaded at once.
	Wait bool

	roll bool // the commands are the roll's own
}

// Receipt is the answer to a command that is booked.
type Receipt struct {
	// Entry is the entry as journaled; for a definition that was there already, what it defines (without the entry's own id).
	Entry *ledger.Entry
	// UpTo is the sequence number of the last entry that came of the command: a settlement may follow a trade that is booked late. A read that is at least
	// there sees all of it.
	UpTo uint64
	// Repeat: the key was known, with the same content. Nothing was booked now; Entry is the first answer.
	Repeat bool
}

// Outcome is a receipt, or why there is none: a *ledger.Rejection or one of this package's errors.
type Outcome struct {
	Receipt Receipt
	Err     error
}

// Pending are commands on their way.
type Pending struct {
	items    []item
	outcomes []Outcome
	atomic   bool
	asOf     uint64 // what items know of earlier entries is right up to here
	queuedAt time.Time
	release  func() // gives back the room in the queue
	done     chan struct{}
}

// item is one command, ready for the sequencer.
type item struct {
	draft   ledger.Draft
	known   *ledger.Entry // the committed entry with this key
	target  ledger.Life   // the trade that the command acts on
	settled bool          // the outcome stands already
}

// Done is closed when all outcomes are there.
func (p *Pending) Done() <-chan struct{} { return p.done }

// Wait gives the outcomes in the order of the commands. If ctx ends before, all are ErrOutcomeUnknown; the commands go their way.
func (p *Pending) Wait(ctx context.Context) []Outcome {
	select {
	case <-p.done:
		return p.outcomes
	case <-ctx.Done():
	}
	select {
	case <-p.done:
		return p.outcomes
	default:
	}
	unknown := make([]Outcome, len(p.outcomes))
	for i := range unknown {
		unknown[i].Err = fmt.Errorf("%w: %w", ErrOutcomeUnknown, ctx.Err())
	}
	return unknown
}

// Book books commands and waits for the outcomes, which are in the order of the commands.
func (j *Journal) Book(ctx context.Context, commands []*ledger.Command, opt BookOptions) []Outcome {
	return j.BookAsync(ctx, commands, opt).Wait(ctx)
}

// BookAsync books commands without waiting for the outcomes. Commands are normalised in place and must not be changed afterwards.
// What one caller gives in sequence is sequenced in that order. While a roll is under way it waits for the roll's end.
func (j *Journal) BookAsync(ctx context.Context, commands []*ledger.Command, opt BookOptions) *Pending {
	p := &Pending{
		items: make([]item, len(commands)), outcomes: make([]Outcome, len(commands)), atomic: opt.Atomic, done: make(chan struct{}),
	}
	if !j.Leading() {
		return p.fail(ErrNotLeader)
	}
	if len(commands) > ledger.MaxBatch {
		return p.fail(ledger.Reject(ledger.ReasonTooLarge, "commands", "%d commands, %d are allowed", len(commands), ledger.MaxBatch))
	}
	if opt.roll {
		return j.submit(ctx, p, commands)
	}
	for i, c := range commands {
		if c.Kind.IsInternal() {
			return p.fail(ledger.Reject(ledger.ReasonInvalid, fmt.Sprintf("commands[%d].kind", i), "a %s is booked by the ledger itself", c.Kind))
		}
	}
	if err := j.admit(ctx, p, commands, opt.Wait); err != nil {
		return p.fail(err)
	}
	if err := j.gate.Acquire(ctx, 1); err != nil {
		return p.fail(fmt.Errorf("%w: a roll of the business date is under way: %w", ErrUnavailable, err))
	}
	defer j.gate.Release(1)
	return j.submit(ctx, p, commands)
}

// admit takes the commands' weight from what may be in flight.
func (j *Journal) admit(ctx context.Context, p *Pending, commands []*ledger.Command, wait bool) error {
	units := int64(len(commands))
	for _, c := range commands {
		if c.Target != nil {
			units += weightOfTarget
		}
		if c.Replaces != nil {
			units += weightOfReplaces
		}
		size := len(c.Postings) * 64
		for _, pairs := range []map[string]string{c.Metadata, c.Fields} {
			for name, value := range pairs {
				size += len(name) + len(value)
			}
		}
		units += int64(size / unitBytes)
	}
	if units > int64(j.cfg.MaxInFlight) {
		return ledger.Reject(ledger.ReasonTooLarge, "commands", "they weigh %d units, %d may be in flight", units, j.cfg.MaxInFlight)
	}
	if !wait && !j.inFlight.TryAcquire(units) {
		j.metrics.refused.Add(float64(len(commands)))
		return ErrOverloaded
	}
	if wait {
		if err := j.inFlight.Acquire(ctx, units); err != nil {
			return fmt.Errorf("%w: %w", ErrOverloaded, err)
		}
	}
	j.metrics.inFlight.Add(float64(units))
	p.release = func() {
		j.metrics.inFlight.Sub(float64(units))
		j.inFlight.Release(units)
	}
	return nil
}

// submit prepares the commands in the caller's goroutine and puts them into the queue.
func (j *Journal) submit(ctx context.Context, p *Pending, commands []*ledger.Command) *Pending {
	if err := j.prepare(ctx, p, commands); err != nil {
		return p.fail(err)
	}
	if p.ready() {
		j.metrics.count(p)
		return p.finish()
	}
	p.queuedAt = time.Now()
	if err := j.enqueue(p); err != nil {
		return p.fail(err)
	}
	return p
}

// ready reports whether the caller's goroutine could settle everything: only rejections and repeats of committed entries.
func (p *Pending) ready() bool {
	for i := range p.items {
		if it := &p.items[i]; !it.settled {
			return false
		}
	}
	if p.atomic {
		p.rejectGroup()
	}
	return true
}

// rejectGroup turns the outcomes of an atomic group with a fault into rejections all.
func (p *Pending) rejectGroup() {
	faulty := false
	for i := range p.outcomes {
		faulty = faulty || p.outcomes[i].Err != nil
	}
	for i := range p.outcomes {
		if faulty && p.outcomes[i].Err == nil {
			p.outcomes[i] = Outcome{Err: ErrGroupRejected}
		}
	}
}

func (p *Pending) fail(err error) *Pending {
	for i := range p.outcomes {
		p.outcomes[i] = Outcome{Err: err}
	}
	return p.finish()
}

// abandon answers a group whose batch is not booked, or never came to one. What the caller's goroutine settled stands; of a repeat of an
// entry that was on its way itself it is not known here whether that entry is booked.
func (p *Pending) abandon(err error) {
	for i := range p.outcomes {
		switch {
		case p.items[i].settled && !p.atomic:
		case p.outcomes[i].Receipt.Repeat:
			p.outcomes[i] = Outcome{Err: ErrOutcomeUnknown}
		default:
			p.outcomes[i] = Outcome{Err: err}
		}
	}
	p.finish()
}

func (p *Pending) finish() *Pending {
	p.items = nil
	if p.release != nil {
		p.release()
	}
	close(p.done)
	return p
}

// openHouse opens house accounts that rules need and that are not there yet. Afterwards all are there, opened by us or by another.
func (j *Journal) openHouse(ctx context.Context, codes []string) error {
	p := &Pending{items: make([]item, len(codes)), outcomes: make([]Outcome, len(codes)), done: make(chan struct{})}
	commands := make([]*ledger.Command, len(codes))
	for i, code := range codes {
		commands[i] = ledger.HouseAccount(code)
	}
	var errs []error
	for i, o := range j.submit(ctx, p, commands).Wait(ctx) {
		if rej := ledger.AsRejection(o.Err); rej != nil && rej.Reason == ledger.ReasonAccountExists {
			continue // opened by somebody else and named otherwise: the code is what counts
		}
		if o.Err != nil {
			errs = append(errs, fmt.Errorf("open account %s: %w", codes[i], o.Err))
		}
	}
	return errors.Join(errs...)
}
