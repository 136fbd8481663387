package journal

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/greatroar/blobloom"
	"github.com/jackc/pgx/v5"
)

// keyFilter answers, for nearly every new key, "was never used" from memory. It is a Bloom filter for each segment of the journal
// (14 bits a key in blocks of a cache line, about 0.3 % false alarms, 14 MiB a segment whether full or not), so that a repeat, however old, costs one
// look-up, and nearly every new key none. False alarms add up with the segments: 0.3 % of new keys for the first eight million entries,
// about 3 % at a hundred million; and so does the memory.
//
// Tried and rejected: a unique index as the only judge (COPY can't skip a conflict, and one repeat would fail a batch of thousands);
// looking up every key (a third of a core of Postgres at 100,000 entries a second); all keys in a map (50 bytes a key for ever).
type keyFilter struct {
	mu       sync.RWMutex
	segments []*blobloom.Filter // by number, without holes
	upTo     uint64             // every key of an entry up to here is in
}

const filterBits, filterHashes = segmentEntries * 14, 7

// filterFormat is written into saved filters: what is hashed how, and the sizes above.
const filterFormat = "bk keys xxhash64 14x8388608/7"

// keyAt is a key's hash with the place of its entry.
type keyAt struct {
	seq  uint64
	hash int64
}

// add puts in the keys of all entries up to upTo.
func (f *keyFilter) add(keys []keyAt, upTo uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, k := range keys {
		for uint64(len(f.segments)) <= k.seq/segmentEntries {
			f.segments = append(f.segments, blobloom.New(filterBits, filterHashes))
		}
		f.segments[k.seq/segmentEntries].Add(uint64(k.hash))
	}
	f.upTo = max(f.upTo, upTo)
}

// maybe keeps those of the hashes that may be known, and gives the sequence number up to which the others are certainly not.
func (f *keyFilter) maybe(hashes []int64) (known []int64, upTo uint64) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	known = hashes[:0]
	for _, h := range hashes {
		for _, segment := range f.segments {
			if segment.Has(uint64(h)) {
				known = append(known, h)
				break
			}
		}
	}
	return known, f.upTo
}

// known gives how far the filter knows all keys.
func (f *keyFilter) known() uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.upTo
}

// load reads the saved filters and adds the keys of all entries behind them, up to head. It gives how far the saved ones reach.
func (f *keyFilter) load(ctx context.Context, s *store, head uint64) (saved uint64, err error) {
	type row struct {
		Segment, UpTo int64
		Filter        []byte
	}
	found, err := s.pool.Query(ctx, `SELECT segment, up_to, filter FROM bk.key_filter WHERE shard = $1 AND up_to <= $2 ORDER BY segment`, s.shard, int64(head))
	if err != nil {
		return 0, fmt.Errorf("journal: read the key filters: %w", err)
	}
	filters, err := pgx.CollectRows(found, pgx.RowToStructByPos[row])
	if err != nil {
		return 0, fmt.Errorf("journal: read the key filters: %w", err)
	}
	for _, sv := range filters {
		// A segment counts only if it continues what is known so far; the rest is read from the journal.
		if uint64(sv.Segment) != (f.upTo+1)/segmentEntries || len(f.segments) != int(sv.Segment) {
			break
		}
		segment, err := loadSegment(sv.Filter)
		if err != nil {
			break
		}
		f.segments, f.upTo = append(f.segments, segment), uint64(sv.UpTo)
	}
	saved = f.upTo
	return saved, s.scanKeys(ctx, saved, head, f.add)
}

// loadSegment reads a saved filter; one of another form is an error, and is made anew from the journal.
func loadSegment(saved []byte) (*blobloom.Filter, error) {
	loader, err := blobloom.NewLoader(bytes.NewReader(saved))
	if err != nil {
		return nil, err
	}
	if loader.Comment != filterFormat {
		return nil, fmt.Errorf("the filter is of form %q", loader.Comment)
	}
	return loader.Load(nil)
}

// save writes the filter of one segment, by way of a buffer that can be used again. All keys in it are committed: they are added after the commit.
func (f *keyFilter) save(ctx context.Context, s *store, segment uint64, buf *bytes.Buffer) error {
	buf.Reset()
	buf.Grow(filterBits/8 + 1024) // all at once: a buffer that doubles leaves three times as much behind
	f.mu.RLock()
	if segment >= uint64(len(f.segments)) {
		f.mu.RUnlock()
		return nil
	}
	upTo := min(f.upTo, (segment+1)*segmentEntries-1)
	_, err := blobloom.Dump(buf, f.segments[segment], filterFormat)
	f.mu.RUnlock()
	if err != nil {
		return fmt.Errorf("journal: write key filter %d: %w", segment, err)
	}
	_, err = s.pool.Exec(ctx, `INSERT INTO bk.key_filter (shard, segment, up_to, filter) VALUES ($1, $2, $3, $4)
		ON CONFLICT (shard, segment) DO UPDATE SET up_to = excluded.up_to, filter = excluded.filter WHERE key_filter.up_to < excluded.up_to`,
		s.shard, int64(segment), int64(upTo), buf.Bytes())
	if err != nil {
		return fmt.Errorf("journal: save key filter %d: %w", segment, err)
	}
	return nil
}
