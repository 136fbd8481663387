package queue

import (
	"math"
	"slices"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/backlog"
)

// The advisory locks of the façade's database are 64-bit keys: what is locked in the bits 60 to 62, and which one of them in the lower 60. Nobody else may use
// keys between 1<<60 and 6<<60.
const (
	lockAccount  int64 = (iota + 1) << 60 // a key of calls: an account
	lockEntity                            // a key of calls: an entity
	lockRoll                              // all: shared by calls, exclusive for a roll
	lockIntent                            // the resolving of a dead call's intent
	lockSingular                          // workers of which there is one

	lockWhich = 1<<60 - 1
)

// The workers of which there is one over all replicas.
const (
	LockWorker   = lockSingular + iota // brings the queue to BK
	LockFeed                           // reads BK's journal
	LockDelivery                       // brings the feed to Bank
	LockFollow                         // reads Bank's events
)

// LockEpoch is held by the transaction that enters an epoch, and shared by that of each intent.
const LockEpoch = LockFollow + 1

// unread is the key of what nobody can read: of a kind with no account's.
const unread int64 = math.MinInt64

// directoryKey is that of [Queue.Directory].
const directoryKey = unread + 1

func accountKey(id bank.ID) int64 { return int64(id) }
func entityKey(id bank.ID) int64  { return -int64(id) }

// lockOf gives the advisory lock of a key. Ids that are not below 1<<60 may share one with others: then calls wait for each other without need.
func lockOf(key int64) int64 {
	switch {
	case key == backlog.All:
		return lockRoll
	case key < 0:
		return lockEntity | -key&lockWhich
	}
	return lockAccount | key&lockWhich
}

// locksOf gives the locks of keys in the order in which all take them.
func locksOf(keys []int64) []int64 {
	locks := make([]int64, 0, len(keys))
	for _, key := range keys {
		if key != backlog.All {
			locks = append(locks, lockOf(key))
		}
	}
	slices.Sort(locks)
	return slices.Compact(locks)
}

// keysOf gives accounts as keys, each once, in order.
func keysOf(accounts []bank.ID) []int64 {
	keys := make([]int64, 0, len(accounts))
	for _, id := range accounts {
		if id != 0 {
			keys = append(keys, accountKey(id))
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}
