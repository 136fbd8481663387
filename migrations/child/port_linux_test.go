package child_test

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/bkledger/bk/migrations/child"
)

// TestFreePort: what was given is not given again, whether its server runs or not, and a server may begin on it again and again. A server that was given a port by a process that
// has ended since may take one of ours, so one of the twenty may be lost.
func TestFreePort(t *testing.T) {
	t.Parallel()
	given := map[int]bool{}
	for range 500 {
		port, err := child.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		if given[port] {
			t.Fatalf("port %d was given twice", port)
		}
		given[port] = true
	}
	var lost []error
	tried := 0
	for port := range given {
		if tried++; tried > 20 {
			break
		}
		if err := serveTwice(port); err != nil {
			lost = append(lost, err)
		}
	}
	if len(lost) > 1 {
		t.Error(lost)
	}
}

func serveTwice(port int) error {
	for range 2 {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return err
		}
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			return errors.Join(err, l.Close())
		}
		if err := errors.Join(c.Close(), l.Close()); err != nil {
			return err
		}
	}
	return nil
}
