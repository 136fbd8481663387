package bulk

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
)

// Hash is a SHA-256, in hex where it is text.
type Hash [32]byte

// HashOf gives the hash of data.
func HashOf(data []byte) Hash { return sha256.Sum256(data) }

// String gives it in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// MarshalText gives it in hex.
func (h Hash) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h[:]), nil }

// UnmarshalText reads hex.
func (h *Hash) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(h)) {
		return fmt.Errorf("a hash of %d digits instead of %d", len(text), hex.EncodedLen(len(h)))
	}
	if _, err := hex.Decode(h[:], text); err != nil {
		return fmt.Errorf("a hash in hex: %w", err)
	}
	return nil
}

// ChunkMeta says what a chunk is: consecutive rows of the journal.
type ChunkMeta struct {
	Number   int    `json:"number"` // from 1
	First    uint64 `json:"first"`  // sequence number of the first row
	Last     uint64 `json:"last"`   // and of the last
	Rows     int64  `json:"rows"`
	Bytes    int64  `json:"bytes"`     // of the data
	PrevHash Hash   `json:"prev_hash"` // the chain's hash before the first row
	Hash     Hash   `json:"hash"`      // and after the last
	SHA256   Hash   `json:"sha256"`    // of the data
}

// Chunk is a piece of the journal. Data is a stream for COPY bk.journal (journal.Columns) FROM ... (FORMAT binary), whole with head and trailer; it is
// the receiver's to keep.
type Chunk struct {
	ChunkMeta
	Data []byte
}

// Sum is what a journal moves of an instrument: how many postings, what they add, and what they take away. Both are the same amount (promise P1).
type Sum struct {
	Instrument int64  `json:"instrument"`
	Postings   int64  `json:"postings"`
	In         string `json:"in"`
	Out        string `json:"out"`
}

// Summary is what a whole journal comes to.
type Summary struct {
	Rows int64  `json:"rows"`
	Head uint64 `json:"head"`          // the last row's sequence number
	Hash Hash   `json:"hash"`          // the chain's hash after it
	Day  int32  `json:"day,omitempty"` // the business date, 0 before the first roll
	Sums []Sum  `json:"sums,omitempty"`
}

// Manifest is a journal that is ready to be loaded.
type Manifest struct {
	Shard   uint16      `json:"shard"`
	Epoch   int64       `json:"epoch"` // that its rows carry
	Chunks  []ChunkMeta `json:"chunks"`
	Summary Summary     `json:"summary"`
}

// Digest gives the SHA-256 over all that the manifest says: two of the same digest are the same journal.
func (m Manifest) Digest() Hash {
	text, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("bulk: encode a manifest: %v", err)) // plain data
	}
	return sha256.Sum256(text)
}

// Validate reports what is wrong with the manifest, all of it: the chunks must follow each other from entry 1 to the head without a gap, also by their hashes.
func (m Manifest) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("manifest: "+format, args...)) }
	if m.Shard > ledger.MaxShard {
		fault("shard: %d is above %d", m.Shard, ledger.MaxShard)
	}
	if m.Epoch < 1 {
		fault("epoch: %d is below 1", m.Epoch)
	}
	if len(m.Chunks) == 0 {
		fault("chunks: there are none")
	}
	next, hash, rows := uint64(1), Hash(journal.ChainStart(m.Shard)), int64(0)
	for i, c := range m.Chunks {
		if c.Number != i+1 {
			fault("chunks[%d].number: %d instead of %d", i, c.Number, i+1)
		}
		if c.First != next || c.Last < c.First || c.Rows != int64(c.Last-c.First)+1 {
			fault("chunks[%d]: %d rows %d to %d, the next one is %d", i, c.Rows, c.First, c.Last, next)
		}
		if c.PrevHash != hash {
			fault("chunks[%d].prev_hash: %s does not follow %s", i, c.PrevHash, hash)
		}
		next, hash, rows = c.Last+1, c.Hash, rows+c.Rows
	}
	if s := m.Summary; s.Rows != rows || s.Head != next-1 || s.Hash != hash {
		fault("summary: %d rows up to %d with the hash %s, the chunks have %d up to %d with %s", s.Rows, s.Head, s.Hash, rows, next-1, hash)
	}
	return errors.Join(faults...)
}

// sums adds up postings by instrument.
type sums struct{ of []sum } // by instrument's id - 1

type sum struct {
	postings int64
	in, out  ledger.Amount // what comes in, what goes out (below zero)
}

func (s *sums) add(postings []ledger.Posting) {
	for _, p := range postings {
		for int64(len(s.of)) < p.Instrument {
			s.of = append(s.of, sum{})
		}
		of := &s.of[p.Instrument-1]
		of.postings++
		if p.Quantity.Sign() < 0 {
			of.out = of.out.Add(p.Quantity)
		} else {
			of.in = of.in.Add(p.Quantity)
		}
	}
}

func (s *sums) merge(o sums) {
	for i, other := range o.of {
		if i == len(s.of) {
			s.of = append(s.of, sum{})
		}
		of := &s.of[i]
		of.postings, of.in, of.out = of.postings+other.postings, of.in.Add(other.in), of.out.Add(other.out)
	}
}

func (s *sums) list() []Sum {
	var out []Sum
	for i, of := range s.of {
		if of.postings != 0 {
			out = append(out, Sum{Instrument: int64(i) + 1, Postings: of.postings, In: of.in.String(), Out: of.out.Neg().String()})
		}
	}
	return out
}
