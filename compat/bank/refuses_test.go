package bank_test

import (
	"testing"

	"github.com/bkledger/bk/compat/bank"
)

// TestRefuses: what tells of the system, or of how it was asked, is no decision about what it was asked for.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for kind, want := range map[bank.Type]bool{
		"": false, bank.OutcomeUnknown: false, bank.Internal: false, bank.Unauthorized: false, bank.NotFound: false, bank.MethodNotAllowed: false,
		bank.MalformedTrade: true, bank.UnknownAccount: true, bank.TradeSettled: true, bank.Conflict: true, bank.TooLarge: true,
	} {
		if got := kind.Refuses(); got != want {
			t.Errorf("%q: %t", kind, got)
		}
	}
}
