package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"

	"connectrpc.com/connect"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestDatabaseAway has the errors that pgx gives where a connection breaks before, in the middle of, and after a question: callers are told to
// try again. A fault of our own stays one.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err  error
		code connect.Code
	}{
		"answer cut off":     {io.ErrUnexpectedEOF, connect.CodeUnavailable},
		"reset":              {&net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection reset by peer")}, connect.CodeUnavailable},
		"shutting down":      {&pgconn.PgError{Code: "57P01"}, connect.CodeUnavailable},
		"no such column":     {&pgconn.PgError{Code: "42703"}, connect.CodeInternal},
		"a fault of our own": {errors.New("journal: entry 7 has no hash"), connect.CodeInternal},
	} {
		m := errorMapper{slog.New(slog.DiscardHandler)}
		if got := m.judge(context.Background(), "/bk.v1.AdminService/Roll", fmt.Errorf("journal: read entries: %w", test.err)); got.code != test.code {
			t.Errorf("%s: %s, want %s", name, got.code, test.code)
		}
	}
}
