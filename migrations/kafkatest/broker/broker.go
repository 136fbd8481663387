package broker

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/migrations/child"
)

const (
	startTimeout = 90 * time.Second // Apache Kafka on two busy cores takes 5 to 15
	stopTimeout  = 60 * time.Second
	logTailBytes = 8 << 10
)

// Broker is a broker's process. Its methods may be called from any goroutine.
type Broker struct {
	addr    string
	log     string // file for its output
	command func() *exec.Cmd

	mu    sync.Mutex
	child *child.Child // nil before the first start
}

// New starts a broker on an empty folder below dir: Apache Kafka from the jars in home, or the in-process one where home is empty.
// A broker that didn't come up is given together with the error, for its log; it doesn't run.
func New(ctx context.Context, home, dir string) (*Broker, error) {
	var b *Broker
	var err error
	for range 3 { // somebody may take the port between our look and the broker's
		sub, e := os.MkdirTemp(dir, "kafka-")
		if e != nil {
			return nil, fmt.Errorf("make the broker's folder: %w", e)
		}
		b = &Broker{log: filepath.Join(sub, "broker.log")}
		if home == "" {
			err = b.embedded(sub)
		} else {
			err = b.apache(ctx, home, sub)
		}
		if err != nil {
			return b, err
		}
		if err = b.Start(ctx); err == nil || ctx.Err() != nil {
			return b, err
		}
	}
	return b, err
}

// Addr is the bootstrap address, "127.0.0.1:port".
func (b *Broker) Addr() string { return b.addr }

// Start starts the broker again after Kill or Stop, and returns when it answers requests. After an error it doesn't run.
func (b *Broker) Start(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.child != nil && b.child.Running() {
		return fmt.Errorf("the broker at %s is running", b.addr)
	}
	var err error
	if b.child, err = child.Start(b.command(), b.log); err != nil {
		b.child = nil
		return err
	}
	if err := awaitReady(ctx, b.addr, b.child.Gone()); err != nil {
		b.child.Kill()
		return err
	}
	return nil
}

// Kill ends the broker's process with SIGKILL and returns when it is gone.
func (b *Broker) Kill() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.child != nil {
		b.child.Kill()
	}
}

// Stop ends the broker's process in order.
func (b *Broker) Stop() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.child == nil || !b.child.Running() {
		return nil
	}
	if err := b.child.Stop(stopTimeout); err != nil {
		return fmt.Errorf("stopping the broker at %s: %w", b.addr, err)
	}
	return nil
}

// LogTail gives the end of what the broker said.
func (b *Broker) LogTail() string { return child.Tail(b.log, logTailBytes) }

// awaitReady waits until the broker at addr answers and counts itself among the cluster's brokers, or is gone.
func awaitReady(ctx context.Context, addr string, gone <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.RetryBackoffFn(func(int) time.Duration { return 50 * time.Millisecond }))
	if err != nil {
		return err
	}
	defer c.Close()
	adm := kadm.NewClient(c)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		meta, err := adm.BrokerMetadata(try)
		cancel()
		if err == nil && len(meta.Brokers) > 0 && meta.Controller >= 0 {
			return nil
		}
		select {
		case <-gone:
			return fmt.Errorf("the broker at %s ended while it started", addr)
		case <-ctx.Done():
			return fmt.Errorf("the broker at %s doesn't answer: %w", addr, cmp.Or(err, ctx.Err()))
		case <-tick.C:
		}
	}
}
