package client

import (
	"testing"

	"github.com/bkledger/bk/compat/contract"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/stage"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// key is what the client shows.
const key = "client-key-1"

// targets start the systems that the day runs against: Bank, and the façade before it and a BK in each of its modes.
func targets() map[string]contract.Starter {
	all := map[string]contract.Starter{
		"bank": func(t *testing.T, keys ...string) contract.Target { return stage.StartBank(t, keys...).Target },
	}
	for _, m := range mode.Modes() {
		all[string(m)] = func(t *testing.T, keys ...string) contract.Target { return stage.StartSet(t, m, keys...).Target }
	}
	return all
}
