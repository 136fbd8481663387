package landing

import (
	"context"
	"errors"
	"fmt"
	"iter"
)

// Feed lands records that are not in Kafka, as if they had been read from the partition that they name: made-up ones, or a file's. Offsets of a partition ascend, and begin
// behind what has been landed of it. Brokers, Options, Topics and Follow are not looked at.
func Feed(ctx context.Context, cfg Config, records iter.Seq2[Origin, Record]) (Progress, error) {
	cfg = cfg.WithDefaults()
	if err := errors.Join(cfg.wrong()...); err != nil {
		return Progress{}, fmt.Errorf("land records: %w", err)
	}
	f := feed{cfg: cfg, partitions: map[Origin]*fed{}}
	l := newLander(cfg, Progress{})
	standings, err := Standings(ctx, cfg.Store)
	if err != nil {
		return Progress{}, err
	}
	f.stand = l.resume(standings)
	var stop func()
	f.pull, stop = iter.Pull2(records)
	defer stop()
	err = l.land(ctx, f.read)
	return l.progress, err
}

// feed reads what is fed.
type feed struct {
	cfg        Config
	pull       func() (Origin, Record, bool)
	stand      map[place]Standing
	partitions map[Origin]*fed
}

// fed is a partition that something was fed of.
type fed struct {
	Origin
	first, next int64
	topicID     string
	batch       *batch // that has a run of it
	run         int    // its place there
}

func (f *feed) read(ctx context.Context) (*batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b := &batch{steps: map[Origin]step{}}
	for !b.full(&f.cfg) {
		origin, record, ok := f.pull()
		if !ok {
			break
		}
		p := f.partitions[origin]
		if p == nil {
			s, landed := f.stand[placeOf(&origin)]
			p = &fed{Origin: origin, first: record.Offset, next: s.Next, topicID: s.TopicID}
			if !landed {
				p.next = record.Offset
			}
			f.partitions[origin] = p
		}
		if record.Offset < p.next {
			return nil, fmt.Errorf("land records: %s/%d: offset %d is fed behind %d", origin.Name, origin.Partition, record.Offset, p.next-1)
		}
		if p.batch != b {
			p.batch, p.run = b, len(b.runs)
			b.runs = append(b.runs, run{from: &p.Origin})
		}
		b.runs[p.run].records = append(b.runs[p.run].records, record)
		b.count(origin.Contract, 1)
		b.bytes += record.size()
		p.next = record.Offset + 1
	}
	if b.rows == 0 {
		return nil, nil
	}
	for _, r := range b.runs {
		p := f.partitions[*r.from]
		b.steps[p.Origin] = step{first: p.first, next: p.next, end: p.next, topicID: p.topicID}
	}
	return b, nil
}
