package journal

import (
	"bufio"
	"context"
	"fmt"
	"io"
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

// filterPart is how many bytes of a filter are saved at a time: in one piece, each would stay behind in the connection's buffers.
const filterPart = 256 << 10

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
	for {
		// A segment counts only if it continues what is known so far; the rest is read from the journal.
		number := uint64(len(f.segments))
		if number != (f.upTo+1)/segmentEntries {
			break
		}
		segment, upTo, err := s.savedFilter(ctx, number, head)
		if err != nil {
			return 0, err
		}
		if segment == nil {
			break
		}
		f.segments, f.upTo = append(f.segments, segment), upTo
	}
	saved = f.upTo
	return saved, s.scanKeys(ctx, saved, head, f.add)
}

// savedFilter reads the filter of one segment and how far it reaches, nil if there is none that knows nothing beyond head. One that is damaged
// or of another form is none: it is made anew from the journal.
func (s *store) savedFilter(ctx context.Context, segment, head uint64) (filter *blobloom.Filter, upTo uint64, err error) {
	found, err := s.pool.Query(ctx, `SELECT up_to, filter FROM bk.key_filter WHERE shard = $1 AND segment = $2 AND up_to <= $3 ORDER BY part`,
		s.shard, int64(segment), int64(head))
	if err != nil {
		return nil, 0, fmt.Errorf("journal: read key filter %d: %w", segment, err)
	}
	defer found.Close()
	parts := &filterParts{rows: found}
	filter = parts.read()
	found.Close()
	if err := found.Err(); err != nil {
		return nil, 0, fmt.Errorf("journal: read key filter %d: %w", segment, err)
	}
	return filter, uint64(parts.upTo), nil
}

// filterParts reads a saved filter's parts one after the other.
type filterParts struct {
	rows pgx.Rows
	upTo int64
	rest []byte
}

// read gives the filter, nil if the parts are none.
func (p *filterParts) read() *blobloom.Filter {
	loader, err := blobloom.NewLoader(p)
	if err != nil || loader.Comment != filterFormat {
		return nil
	}
	filter, err := loader.Load(nil)
	if err != nil {
		return nil
	}
	return filter
}

// Read implements io.Reader.
func (p *filterParts) Read(to []byte) (int, error) {
	for len(p.rest) == 0 {
		if !p.rows.Next() {
			return 0, io.EOF
		}
		if err := p.rows.Scan(&p.upTo, &p.rest); err != nil {
			return 0, err
		}
	}
	n := copy(to, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

// save writes the filter of one segment, in parts. All keys in it are committed: they are added after the commit. Keys that come in
// between two parts do no harm, a filter may know more than it says.
func (f *keyFilter) save(ctx context.Context, s *store, segment uint64) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if segment >= uint64(len(f.segments)) {
		return nil
	}
	upTo := int64(min(f.upTo, (segment+1)*segmentEntries-1))
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `DELETE FROM bk.key_filter WHERE shard = $1 AND segment = $2`, s.shard, int64(segment)); err != nil {
			return err
		}
		part := 0
		w := bufio.NewWriterSize(writerFunc(func(b []byte) (int, error) {
			f.mu.RUnlock() // nobody waits for Postgres
			defer f.mu.RLock()
			_, err := tx.Exec(ctx, `INSERT INTO bk.key_filter (shard, segment, part, up_to, filter) VALUES ($1, $2, $3, $4, $5)`, s.shard, int64(segment), part, upTo, b)
			part++
			return len(b), err
		}), filterPart)
		if _, err := blobloom.Dump(w, f.segments[segment], filterFormat); err != nil {
			return err
		}
		return w.Flush()
	})
	if err != nil {
		return fmt.Errorf("journal: save key filter %d: %w", segment, err)
	}
	return nil
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(b []byte) (int, error) { return w(b) }
