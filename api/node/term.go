package node

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/publisher"
)

const (
	reclaimPause = 5 * time.Second // before a stream that another publisher took is claimed again
	maxRepublish = 3               // in the life of a process: a broker that loses everything again and again needs a person
)

// lead runs what only the leader does, until the term ends.
func (n *node) lead(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := n.runner.Run(ctx); err != nil {
			n.log.Error("the projections don't run", "error", err)
		}
		n.log.Info("projections stopped")
	})
	wg.Go(func() {
		n.roller.Run(ctx)
		n.log.Info("day roll stopped")
	})
	if n.publisher != nil {
		wg.Go(func() {
			n.publish(ctx)
			n.log.Info("publisher stopped")
		})
	}
	wg.Wait()
}

// publish runs the publisher until the term ends, or until it needs a person. Booking goes on either way.
func (n *node) publish(ctx context.Context) {
	for ctx.Err() == nil && n.halted() == "" {
		err := n.publisher.Run(ctx)
		switch {
		case err == nil:
			return
		case errors.Is(err, publisher.ErrFenced):
			n.log.Warn("another publisher has the stream; claiming it again in a while, if this node still leads then", "error", err, "pause", reclaimPause)
			select {
			case <-ctx.Done():
			case <-time.After(reclaimPause):
			}
		case n.cfg.Republish && n.republished < maxRepublish && (errors.Is(err, publisher.ErrLost) || errors.Is(err, publisher.ErrDiverged)):
			n.republished++
			n.log.Warn("the stream in Kafka is not the journal's; its topics are made anew and everything is published again", "error", err)
			n.republish(ctx)
		default:
			n.halt(err)
		}
	}
}

// republish empties the stream; Run then publishes from the journal's beginning.
func (n *node) republish(ctx context.Context) {
	pause := firstPause
	for {
		err := n.publisher.Reset(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		n.log.Warn("could not make the topics anew, trying again", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// halt ends publishing for the life of the process.
func (n *node) halt(err error) {
	reason := err.Error()
	n.haltedBy.Store(&reason)
	n.haltedGauge.Set(1)
	n.log.Error("publishing is halted until this process is started again; booking goes on", "error", err)
}

// halted says why nothing is published any more; "" while all is well.
func (n *node) halted() string {
	if reason := n.haltedBy.Load(); reason != nil {
		return *reason
	}
	return ""
}

// halts is the part of a node that knows whether publishing has halted.
type halts struct {
	haltedBy    atomic.Pointer[string]
	haltedGauge prometheus.Gauge
}

// encodeEvent gives an event's value: the same bytes for the same entry, always.
func encodeEvent(e *ledger.Entry) ([]byte, error) {
	value, err := proto.MarshalOptions{Deterministic: true}.Marshal(&bkv1.Event{Entry: wire.Entry(e)})
	if err != nil {
		return nil, fmt.Errorf("encode the event of %s: %w", e.Key, err)
	}
	return value, nil
}
