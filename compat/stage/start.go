package stage

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank/front"
)

// startTimeout is how long a system may take to start, or to end, on a busy machine.
const startTimeout = time.Minute

// local is a free port.
const local = "127.0.0.1:0"

// Log gives the test's own log, from warnings on; it goes on after the test, when what was started ends.
func Log(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// Await runs a service until stop is called or the test ends, and gives its addresses once it is ready. stop waits for its end.
func Await[A any](t testing.TB, name string, run func(ctx context.Context, ready func(A)) error) (at A, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	addresses, ended := make(chan A, 1), make(chan error, 1)
	go func() { ended <- run(ctx, func(a A) { addresses <- a }) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%s ended with: %v", name, err)
			}
		case <-time.After(startTimeout):
			t.Errorf("%s did not end within %s", name, startTimeout)
		}
	})
	t.Cleanup(stop)
	select {
	case at = <-addresses:
		return at, stop
	case err := <-ended:
		ended <- nil
		t.Fatalf("%s does not start: %v", name, err)
	case <-time.After(startTimeout):
		t.Fatalf("%s is not ready after %s", name, startTimeout)
	}
	panic("not reached")
}

// background runs something until the test ends.
func background(t testing.TB, run func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

// serve gives the base URL of a handler that is served until the test ends.
func serve(t testing.TB, handler http.Handler) string {
	t.Helper()
	listener, err := net.Listen("tcp", local)
	if err != nil {
		t.Fatal(err)
	}
	server := front.Server(handler)
	server.ErrorLog = slog.NewLogLogger(Log(t).Handler(), slog.LevelWarn)
	go server.Serve(listener) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String()
}
