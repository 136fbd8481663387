package bankstream

import (
	"context"
	"time"

	"github.com/bkledger/bk/compat/bankstream/rehydrate"
	"github.com/bkledger/bk/compat/bankstream/state"
)

// Phase is what a partition is doing.
type Phase string

// The phases of a partition.
const (
	Restoring Phase = "restoring" // its state is read
	Running   Phase = "running"
	Waiting   Phase = "waiting"  // what it needs is away: it is tried again
	Poisoned  Phase = "poisoned" // it stands at an event that can't be told: a person must see to it
	Lost      Phase = "lost"     // it stands since its history is lost: see [ErrLost]
)

// partition is one that is assigned to this instance, for as long as it is. Its fields but state are guarded by the session's mutex; state is the loop's once it is there.
type partition struct {
	id     int32
	cancel context.CancelFunc
	group  chan committed // what the group has, once

	phase Phase
	since time.Time
	err   error
	at    int64 // the offset at which it stands

	restored bool // the loop is to begin
	state    *state.Partition
	reader   rehydrate.Reader // whoever translates has it
	view     view
	end      int64         // offset behind all that Kafka has committed
	retryAt  time.Time     // while it waits
	backoff  time.Duration // the next pause
	refused  *refusal      // an event whose output Kafka refuses
	skip     *skipping     // what a person wants to be left out
}

// view is what is shown of a state.
type view struct {
	position         state.Position
	holdings, trades int
	skips            []state.Skip
	skipped          int64
}

// committed is a partition's offset in the group; -1 where there is none. start is where a restore may begin.
type committed struct{ offset, start int64 }

// refusal is an event that gave a record which Kafka doesn't take.
type refusal struct {
	offset int64
	err    error
}

// skipping is a call of [Service.Skip].
type skipping struct {
	offset   int64
	who, why string
	poison   string
	done     chan error
}

// enter says what a partition does. The session's mutex is held.
func (p *partition) enter(phase Phase, err error) {
	if p.phase != phase {
		p.phase, p.since = phase, time.Now()
	}
	p.err = err
}

// look takes what is shown of the state. The session's mutex is held.
func (p *partition) look() {
	p.view.position = p.state.Position()
	p.view.holdings, p.view.trades = p.state.Sizes()
	p.view.skips, p.view.skipped = p.state.Skips()
}
