package journal

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/cespare/xxhash/v2"

	"github.com/bkledger/bk/ledger"
)

// Row is a line of the table bk.journal.
type Row struct {
	Seq     uint64
	Epoch   int64
	KeyHash *int64 // nil where the entry has no key
	Subject *int64 // see SubjectOf; nil for most entries
	Hash    [32]byte
	Payload []byte // the encoded entry
}

// ChainStart is the hash that the first entry of a shard follows.
func ChainStart(shard uint16) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint16([]byte("bk journal v1 shard "), shard))
}

// ChainNext gives the hash of a row that follows one with hash prev: SHA-256 over prev, shard, sequence, epoch, key hash, subject and
// payload, each of the fixed ones as eight bytes, big end first, with a byte before the last two that says whether they are there.
func ChainNext(prev [32]byte, shard uint16, r *Row) [32]byte {
	var head [32 + 3*8 + 2*9]byte
	b := append(head[:0], prev[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(shard))
	b = binary.BigEndian.AppendUint64(b, r.Seq)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Epoch))
	for _, n := range []*int64{r.KeyHash, r.Subject} {
		if n == nil {
			b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		} else {
			b = binary.BigEndian.AppendUint64(append(b, 1), uint64(*n))
		}
	}
	h := sha256.New()
	h.Write(b)
	h.Write(r.Payload)
	var next [32]byte
	h.Sum(next[:0])
	return next
}

// KeyHash gives the 64 bits of an idempotency key that the journal indexes.
func KeyHash(key string) int64 { return int64(xxhash.Sum64String(key)) }

// Subjects that are no trade's.
const (
	definitionSubject = 0
	daySubject        = -1
)

// SubjectOf gives what the column subject holds for an entry: 0 for definitions, -1 for the beginning and end of a day, for a later event on
// a trade the sequence number of the trade's booking; ok is false for all others.
func SubjectOf(e *ledger.Entry) (subject int64, ok bool) {
	switch {
	case e.Account != nil || e.Define != nil:
		return definitionSubject, true
	case e.Day != nil:
		return daySubject, true
	case e.Links.Trade != 0 && e.Links.Trade != e.ID:
		return int64(e.Links.Trade.Seq()), true
	}
	return 0, false
}
