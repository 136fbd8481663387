package contract_test

import (
	"testing"

	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// TestContract holds every system that speaks the contract against it: the same cases, the same assertions. One target after another, as the systems that wait
// for their turn would only slow down the one that is asked.
func TestContract(t *testing.T) {
	for _, target := range []struct {
		name  string
		start contract.Starter
	}{
		{"bank", startBank},
		{"bk", startBK},
		{string(mode.BankOnly), startFacade(mode.BankOnly)},
		{string(mode.BankPrimary), startFacade(mode.BankPrimary)},
		{string(mode.BKPrimary), startFacade(mode.BKPrimary)},
		{string(mode.BKOnly), startFacade(mode.BKOnly)},
	} {
		t.Run(target.name, func(t *testing.T) {
			contract.Run(t, target.start)
		})
	}
}
