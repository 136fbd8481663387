package ledger

import (
	"fmt"
	"strconv"
	"strings"
)

// ID is the number of an entry for ever: the shard in the upper 16 bits, the sequence number in the lower 48. So an id says where
// the entry is, and needs no index. A trade's id is the id of the entry that booked it. 0 is no id.
type ID int64

const idSeqBits = 48

// MaxShard and MaxSeq bound what an [ID] can hold.
const (
	MaxShard        = 1<<15 - 1
	MaxSeq   uint64 = 1<<idSeqBits - 1
)

// MakeID packs shard and sequence number.
func MakeID(shard uint16, seq uint64) ID {
	if shard > MaxShard || seq > MaxSeq {
		panic(fmt.Sprintf("ledger: no id for shard %d, sequence %d", shard, seq))
	}
	return ID(uint64(shard)<<idSeqBits | seq)
}

// Shard gives the shard whose journal holds the entry.
func (id ID) Shard() uint16 { return uint16(uint64(id) >> idSeqBits) }

// Seq gives the entry's sequence number in its shard, from 1.
func (id ID) Seq() uint64 { return uint64(id) & MaxSeq }

// Token is a place in a shard's journal, handed out with every answer to a write: a read that carries it sees that write.
// Its text is "shard:sequence".
type Token struct {
	Shard uint16
	Seq   uint64
}

// String gives "shard:sequence".
func (t Token) String() string { return fmt.Sprintf("%d:%d", t.Shard, t.Seq) }

// ParseToken reads what [Token.String] wrote; "" is the beginning of shard 0.
func ParseToken(s string) (Token, error) {
	if s == "" {
		return Token{}, nil
	}
	left, right, found := strings.Cut(s, ":")
	shard, err1 := strconv.ParseUint(left, 10, 15)
	seq, err2 := strconv.ParseUint(right, 10, idSeqBits)
	if !found || err1 != nil || err2 != nil {
		return Token{}, fmt.Errorf("token %q is not of the form shard:sequence", s)
	}
	return Token{Shard: uint16(shard), Seq: seq}, nil
}
