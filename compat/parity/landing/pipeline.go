package landing

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bkledger/bk/compat/parity/dialect"
)

// run is records of one partition, in order.
type run struct {
	from    *Origin
	records []Record
}

// step is how far a batch takes a partition.
type step struct {
	first      int64 // where it began, if it is the partition's first
	next       int64
	topicID    string
	end        int64     // where the partition ended at the last look
	caughtUpAt time.Time // when that look was, if the batch takes it there; else zero
}

// batch is what goes into one transaction.
type batch struct {
	runs       []run
	steps      map[Origin]step
	statements []Statement
	rows       int
	bytes      int64
	ofTopic    map[string]int // rows, by the contract's topic
	most       int            // of them
}

// count counts records that may become rows of one table.
func (b *batch) count(contract string, records int) {
	if b.ofTopic == nil {
		b.ofTopic = map[string]int{}
	}
	b.rows += records
	b.ofTopic[contract] += records
	b.most = max(b.most, b.ofTopic[contract])
}

// full reports whether nothing more is to go into it.
func (b *batch) full(cfg *Config) bool { return b.most >= cfg.BatchRows || b.bytes >= cfg.BatchBytes }

// decoded is a batch as rows.
type decoded struct {
	*batch
	chunks []Chunk
	counts map[Origin]tally
	landed time.Time
}

// slice is how many records a worker takes at a time: a few chunks of them are not full in the end, one for each worker and table.
const slice = 2048

// lander lands batches one after the other: while one is written the next is decoded, and the one behind it read.
type lander struct {
	cfg      Config
	tables   map[string]*dialect.Table
	known    map[place]Standing   // as it was at the beginning
	standing map[Origin]*Standing // the writer's
	progress Progress
}

func newLander(cfg Config, progress Progress) *lander {
	l := &lander{cfg: cfg, tables: map[string]*dialect.Table{}, standing: map[Origin]*Standing{}, progress: progress}
	for _, t := range dialect.Tables() {
		l.tables[t.Name] = &t
	}
	return l
}

// land lands what read gives, until it gives nil, or an error: what came before is landed then, too.
func (l *lander) land(ctx context.Context, read func(context.Context) (*batch, error)) error {
	reading, decoding := make(chan *batch), make(chan *decoded)
	group, within := errgroup.WithContext(ctx)
	var readFault error
	group.Go(func() error {
		defer close(reading)
		for {
			b, err := read(within)
			if err != nil {
				readFault = err
				return nil
			}
			if b == nil {
				return nil
			}
			select {
			case reading <- b:
			case <-within.Done():
				return within.Err()
			}
		}
	})
	group.Go(func() error {
		defer close(decoding)
		for b := range reading {
			d, err := l.decode(within, b)
			if err != nil {
				return err
			}
			select {
			case decoding <- d:
			case <-within.Done():
				release(d.chunks)
				return within.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		for d := range decoding {
			if err := l.write(within, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return readFault
}

func release(chunks []Chunk) {
	for _, c := range chunks {
		c.Release()
	}
}

// decode makes rows of a batch, on all workers.
func (l *lander) decode(ctx context.Context, b *batch) (*decoded, error) {
	type part struct {
		from    *Origin
		records []Record
	}
	var parts []part
	for _, r := range b.runs {
		for records := range slices.Chunk(r.records, slice) {
			parts = append(parts, part{r.from, records})
		}
	}
	d := &decoded{batch: b, counts: map[Origin]tally{}, landed: time.Now().UTC().Truncate(time.Microsecond)}
	workers := min(l.cfg.Workers, len(parts))
	all := make([]*decoder, workers)
	counts := make([]tally, len(parts))
	queue := make(chan int)
	group, within := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(queue)
		for i := range parts {
			select {
			case queue <- i:
			case <-within.Done():
				return within.Err()
			}
		}
		return nil
	})
	for w := range all {
		all[w] = newDecoder(l.cfg.Store, l.tables, d.landed, int64(l.cfg.After))
		group.Go(func() error {
			for i := range queue {
				for n := range parts[i].records {
					if err := all[w].record(parts[i].from, &parts[i].records[n], &counts[i]); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	err := group.Wait()
	for _, w := range all {
		if err != nil {
			w.release()
		} else {
			d.chunks = append(d.chunks, w.chunks()...)
		}
	}
	if err != nil {
		return nil, err
	}
	for i, p := range parts {
		count := d.counts[*p.from]
		count.add(counts[i])
		d.counts[*p.from] = count
	}
	b.runs = nil // the garbage collector's
	return d, nil
}

// write writes a batch in one transaction, and notes where everything stands.
func (l *lander) write(ctx context.Context, d *decoded) error {
	after := map[Origin]Standing{}
	var all []moved
	for from, s := range d.steps {
		before := l.standing[from]
		if before == nil {
			before = &Standing{Side: from.Side, Topic: from.Name, Partition: from.Partition, First: s.first, Next: s.first}
			if known, ok := l.known[placeOf(&from)]; ok {
				before = &known
			}
			l.standing[from] = before
		}
		now, count := *before, d.counts[from]
		now.Next, now.End, now.TopicID = s.next, s.end, s.topicID
		now.Events, now.Rejects, now.Skipped = before.Events+count.events, before.Rejects+count.rejects, before.Skipped+count.skipped
		now.LastEventID, now.LastEventAt = max(before.LastEventID, count.lastID), max(before.LastEventAt, count.lastAt)
		if now.Next != before.Next || !now.inTable {
			now.ChangedAt = d.landed
		}
		if !s.caughtUpAt.IsZero() {
			now.CaughtUpAt = s.caughtUpAt
		}
		all = append(all, moved{now, before.Next})
		now.inTable = true
		after[from] = now
	}
	if err := l.cfg.Store.Write(ctx, d.chunks, append(d.statements, save(l.cfg.Store.Dialect(), all)...)); err != nil {
		return fmt.Errorf("land %d records: %w", d.rows, err)
	}
	p := &l.progress
	p.Behind = 0
	for from, now := range after {
		*l.standing[from] = now
		if count := d.counts[from]; count.rejects > 0 {
			l.cfg.Log.Warn("records that are no event of Bank's are in "+dialect.Rejects, "topic", from.Name, "partition", from.Partition, "records", count.rejects)
		}
		p.Events, p.Rejects, p.Skipped = p.Events+d.counts[from].events, p.Rejects+d.counts[from].rejects, p.Skipped+d.counts[from].skipped
	}
	for _, s := range l.standing {
		p.Behind += max(0, s.End-s.Next)
	}
	p.Bytes += d.bytes
	p.Commits++
	l.cfg.Progress(*p)
	return nil
}

// place is a partition in the warehouse.
type place struct {
	side, topic string
	partition   int32
}

func placeOf(o *Origin) place { return place{o.Side, o.Name, o.Partition} }

// resume goes on where the warehouse stands, and gives that by place.
func (l *lander) resume(all []Standing) map[place]Standing {
	l.known = map[place]Standing{}
	for _, s := range all {
		l.known[place{s.Side, s.Topic, s.Partition}] = s
	}
	return maps.Clone(l.known)
}
