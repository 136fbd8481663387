package client

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"connectrpc.com/connect"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
)

func failure(t *testing.T, code connect.Code, reason, field, message string) error {
	t.Helper()
	err := connect.NewError(code, errors.New("text for logs"))
	detail, broken := connect.NewErrorDetail(&bkv1.ErrorDetail{Reason: reason, Field: field, Message: message})
	if broken != nil {
		t.Fatal(broken)
	}
	err.AddDetail(detail)
	return fmt.Errorf("wrapped: %w", err)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c, err := New("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, refused := c.Admin.Status(t.Context(), connect.NewRequest(&bkv1.StatusRequest{}))
	for name, test := range map[string]struct {
		err                    error
		reason                 string
		retryable, unreachable bool
		says                   string
	}{
		"none":         {err: nil},
		"refused":      {refused, "", true, true, "no server at 127.0.0.1:1: connection refused"},
		"rejected":     {failure(t, connect.CodeInvalidArgument, "invalid_field", "trade.price", "is bad"), "invalid_field", false, false, "trade.price: is bad (invalid_field)"},
		"overloaded":   {failure(t, connect.CodeResourceExhausted, "overloaded", "", "too much"), "overloaded", true, false, "too much (overloaded)"},
		"too large":    {failure(t, connect.CodeResourceExhausted, "too_large", "", "above 8 MiB"), "too_large", false, false, "above 8 MiB (too_large)"},
		"standby":      {failure(t, connect.CodeUnavailable, "not_leader", "", "stands by"), "not_leader", true, true, "stands by (not_leader)"},
		"unknown":      {failure(t, connect.CodeUnknown, ReasonOutcomeUnknown, "", "who knows"), ReasonOutcomeUnknown, true, false, "who knows"},
		"own fault":    {failure(t, connect.CodeInternal, "internal", "", "see the log"), "internal", false, false, "see the log (internal)"},
		"cut off":      {connect.NewError(connect.CodeInternal, errors.New("stream\nreset")), "", true, false, "stream reset (internal)"},
		"from a proxy": {connect.NewError(connect.CodePermissionDenied, errors.New("no")), "", false, false, "no (permission_denied)"},
		"interrupted":  {connect.NewError(connect.CodeCanceled, context.Canceled), "", true, false, "canceled"},
	} {
		if got := Reason(test.err); got != test.reason {
			t.Errorf("%s: reason %q, want %q", name, got, test.reason)
		}
		if got := Retryable(test.err); got != test.retryable {
			t.Errorf("%s: retryable %t, want %t", name, got, test.retryable)
		}
		if got := Unreachable(test.err); got != test.unreachable {
			t.Errorf("%s: unreachable %t, want %t", name, got, test.unreachable)
		}
		if got := Describe(test.err); !strings.Contains(got, test.says) || strings.Contains(got, "\n") {
			t.Errorf("%s: %q, want %q", name, got, test.says)
		}
	}
}
