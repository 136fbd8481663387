package contract_test

import (
	"testing"

	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/facade/books"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/stage"
)

// startBank starts the reference Bank.
func startBank(t *testing.T, keys ...string) contract.Target {
	t.Helper()
	return stage.StartBank(t, keys...).Target
}

// startBK starts a node of BK, and Bank's API on it.
func startBK(t *testing.T, keys ...string) contract.Target {
	t.Helper()
	return stage.StartBooks(t, stage.StartBK(t), "", []books.Epoch{{First: 1}}, keys...)
}

// startFacade starts a façade in a mode, with a Bank and a BK of its own behind it.
func startFacade(in mode.Mode) contract.Starter {
	return func(t *testing.T, keys ...string) contract.Target {
		t.Helper()
		return stage.StartSet(t, in, keys...).Target
	}
}
