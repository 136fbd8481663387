package follow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// session is the following of one window.
type session struct {
	*Follower
	client  *kgo.Client
	admin   *kadm.Client
	window  window
	lanes   *lanes
	cohort  *cohort                   // the next to be ripe
	stored  map[place]int64           // offsets as they were at the beginning
	next    map[place]int64           // to be read next
	open    map[place]map[int64]int64 // events that wait: their offsets, by id
	wrote   map[place]int64           // offsets as written
	looked  time.Time                 // at the window
	listed  time.Time                 // the topics
	missing string                    // topics that are not there, as last said
	paused  map[place]bool
	swept   time.Time
}

func (f *Follower) follow(ctx context.Context, conn *pgx.Conn, w window) error {
	s := &session{
		Follower: f, window: w, lanes: newLanes(w.Date), next: map[place]int64{}, open: map[place]map[int64]int64{}, wrote: map[place]int64{}, paused: map[place]bool{},
		swept: time.Now(),
	}
	var err error
	// It is to know of a new partition at once.
	// It must not go on by itself where the log begins, if that is behind what was read.
	// It is to see the marks of the stream's transactions, which take places in the log: else it would never come to the end.
	options := append([]kgo.Opt{
		kgo.SeedBrokers(f.cfg.Brokers...), kgo.MetadataMinAge(metadataAge), kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.KeepControlRecords(),
	}, f.cfg.Options...)
	if s.client, err = kgo.NewClient(options...); err != nil {
		return fmt.Errorf("make a Kafka client: %w", err)
	}
	defer s.client.Close()
	s.admin = kadm.NewClient(s.client)
	if s.stored, err = s.offsets(ctx); err != nil {
		return err
	}
	maps.Copy(s.wrote, s.stored)
	for ctx.Err() == nil {
		if time.Since(s.listed) >= topicsPoll {
			if err := s.list(ctx, conn); err != nil {
				return err
			}
		}
		if err := s.take(ctx, s.poll(ctx)); err != nil {
			return err
		}
		if err := s.advance(ctx); err != nil {
			return err
		}
		if err := s.write(ctx, conn); err != nil {
			return err
		}
		s.bound()
		if time.Since(s.swept) > pruneEvery {
			s.swept = time.Now()
			if err := f.prune(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *session) poll(ctx context.Context) kgo.Fetches {
	wait := pollFor
	if s.cohort != nil {
		wait = pollShort
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return s.client.PollRecords(ctx, pollEvents)
}

// list looks for partitions that are not read yet, and begins to read them where the table says, else at offset 0: what is before the window is left out. Where the log
// begins behind that, or ends before it, events are missing.
func (s *session) list(ctx context.Context, conn *pgx.Conn) error {
	s.listed = time.Now()
	starts, missing, err := listed(ctx, s.admin.ListStartOffsets, &s.cfg)
	if err != nil {
		return fmt.Errorf("look at Bank's topics: %w", err)
	}
	if missing != s.missing {
		if s.missing = missing; missing != "" {
			s.cfg.Log.Warn("Kafka has no such topics of Bank's yet: they are waited for", "topics", missing, "brokers", s.cfg.Brokers)
		}
	}
	begins := map[place]int64{}
	for at := range starts {
		next, reading := s.next[at]
		if !reading {
			next = s.stored[at]
		}
		begins[at] = next
	}
	finish, err := ends(ctx, s.admin, &s.cfg) // asked later than what is read was told
	if err != nil {
		return err
	}
	from := map[string]map[int32]kgo.Offset{}
	var gaps []Gap
	for at, start := range starts {
		next := begins[at]
		_, reading := s.next[at]
		if end, known := finish[at]; known && end < next {
			gaps = append(gaps, Gap{Topic: at.topic, Partition: at.partition, First: next, Next: end})
			continue
		}
		if next < start {
			gaps = append(gaps, Gap{Topic: at.topic, Partition: at.partition, First: next, Next: start})
			continue
		}
		if reading {
			continue
		}
		s.next[at] = next
		if from[at.topic] == nil {
			from[at.topic] = map[int32]kgo.Offset{}
		}
		from[at.topic][at.partition] = kgo.NewOffset().At(next)
	}
	if len(gaps) > 0 {
		err := s.note(ctx, conn, &s.window, gaps)
		s.cfg.Log.Error("following Bank has stopped", "error", err)
		return err
	}
	if len(from) > 0 {
		s.client.AddConsumePartitions(from)
	}
	return nil
}

// take takes events into the lanes.
func (s *session) take(ctx context.Context, fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
			return fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	var events []*event
	var bad error
	others := map[place]int64{}
	fetches.EachRecord(func(r *kgo.Record) {
		if foreign(r) {
			others[place{r.Topic, r.Partition}] = r.Offset + 1
			return
		}
		e, err := parse(r)
		bad = errors.Join(bad, err)
		if err == nil {
			events = append(events, e)
		}
	})
	if bad != nil {
		return bad
	}
	for at, next := range others { // none of Bank's own is left out by this: what is behind them is taken below, what is before waits by itself
		s.next[at] = max(s.next[at], next)
	}
	if len(events) == 0 {
		return nil
	}
	seen, err := s.seen(ctx, events)
	if err != nil {
		return err
	}
	for _, e := range events {
		s.next[e.place] = max(s.next[e.place], e.offset+1)
		if !s.window.has(e.ID) {
			if name, two := e.twin(); two && e.ID <= s.window.After && e.ID > s.window.After-straddle {
				s.lanes.before[name] = true
			}
			continue
		}
		s.window.Seen = max(s.window.Seen, e.ID)
		if !e.matters() || seen[e.ID] || s.lanes.ids[e.ID] {
			continue
		}
		s.lanes.add(e)
		if s.open[e.place] == nil {
			s.open[e.place] = map[int64]int64{}
		}
		s.open[e.place][e.ID] = e.offset
	}
	return nil
}

// write releases what can go, and writes it.
func (s *session) write(ctx context.Context, conn *pgx.Conn) error {
	items, err := s.lanes.release()
	if err != nil {
		return err
	}
	for _, i := range items {
		for _, e := range i.events {
			delete(s.open[e.place], e.ID)
		}
	}
	offsets := map[place]int64{}
	for at, next := range s.next {
		for _, offset := range s.open[at] {
			next = min(next, offset)
		}
		if s.wrote[at] != next {
			offsets[at] = next
		}
	}
	if len(items) == 0 && len(offsets) == 0 {
		if time.Since(s.looked) < lookEvery {
			return nil
		}
	}
	s.looked = time.Now()
	if err := s.Follower.write(ctx, conn, &s.window, items, offsets); err != nil { // it looks at the window, too
		return err
	}
	maps.Copy(s.wrote, offsets)
	if len(items) > 0 {
		s.cfg.Queued()
	}
	return nil
}

// advance makes the cohort ripe, if it is time, and begins the next.
func (s *session) advance(ctx context.Context) error {
	if s.cohort == nil {
		if !s.lanes.fresh {
			return nil
		}
		s.cohort = s.lanes.cohort()
	}
	c := s.cohort
	if !c.sent {
		bank, err := s.cfg.Bank.ReplayPlace(ctx)
		if err != nil {
			return fmt.Errorf("ask Bank what it has not sent yet: %w", err)
		}
		switch first := bank.FirstUnsentEventID; {
		case first == nil && time.Since(c.noted) < s.cfg.Quiet, first != nil && *first != 0 && int64(*first) <= c.highest:
			return nil
		}
		if c.ends, err = ends(ctx, s.admin, &s.cfg); err != nil {
			return err
		}
		c.sent = true
	}
	for at, end := range c.ends {
		next, reading := s.next[at]
		if !reading {
			s.listed = time.Time{} // a new partition
		}
		if next < end {
			return nil
		}
	}
	s.lanes.ripen(c)
	s.cohort = nil
	return nil
}

// bound stops reading partitions of which much waits for others, until less does.
func (s *session) bound() {
	most := s.cfg.Pending / max(1, len(s.next))
	for at := range s.next {
		switch waiting := len(s.open[at]); {
		case waiting > most && !s.paused[at]:
			s.client.PauseFetchPartitions(map[string][]int32{at.topic: {at.partition}})
			s.paused[at] = true
		case waiting <= most/2 && s.paused[at]:
			s.client.ResumeFetchPartitions(map[string][]int32{at.topic: {at.partition}})
			delete(s.paused, at)
		}
	}
}
