package child_test

import (
	"fmt"
	"net"
	"testing"

	"github.com/bkledger/bk/migrations/child"
)

// TestFreePort: what was given is not given again, whether its server runs or not, and a server may begin on it again and again.
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
	for port := range given {
		for range 2 {
			l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
			if err != nil {
				t.Fatal(err)
			}
			c, err := net.Dial("tcp4", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
