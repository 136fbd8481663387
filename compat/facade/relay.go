package facade

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

// relayPoll is how often a replica looks whether a step has left Bank's relay held.
const relayPoll = time.Second

// spareEntries is how many entries BK's own users may book, between the look at its journal's end and the commit of a step back, without the step being given up.
const spareEntries = 1000

// takes reports whether the stream gets Bank's topics by a step, gives whether Bank gets them back: only then is Bank's relay touched.
func (s *Service) takes(step mode.Step) bool {
	return s.cfg.Stream && step.To.Primary() == mode.BK && step.From.Mode.Primary() != mode.BK
}

func gives(step mode.Step) bool { return step.From.Stream && step.To.Primary() == mode.Bank }

// lastEventID is the last event id that the stream may have given for BK's journal up to a sequence.
func lastEventID(base, sequence int64) int64 { return base + 2*sequence + 1 }

// readyRelay finds out whether Bank's relay can be held for a step.
func (s *Service) readyRelay(ctx context.Context, step mode.Step) error {
	if !s.takes(step) && !gives(step) {
		return nil
	}
	relay, err := s.bank.Relay(ctx)
	switch {
	case bank.TypeOf(err) == bank.NotFound:
		return errors.New("Bank has no relay that can be held (GET /relay), so its topics can't change hands: without --stream they stay with it")
	case err != nil:
		return fmt.Errorf("Bank's relay: %w", err)
	case relay.Held && step.From.Mode == "" && relay.Epoch == mode.RelayHold(0): // an earlier first start
		return nil
	case relay.Held:
		return fmt.Errorf("Bank's relay is still held from event %s on, for an earlier step: the stream (hotswap stream) lets it go on; does it run, and is it near?", relay.From)
	case relay.Prefix != step.From.BankPrefix():
		return fmt.Errorf("Bank's relay publishes to %sbank.*, not to %sbank.* as this mode has it", relay.Prefix, step.From.BankPrefix())
	case relay.FirstUnsent != 0:
		return fmt.Errorf("Bank's relay has not sent event %s, from before the topics last changed hands", relay.FirstUnsent)
	}
	return nil
}

// holdRelay holds Bank's relay behind all that Bank has done, where its topics change hands. Writes are held, and the other system has all. Should the step fail, whoever looks
// after the relay (package bankstream/owner) lets it go on as before.
func (s *Service) holdRelay(ctx context.Context, step mode.Step) error {
	setting := bank.RelaySetting{Epoch: mode.RelayHold(step.Attempt), Held: true}
	switch {
	case s.takes(step):
	case gives(step):
		head, err := s.head(ctx)
		if err != nil {
			return err
		}
		setting.Floor = bank.ID(lastEventID(step.From.EventID, head+spareEntries))
	default:
		return nil
	}
	if _, err := s.bank.SetRelay(ctx, setting); err != nil {
		return fmt.Errorf("hold Bank's relay: %w", err)
	}
	return nil
}

// handOver says who has the topics from a step on, and how event ids go on there. head is the end of BK's journal. It fails unless Bank's relay is held for this very attempt.
func (s *Service) handOver(ctx context.Context, step mode.Step, b *mode.Bases, head int64) error {
	if !s.takes(step) && !gives(step) {
		return nil
	}
	if step.From.Mode == "" { // nothing was drained: there is no load yet
		if err := s.holdRelay(ctx, step); err != nil {
			return err
		}
	}
	relay, err := s.bank.Relay(ctx)
	if err != nil {
		return fmt.Errorf("Bank's relay: %w", err)
	}
	if !relay.Held || relay.Epoch != mode.RelayHold(step.Attempt) {
		return errors.New("Bank's relay was let go on meanwhile")
	}
	if b.Stream = s.takes(step); b.Stream {
		b.EventID = int64(relay.From) - 2*(head+1)
		return nil
	}
	if last := lastEventID(b.EventID, head); last > int64(relay.Floor) {
		return fmt.Errorf("BK's journal has gone on by more than %d entries meanwhile", spareEntries)
	}
	return nil
}
