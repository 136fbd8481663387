package node_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bkledger/bk/api/client"
	"github.com/bkledger/bk/migrations/child"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

// takeover is what the promise allows from a kill -9 until the standby books (P8; the issue says 10 s).
const takeover = 10 * time.Second

// The leader is killed under load: the standby books within 10 seconds, and has all that was acknowledged.
func TestStandbyTakesOver(t *testing.T) {
	t.Parallel()
	broker, dsn := kafkatest.New(t), pgtest.New(t)
	cfg := testConfig(t, dsn, broker.Addr())
	cfg.Log = nil
	process, first := startProcess(t, cfg)
	_, second := startProcess(t, cfg)
	first.define(t)
	if !first.leads(t.Context()) || second.leads(t.Context()) {
		t.Fatal("the first should lead, the second stand by")
	}
	if status, body := get(t, second.metrics+"/readyz"); status != http.StatusOK || !strings.HasPrefix(body, "standby at ") {
		t.Errorf("the standby's readyz: %d %s", status, body)
	}
	if _, err := second.book(t.Context(), "100001/wrong"); client.Reason(err) != "not_leader" {
		t.Errorf("a booking at the standby: %v", err)
	}

	acknowledged := make([][]string, 8)
	var wg sync.WaitGroup
	busy := make(chan struct{}, len(acknowledged))
	for i := range acknowledged {
		wg.Go(func() {
			for k := 0; ; k++ {
				key := fmt.Sprintf("100001/%d-%d", i, k)
				if _, err := first.book(context.Background(), key); err != nil {
					return
				}
				if acknowledged[i] = append(acknowledged[i], key); k == 20 {
					busy <- struct{}{}
				}
			}
		})
	}
	for range acknowledged {
		<-busy
	}
	if err := process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	eventually(t, takeover, "the standby books", func() bool {
		_, err := second.book(t.Context(), "100001/after")
		return err == nil
	})
	t.Logf("the standby booked %s after the kill", time.Since(killed))
	wg.Wait()
	for _, keys := range acknowledged {
		for _, key := range keys {
			if !second.has(t, key) {
				t.Errorf("%s was acknowledged and is not there", key)
			}
		}
	}
	awaitEvent(t, broker.Addr(), "100001/after")
	second.verified(t)
}

// The leader hangs (SIGSTOP) with calls on their way to it. The standby takes over after the lease. When the old leader goes on, it must
// not append: neither what was on its way, nor anything new.
func TestFencedLeaderCantAppend(t *testing.T) {
	t.Parallel()
	broker, dsn := kafkatest.New(t), pgtest.New(t)
	cfg := testConfig(t, dsn, broker.Addr())
	cfg.Log, cfg.Lease = nil, 2*time.Second
	process, first := startProcess(t, cfg)
	_, second := startProcess(t, cfg)
	first.define(t)
	first.mustBook(t, "100001/before")

	freeze(t, process)
	stopped := time.Now()
	type outcome struct {
		key string
		err error
	}
	const waiting = 10
	outcomes := make(chan outcome, waiting)
	for i := range waiting {
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 25*time.Second)
			defer cancel()
			key := fmt.Sprintf("100001/frozen-%d", i)
			_, err := first.book(ctx, key)
			outcomes <- outcome{key, err}
		}()
	}
	eventually(t, takeover, "the standby books", func() bool {
		_, err := second.book(t.Context(), "100001/after")
		return err == nil
	})
	t.Logf("the standby booked %s after the leader was frozen", time.Since(stopped))

	if err := process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for range waiting {
		o := <-outcomes
		if o.err == nil {
			t.Errorf("%s was booked at the fenced leader", o.key)
		}
	}
	// It may believe for a moment that it leads; what it is told, it must not book.
	for deadline, i := time.Now().Add(2*time.Second), 0; time.Now().Before(deadline); i++ {
		key := fmt.Sprintf("100001/fenced-%d", i)
		if _, err := first.book(t.Context(), key); err == nil {
			t.Fatalf("%s was booked at the fenced leader", key)
		}
		if second.has(t, key) {
			t.Fatalf("%s is in the journal", key)
		}
	}
	for i := range waiting {
		if key := fmt.Sprintf("100001/frozen-%d", i); second.has(t, key) {
			t.Errorf("%s is in the journal", key)
		}
	}
	eventually(t, 10*time.Second, "the old leader stands by", func() bool {
		_, body := get(t, first.metrics+"/readyz")
		return strings.HasPrefix(body, "standby")
	})
	if !second.leads(t.Context()) {
		t.Error("the new leader does not lead any more")
	}
	second.mustBook(t, "100001/end")
	awaitEvent(t, broker.Addr(), "100001/end")
	second.verified(t)
}

// freeze stops a process, which is the test's child, and returns when all of it stands still: what is sent to it from then on it has not seen.
func freeze(t *testing.T, process *os.Process) {
	t.Helper()
	if err := process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(process.Pid, &status, syscall.WUNTRACED, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || !status.Stopped() {
			t.Fatalf("the process does not stand still: %v, status %#x", err, status)
		}
		return
	}
}

// freeAddress gives an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := child.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}
