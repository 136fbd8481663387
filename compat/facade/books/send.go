package books

import (
	"context"
	"errors"
	"net"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	"github.com/bkledger/bk/api/client"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankmap"
	"github.com/bkledger/bk/compat/facade/idle"
)

const (
	queued     = 4096    // single commands that wait for a batch
	batchCalls = 256     // single commands of one batch
	batchBytes = 4 << 20 // of a batch; BK takes 8 MiB
	// gatherFor is how long a batch waits for the one that is under way to end. BK commits one group after the other: what was sent meanwhile in small batches would
	// wait there, and cost more. A batch that is slow holds nobody up for longer.
	gatherFor = 10 * time.Millisecond

	// rollingFor is how long BK may take to say whether it rolls: one that is silent would keep a client waiting that has waited long enough.
	rollingFor = 2 * time.Second
	// leastTry is what a batch gets whose calls had to wait for others almost as long as they may.
	leastTry = time.Second

	minPause = 10 * time.Millisecond
	maxPause = 500 * time.Millisecond
)

// outcome is what became of a command: one of the three is there.
type outcome struct {
	receipt *bkv1.Receipt
	failure *bankmap.Failure // BK refused it for what it says
	err     error            // *bank.Error: outcome_unknown, or internal
}

// call is a single command on its way.
type call struct {
	ctx     context.Context
	command *bkv1.Command
	size    int
	since   time.Time // it waits
	done    chan outcome
}

// one books a command by itself, in a batch with others'.
func (b *Ledger) one(ctx context.Context, command *bkv1.Command) outcome {
	c := &call{ctx: ctx, command: command, size: proto.Size(command), since: time.Now(), done: make(chan outcome, 1)}
	nothing := outcome{err: bank.Errorf(bank.Internal, "BK did not take it in time; nothing was booked")}
	select {
	case <-b.stop:
		return nothing
	default:
	}
	select {
	case b.queue <- c:
	case <-ctx.Done():
		return nothing
	case <-b.stop:
		return nothing
	}
	select {
	case o := <-c.done:
		return o
	case <-ctx.Done():
		return outcome{err: unknown()}
	case <-b.ctx.Done():
	}
	select {
	case o := <-c.done:
		return o
	default:
		return outcome{err: unknown()}
	}
}

// takeTurn waits until no batch is under way, for gatherFor at most, and reports whether it is the sender's turn now.
func (b *Ledger) takeTurn() bool {
	select {
	case b.turn <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(gatherFor)
	defer timer.Stop()
	select {
	case b.turn <- struct{}{}:
		return true
	case <-timer.C:
	case <-b.stop:
	}
	return false
}

// sender takes what waits and sends it as one batch, again and again. While others wait for BK, the next batch grows.
func (b *Ledger) sender() {
	var first *call
	for {
		if first == nil {
			select {
			case first = <-b.queue:
			case <-b.stop:
				select {
				case first = <-b.queue: // what was handed over before
				default:
					return
				}
			}
		}
		turn := b.takeTurn()
		calls, bytes := append(make([]*call, 0, batchCalls), first), first.size
		first = nil
	more:
		for len(calls) < batchCalls {
			select {
			case c := <-b.queue:
				if bytes += c.size; bytes > batchBytes {
					first = c
					break more
				}
				calls = append(calls, c)
			default:
				break more
			}
		}
		b.sendCalls(calls)
		if turn {
			<-b.turn
		}
	}
}

func (b *Ledger) sendCalls(calls []*call) {
	commands := make([]*bkv1.Command, 0, len(calls))
	waiting, oldest := calls[:0], time.Now()
	for _, c := range calls {
		if c.ctx.Err() == nil { // nobody waits for the others, and they were not sent
			waiting, commands = append(waiting, c), append(commands, c.command)
			if c.since.Before(oldest) {
				oldest = c.since
			}
		}
	}
	if len(waiting) == 0 {
		return
	}
	if rolled := time.Unix(0, b.rolled.Load()); rolled.After(oldest) {
		oldest = rolled // what they waited for till then was a roll
	}
	for i, o := range b.send(b.ctx, bkv1.BatchMode_BATCH_MODE_EACH, commands, oldest) {
		waiting[i].done <- o
	}
}

// send sends a batch until it is decided, with growing pauses, for RetryFor at most since began (the last try is cut off then, a first one has
// leastTry in any case), or until a roll that is under way ends. Of an atomic one that is refused all outcomes are the failure of the
// command that failed first.
func (b *Ledger) send(ctx context.Context, mode bkv1.BatchMode, commands []*bkv1.Command, began time.Time) []outcome {
	outcomes := make([]outcome, len(commands))
	open := make([]int, len(commands)) // commands that are not decided
	for i := range open {
		open[i] = i
	}
	pause, until := minPause, time.Now().Add(leastTry)
	mayBe := make([]bool, len(commands)) // booked by a try whose answer was lost
	for {
		rest := commands
		if len(open) < len(commands) {
			rest = make([]*bkv1.Command, len(open))
			for n, i := range open {
				rest[n] = commands[i]
			}
		}
		open = b.try(ctx, mode, rest, open, outcomes, mayBe, latest(began.Add(b.cfg.RetryFor), until))
		if len(open) == 0 {
			return outcomes
		}
		if once(ctx) {
			break
		}
		if time.Since(began)+pause >= b.cfg.RetryFor {
			if !b.rolling(ctx) {
				break
			}
			began = time.Now()
		}
		if !idle.For(ctx, pause) {
			break
		}
		pause = min(2*pause, maxPause)
	}
	for _, i := range open {
		b.cfg.Log.WarnContext(ctx, "BK did not decide a booking in time", "key", commands[i].Key, "may_be_booked", mayBe[i])
		outcomes[i].err = bank.Errorf(bank.Internal, "BK is not available; nothing was booked")
		if mayBe[i] {
			outcomes[i].err = unknown()
		}
	}
	return outcomes
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// rolling reports whether BK is rolling the business date, as far as it says.
func (b *Ledger) rolling(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, min(b.cfg.ReadFor, rollingFor))
	defer cancel()
	day, err := b.cfg.Client.Query.GetBusinessDate(ctx, connect.NewRequest(&bkv1.GetBusinessDateRequest{}))
	rolling := err == nil && day.Msg.Rolling
	if rolling {
		b.rolled.Store(time.Now().UnixNano())
	}
	return rolling
}

// try sends a batch once, until an instant at most, and gives the places of the commands that are still to be decided.
func (b *Ledger) try(ctx context.Context, mode bkv1.BatchMode, commands []*bkv1.Command, places []int, outcomes []outcome, mayBe []bool, until time.Time) (open []int) {
	ctx, cancel := context.WithTimeout(ctx, min(b.cfg.CallTimeout, time.Until(until)))
	defer cancel()
	answer, err := b.cfg.Client.Booking.BookBatch(ctx, connect.NewRequest(&bkv1.BookBatchRequest{Mode: mode, Commands: commands}))
	if err == nil && len(answer.Msg.Results) != len(commands) {
		err = connect.NewError(connect.CodeInternal, errors.New("an answer of another length"))
	}
	if err != nil {
		again, nothing := client.Retryable(err), nothingBooked(err)
		for _, i := range places {
			switch {
			case again:
				mayBe[i] = mayBe[i] || !nothing
			case client.Detail(err) != nil && client.Reason(err) != "internal":
				failure := bankmap.FailureOf(client.Detail(err))
				outcomes[i].failure = &failure
			default:
				b.cfg.Log.ErrorContext(ctx, "a booking failed in BK", "error", client.Describe(err))
				outcomes[i].err = bank.Errorf(bank.Internal, "a fault of BK; nothing was booked")
				if mayBe[i] {
					outcomes[i].err = unknown()
				}
			}
		}
		if again {
			return places
		}
		return nil
	}
	open = places[:0:0]
	for n, result := range answer.Msg.Results {
		i := places[n]
		detail := result.GetError().GetDetail()
		switch {
		case result.GetReceipt() != nil:
			outcomes[i].receipt = result.GetReceipt()
		case client.RetryableReason(detail.GetReason()):
			mayBe[i] = mayBe[i] || detail.GetReason() == client.ReasonOutcomeUnknown
			open = append(open, i)
		case detail.GetReason() == "internal":
			outcomes[i].err = bank.Errorf(bank.Internal, "a fault of BK; nothing was booked")
		default:
			failure := bankmap.FailureOf(detail)
			outcomes[i].failure = &failure
		}
	}
	return open
}

// nothingBooked reports whether a call that may be tried again certainly did nothing.
func nothingBooked(err error) bool {
	switch client.Reason(err) {
	case "overloaded", "not_leader", "unavailable":
		return true
	case "":
		var dial *net.OpError
		return errors.As(err, &dial) && dial.Op == "dial"
	}
	return false
}

func unknown() *bank.Error {
	return bank.Errorf(bank.OutcomeUnknown, "it may be booked or not: send the same again to learn")
}
