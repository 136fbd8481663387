package books_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/books"
)

// frozen is a way to a server that can stop as a process does that is stopped: connections stay, and are taken, and nothing comes.
func frozen(t *testing.T, address string) (at string, stopped *atomic.Bool) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stopped = &atomic.Bool{}
	var mu sync.Mutex
	var open []net.Conn
	t.Cleanup(func() {
		listener.Close()
		mu.Lock()
		defer mu.Unlock()
		for _, c := range open {
			c.Close()
		}
	})
	pass := func(to, from net.Conn) {
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			if stopped.Load() {
				_, _ = io.Copy(io.Discard, from)
				return
			}
			if err == nil {
				_, err = to.Write(buffer[:n])
			}
			if err != nil {
				to.Close()
				return
			}
		}
	}
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", address)
			if err != nil {
				c.Close()
				continue
			}
			mu.Lock()
			open = append(open, c, server)
			mu.Unlock()
			go pass(server, c)
			go pass(c, server)
		}
	}()
	return listener.Addr().String(), stopped
}

// TestSilentBK: a BK that is stopped keeps nobody waiting for longer than is said, however many wait behind each other.
func TestSilentBK(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	at, stopped := frozen(t, w.server.api)
	c, err := client.New("http://" + at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	const retryFor = 2 * time.Second
	l, err := books.New(books.Config{Client: c, Pool: w.pool, IDs: w.ids, RetryFor: retryFor, ReadFor: time.Second, CallTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	if _, err := l.BookTrades(ctx, []bank.Trade{w.trade("")}); err != nil {
		t.Fatal(err)
	}
	stopped.Store(true)
	began := time.Now()
	var wg sync.WaitGroup
	for n := range 24 {
		trades := []bank.Trade{w.trade("")}
		if n%8 == 7 {
			trades = append(trades, w.trade(""))
		}
		wg.Go(func() {
			if _, err := l.BookTrades(ctx, trades); bank.TypeOf(err) != bank.OutcomeUnknown {
				t.Errorf("booking %d: %v; want outcome_unknown", n, err)
			}
			if took := time.Since(began); took > retryFor+8*time.Second { // five, and what a loaded machine takes
				t.Errorf("booking %d was answered after %s", n, took)
			}
		})
	}
	wg.Go(func() {
		if _, err := l.BusinessDate(ctx); err == nil {
			t.Error("a stopped BK was read")
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("a read was answered after %s", took)
		}
	})
	wg.Wait()
	t.Logf("all were answered within %s", time.Since(began).Round(time.Millisecond))
}
