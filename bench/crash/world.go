package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/migrations/child"
	"github.com/bkledger/bk/migrations/embedded"
	"github.com/bkledger/bk/migrations/kafkatest/broker"
)

// world is all that is killed: Postgres, a broker, and up to two servers. It is one goroutine's, apart from what it says otherwise.
type world struct {
	dir      string
	postgres *embedded.Postgres
	proxy    *proxy // the servers' way to it
	broker   *broker.Broker
	servers  []*server
}

const statusPoll = 20 * time.Millisecond

// newWorld starts everything, with one server. What was started is in the answer after an error, too.
func newWorld(ctx context.Context, bk, kafkaHome string) (*world, error) {
	dir, err := os.MkdirTemp("", "bk-crash-")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir}
	w.postgres, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: filepath.Join(dir, "postgres"), Durable: true, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return w, err
	}
	if w.broker, err = broker.New(ctx, kafkaHome, dir); err != nil {
		return w, fmt.Errorf("start the broker: %w", err)
	}
	var dsn string
	if w.proxy, dsn, err = through(w.postgres.DSN()); err != nil {
		return w, err
	}
	for _, name := range []string{"serve-a", "serve-b"} {
		s, err := newServer(name, bk, dir, dsn, w.broker.Addr())
		if err != nil {
			return w, err
		}
		w.servers = append(w.servers, s)
	}
	if err := w.servers[0].start(); err != nil {
		return w, err
	}
	return w, w.await(ctx, "a first server to lead", func(ctx context.Context) (bool, string) {
		leads, _ := w.leader(ctx)
		return leads != nil && leads.ready(), "none says so" // one that is slow to lead stands by first
	})
}

// await waits until done says so; its second result says what is missing. A process that ends by itself meanwhile is an error.
func (w *world) await(ctx context.Context, what string, done func(context.Context) (bool, string)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		ok, missing := done(ctx)
		if ok {
			return nil
		}
		for _, s := range w.servers {
			if err := s.fault(); err != nil {
				return err
			}
		}
		if err := pause(ctx, statusPoll); err != nil {
			if errors.Is(err, context.DeadlineExceeded) {
				return fmt.Errorf("waited %s for %s: %s", patience, what, missing)
			}
			return err
		}
	}
}

// leader gives the server that leads, nil if none says so.
func (w *world) leader(ctx context.Context) (*server, *bkv1.StatusResponse) {
	for _, s := range w.servers {
		if s.process() == nil {
			continue
		}
		if status, err := s.status(ctx); err == nil && status.Leading {
			return s, status
		}
	}
	return nil, nil
}

// running gives the server that should run; there is one between faults.
func (w *world) running() *server {
	for _, s := range w.servers {
		if s.process() != nil {
			return s
		}
	}
	return w.servers[0]
}

// other gives the server that is not s.
func (w *world) other(s *server) *server {
	if w.servers[0] == s {
		return w.servers[1]
	}
	return w.servers[0]
}

// caughtUp reports whether the leader's projections and publisher have come to a sequence, and if not, what has not.
func (w *world) caughtUp(ctx context.Context, head uint64) (bool, string) {
	_, status := w.leader(ctx)
	if status == nil {
		return false, "no server leads"
	}
	for _, p := range status.Projections {
		if p.Sequence < int64(head) {
			return false, fmt.Sprintf("projection %s is at %d of %d %s", p.Name, p.Sequence, head, p.Trouble)
		}
	}
	if at := status.Publisher.GetSequence(); at < int64(head) {
		return false, fmt.Sprintf("the publisher is at %d of %d", at, head)
	}
	return true, ""
}

// end ends what still runs, at once, and removes the folder unless it is to be kept.
func (w *world) end(keep bool) error {
	var errs []error
	for _, s := range w.servers {
		s.kill()
	}
	if w.proxy != nil {
		errs = append(errs, w.proxy.close())
	}
	if w.broker != nil {
		w.broker.Kill()
	}
	if w.postgres != nil {
		errs = append(errs, w.postgres.Kill()) // a clean end writes a checkpoint, for nobody
	}
	if !keep {
		errs = append(errs, os.RemoveAll(w.dir))
	}
	return errors.Join(errs...)
}

// showLogs prints the ends of all logs.
func (w *world) showLogs(to io.Writer) {
	const size = 6 << 10
	for _, s := range w.servers {
		if _, err := os.Stat(s.log()); err == nil {
			fmt.Fprintf(to, "--- the end of %s:\n%s", s.log(), child.Tail(s.log(), size))
		}
	}
	if w.broker != nil {
		fmt.Fprintf(to, "--- the end of the broker's log:\n%s", w.broker.LogTail())
	}
	if w.postgres != nil {
		fmt.Fprintf(to, "--- the end of %s:\n%s", w.postgres.LogFile(), child.Tail(w.postgres.LogFile(), size))
	}
}
