package owner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

// Status is how the topics' ownership stood at the latest look.
type Status struct {
	At      time.Time  `json:"at"`      // of the look; zero before the first
	Epoch   int64      `json:"epoch"`   // the façade's; 0 before its first
	Mode    mode.Mode  `json:"mode"`    //
	Stream  bool       `json:"stream"`  // the stream has Bank's topics
	Base    int64      `json:"base"`    // of its event ids there
	Relay   bank.Relay `json:"relay"`   // Bank's
	Waiting string     `json:"waiting"` // what a change of hands that is not complete waits for; "" if there is none
	Error   string     `json:"error"`   // why the look failed; "" if it did not
}

// Status gives it.
func (o *Owner) Status() Status {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.status
}

// Run looks after Bank's relay until ctx ends: where a step has held it and is over, it lets it go on at the topics that the façade's epoch says. Nothing but ctx's end ends it, with nil.
func (o *Owner) Run(ctx context.Context) error {
	defer o.progress.close()
	for ctx.Err() == nil {
		st, err := o.reconcile(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if st.At = time.Now(); err != nil {
			st.Error = err.Error()
		}
		o.mu.Lock()
		was := o.status
		o.status = st
		o.mu.Unlock()
		if st.Error != "" && st.Error != was.Error {
			o.cfg.Log.Warn("Bank's relay can't be looked after, it is tried again", "error", err)
		}
		if st.Waiting != "" && was.Waiting == "" {
			o.cfg.Log.Info("Bank's relay is held", "from_event", st.Relay.From, "waiting", st.Waiting)
		}
		select {
		case <-ctx.Done():
		case <-time.After(o.cfg.Poll):
		}
	}
	return nil
}

// reconcile looks once, and lets the relay go on if it is time.
func (o *Owner) reconcile(ctx context.Context) (st Status, err error) {
	const within = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	history, latest, err := mode.Outlook(ctx, o.cfg.Pool)
	if err != nil || len(history) == 0 {
		return st, err
	}
	now := history[len(history)-1]
	st = Status{Epoch: now.Epoch, Mode: now.Mode, Stream: now.Stream, Base: now.EventID}
	attempt := int64(0)
	if latest != nil {
		attempt = latest.ID
	}
	if st.Relay, err = o.cfg.Bank.Relay(ctx); err != nil {
		if bank.TypeOf(err) == bank.NotFound && len(parts(history)) == 0 { // the topics have never changed hands, and can't
			return st, nil
		}
		return st, fmt.Errorf("Bank's relay: %w", err)
	}
	prefix := now.BankPrefix()
	switch {
	case latest != nil && latest.Ended == nil:
		st.Waiting = fmt.Sprintf("the step to %s is under way", latest.To)
		return st, nil
	case !st.Relay.Held && st.Relay.Prefix != prefix:
		return st, fmt.Errorf("Bank's relay publishes to %sbank.*, in epoch %d it should to %sbank.*; somebody else has set it", st.Relay.Prefix, now.Epoch, prefix)
	case !st.Relay.Held:
		return st, nil
	case prefix == "" && st.Relay.Before != prefix:
		all := parts(history)
		if len(all) == 0 {
			return st, errors.New("Bank's relay was held for a façade with another history")
		}
		if st.Waiting, err = o.published(ctx, all[len(all)-1].last); err != nil || st.Waiting != "" {
			return st, err
		}
	}
	relay, err := o.cfg.Bank.SetRelay(ctx, bank.RelaySetting{Epoch: mode.RelayRelease(attempt), Prefix: prefix})
	if err != nil {
		return st, fmt.Errorf("let Bank's relay go on: %w", err)
	}
	o.cfg.Log.Info("Bank's relay goes on", "topics", prefix+"bank.*", "from_event", relay.From, "epoch", now.Epoch)
	st.Relay = relay
	return st, nil
}
