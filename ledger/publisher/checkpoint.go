package publisher

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/ledger"
)

// checkpoint says how far the stream is. It is written in the transaction whose events it counts, so that it is there if, and only
// if, they are. The zero value is the state before the first one.
type checkpoint struct {
	shard uint16
	seq   uint64   // the last entry published; 0: none
	hash  [32]byte // the journal's hash chain at seq
	ends  []int64  // for each partition of the events the offset behind the shard's last event
	term  uint64   // counts the owners of the stream
	owner string   // a random name of the one that began the term
}

const checkpointVersion = 1

type checkpointJSON struct {
	Version int     `json:"v"`
	Shard   uint16  `json:"shard"`
	Seq     uint64  `json:"seq"`
	Hash    string  `json:"hash"`
	Ends    []int64 `json:"ends"`
	Term    uint64  `json:"term"`
	Owner   string  `json:"owner"`
}

func checkpointKey(shard uint16) string { return "publisher/" + strconv.Itoa(int(shard)) }

func (c checkpoint) record(topic string) *kgo.Record {
	value, err := json.Marshal(checkpointJSON{checkpointVersion, c.shard, c.seq, hex.EncodeToString(c.hash[:]), c.ends, c.term, c.owner})
	if err != nil {
		panic(fmt.Sprintf("publisher: a checkpoint of numbers and text can't be encoded: %v", err))
	}
	return &kgo.Record{Topic: topic, Key: []byte(checkpointKey(c.shard)), Value: value}
}

func parseCheckpoint(value []byte) (checkpoint, error) {
	var j checkpointJSON
	if err := json.Unmarshal(value, &j); err != nil {
		return checkpoint{}, fmt.Errorf("%w: a checkpoint can't be read: %w", ErrLost, err)
	}
	c := checkpoint{shard: j.Shard, seq: j.Seq, ends: j.Ends, term: j.Term, owner: j.Owner}
	if n, err := hex.Decode(c.hash[:], []byte(j.Hash)); j.Version != checkpointVersion || len(j.Hash) != 2*len(c.hash) || n != len(c.hash) || err != nil {
		return checkpoint{}, fmt.Errorf("%w: a checkpoint of version %d with the hash %q can't be read", ErrLost, j.Version, j.Hash)
	}
	return c, nil
}

// readCheckpoint gives the shard's last committed checkpoint. To be sure that it is the last, list must give the high watermarks
// (ListEndOffsets), not the last stable offsets: an open transaction of another shard holds those back, maybe in front of our own
// checkpoint. The topic is read backwards in growing windows, since on a broker that doesn't compact it is long.
func (c *Config) readCheckpoint(ctx context.Context, adm *kadm.Client, shard uint16, list offsetLister) (checkpoint, error) {
	ends, err := listOffsets(ctx, list, c.Checkpoints)
	if err != nil {
		return checkpoint{}, err
	}
	starts, err := listOffsets(ctx, adm.ListStartOffsets, c.Checkpoints)
	if err != nil {
		return checkpoint{}, err
	}
	var last checkpoint
	key := checkpointKey(shard)
	for partition := range ends { // one, unless the topic was made by somebody else
		to := ends[partition]
		for size := int64(512); to > starts[partition]; size *= 16 {
			from := max(starts[partition], to-size)
			var found *kgo.Record
			err := c.scan(ctx, c.Checkpoints, map[int32]span{int32(partition): {from, to}}, func(r *kgo.Record) error {
				if string(r.Key) == key {
					found = r
				}
				return nil
			})
			if err != nil {
				return checkpoint{}, fmt.Errorf("reading the checkpoint: %w", err)
			}
			if found != nil {
				at, err := parseCheckpoint(found.Value)
				if err != nil {
					return checkpoint{}, err
				}
				if at.term > last.term || at.term == last.term && at.seq >= last.seq {
					last = at
				}
				break
			}
			to = from
		}
	}
	last.shard = shard
	return last, nil
}

// fits compares a checkpoint with the journal.
func (c checkpoint) fits(ctx context.Context, j Journal) error {
	if c.seq == 0 {
		return nil
	}
	entries, err := j.Read(ctx, c.seq-1, 1)
	if err != nil {
		return fmt.Errorf("reading entry %d:%d of the journal: %w", c.shard, c.seq, err)
	}
	if len(entries) == 0 {
		return fmt.Errorf("%w: entries up to %d:%d were published, the journal ends at %s", ErrDiverged, c.shard, c.seq, j.Head())
	}
	if err := consecutive(c.shard, c.seq-1, entries); err != nil {
		return err
	}
	if e := entries[0]; e.Hash != c.hash {
		return fmt.Errorf("%w: entry %s was published under the hash %x, the journal has %x", ErrDiverged, place(e.ID), c.hash, e.Hash)
	}
	return nil
}

// agrees compares a checkpoint with the topic of events. It must be called while no transaction of the shard's publisher is under way.
func (c checkpoint) agrees(ctx context.Context, cfg *Config, adm *kadm.Client) error {
	ends, err := listOffsets(ctx, adm.ListEndOffsets, cfg.Events)
	if err != nil {
		return err
	}
	starts, err := listOffsets(ctx, adm.ListStartOffsets, cfg.Events)
	if err != nil {
		return err
	}
	if c.term > 0 && len(c.ends) != len(ends) {
		return fmt.Errorf("%w: %s was published on %d partitions and has %d, accounts would change theirs", ErrLost, cfg.Events, len(c.ends), len(ends))
	}
	behind := map[int32]span{}
	for p, end := range ends {
		var known int64
		if c.term > 0 {
			known = c.ends[p]
		}
		if end < known {
			return fmt.Errorf("%w: partition %d of %s ends at offset %d, events were published up to %d", ErrLost, p, cfg.Events, end, known)
		}
		if from := max(known, starts[p]); from < end {
			behind[int32(p)] = span{from, end}
		}
	}
	// Behind what the checkpoint knows there are markers, aborted events and other shards'.
	return cfg.scan(ctx, cfg.Events, behind, func(r *kgo.Record) error {
		h, err := parseHeaders(r)
		if err != nil {
			return fmt.Errorf("%w: partition %d of %s, offset %d: %w", ErrLost, r.Partition, cfg.Events, r.Offset, err)
		}
		if h.shard == c.shard && h.seq > c.seq {
			return fmt.Errorf("%w: entry %s is published (partition %d, offset %d) and the checkpoint says %d", ErrLost,
				ledger.Token{Shard: h.shard, Seq: h.seq}, r.Partition, r.Offset, c.seq)
		}
		return nil
	})
}
