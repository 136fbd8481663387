package bulk

import (
	"hash/maphash"

	"github.com/cespare/xxhash/v2"

	"github.com/bkledger/bk/ledger"
)

// keys are the idempotency keys that were used, each with the entry that has it and the hash of its content. The texts are not kept: two hashes of 64 bits, one
// of them with a seed that is this process's own, so that nobody can make keys that collide on purpose.
type keys struct {
	seed  maphash.Seed
	known map[keyID]used
}

type keyID struct{ fixed, seeded uint64 }

type used struct {
	seq     uint64
	content [16]byte // without the version; see ledger.Content
}

func newKeys() keys { return keys{maphash.MakeSeed(), map[keyID]used{}} }

func (k *keys) id(key string) keyID {
	return keyID{xxhash.Sum64String(key), maphash.String(k.seed, key)}
}

// find gives the entry that has a key, and whether its content is c.
func (k *keys) find(key string, c ledger.Content) (seq uint64, same bool) {
	u, ok := k.known[k.id(key)]
	if !ok {
		return 0, false
	}
	return u.seq, u.content == [16]byte(c[1:])
}

func (k *keys) add(key string, seq uint64, c ledger.Content) {
	k.known[k.id(key)] = used{seq, [16]byte(c[1:])}
}
