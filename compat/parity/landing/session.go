package landing

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/parity/dialect"
)

const (
	pollFor        = 50 * time.Millisecond
	fetchBytes     = 32 << 20
	partitionBytes = 4 << 20
	askTimeout     = 20 * time.Second       // for one question to the brokers
	backlogLingers = 10                     // times as long a batch is filled while Kafka has more than goes into it
	metadataAge    = 200 * time.Millisecond // of what the Kafka client knows of topics, at least
)

// session reads topics from where the warehouse stands.
type session struct {
	cfg    Config
	client *kgo.Client
	admin  *kadm.Client
	topics map[string]Topic
	stand  map[place]Standing

	parts   map[string]map[int32]*part
	missing string    // topics that are not there, as last said
	listed  time.Time // when the topics were last asked for; also when end was
	told    time.Time // the list that the last batch knew of
	moved   time.Time // when a record last came
	begun   bool
	accepts map[Accept]bool // those that have been used
	accept  []Statement     // to be written with the next batch
	newness bool            // a partition came that the warehouse does not know
}

// part is a partition that is read.
type part struct {
	Origin
	topicID string
	first   int64
	next    int64 // to be read
	end     int64 // as last asked
	stop    int64 // where the landing ends, if it does
	batch   *batch
	run     int
}

func newSession(cfg Config, stand map[place]Standing) (*session, error) {
	s := &session{cfg: cfg, stand: stand, topics: map[string]Topic{}, parts: map[string]map[int32]*part{}, moved: time.Now(), accepts: map[Accept]bool{}}
	for _, t := range cfg.Topics {
		s.topics[t.Name] = t
	}
	// It must not go on by itself where the log begins, if that is behind what was read. Control records are kept to know that a partition was read up to its end.
	options := append([]kgo.Opt{
		kgo.SeedBrokers(cfg.Brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.MetadataMinAge(metadataAge), kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(partitionBytes),
	}, cfg.Options...)
	var err error
	if s.client, err = kgo.NewClient(options...); err != nil {
		return nil, fmt.Errorf("make a Kafka client: %w", err)
	}
	s.admin = kadm.NewClient(s.client)
	return s, nil
}

func (s *session) close() { s.client.Close() }

// read gives the next batch, nil if all is read that is to be.
func (s *session) read(ctx context.Context) (*batch, error) {
	b := &batch{}
	var first time.Time // when the batch's first record came
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if time.Since(s.listed) >= s.cfg.Relist && (s.cfg.Follow || !s.begun) {
			if err := s.list(ctx); err != nil {
				return s.rest(b), err
			}
		}
		done := !s.cfg.Follow && s.done()
		full := b.full(&s.cfg)
		waited := b.rows > 0 && time.Since(first) >= s.cfg.Linger && (!s.fills(b) || time.Since(first) >= backlogLingers*s.cfg.Linger)
		news := b.rows == 0 && s.listed != s.told && (s.caughtUp() || s.newness || len(s.accept) > 0)
		if full || waited || news && s.cfg.Follow || done {
			if done && b.rows == 0 && s.told == s.listed {
				return nil, nil
			}
			return s.rest(b), nil
		}
		if err := s.poll(ctx, b, &first); err != nil {
			return nil, err
		}
		if !s.cfg.Follow && time.Since(s.moved) > s.cfg.Patience {
			return nil, fmt.Errorf("no record came for %s, and these were not read to the end: %s", s.cfg.Patience, s.lacking())
		}
	}
}

// rest completes a batch: how far it takes each partition.
func (s *session) rest(b *batch) *batch {
	b.steps, b.statements = map[Origin]step{}, s.accept
	all := s.told != s.listed
	for _, partitions := range s.parts {
		for _, p := range partitions {
			if p.batch != b && !all {
				continue
			}
			to := step{first: p.first, next: p.next, end: max(p.end, p.next), topicID: p.topicID}
			if p.next >= p.end {
				to.caughtUpAt = s.listed
			}
			b.steps[p.Origin] = to
		}
	}
	s.told, s.accept, s.newness = s.listed, nil, false
	return b
}

// poll takes what has come into the batch.
func (s *session) poll(ctx context.Context, b *batch, first *time.Time) error {
	polling, cancel := context.WithTimeout(ctx, pollFor)
	defer cancel()
	fetches := s.client.PollRecords(polling, s.cfg.BatchRows-b.most)
	for _, e := range fetches.Errors() {
		switch {
		case errors.Is(e.Err, context.DeadlineExceeded), errors.Is(e.Err, context.Canceled):
		case errors.Is(e.Err, kerr.OffsetOutOfRange): // deleted meanwhile, or made anew: the list says which
			if err := s.list(ctx); err != nil {
				return err
			}
			return fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
		default:
			return fmt.Errorf("read %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := s.parts[f.Topic][f.Partition]
		if p == nil || len(f.Records) == 0 {
			return
		}
		now := time.Now()
		if s.moved = now; first.IsZero() {
			*first = now
		}
		if p.batch != b {
			p.batch, p.run = b, len(b.runs)
			b.runs = append(b.runs, run{from: &p.Origin})
		}
		to := &b.runs[p.run]
		for _, r := range f.Records {
			if r.Offset < p.next {
				continue
			}
			if !s.cfg.Follow && r.Offset >= p.stop {
				break
			}
			p.next = r.Offset + 1
			b.count(p.Contract, 1) // control records too: the batch is bounded by what is read
			if r.Attrs.IsControl() {
				continue
			}
			record := Record{Offset: r.Offset, Key: r.Key, Value: r.Value, Stream: fromStream(r)}
			b.bytes += record.size()
			to.records = append(to.records, record)
		}
	})
	return nil
}

func fromStream(r *kgo.Record) bool {
	for _, h := range r.Headers {
		if h.Key == HeaderEntry {
			return true
		}
	}
	return false
}

// done reports whether all is read that was there at the beginning.
func (s *session) done() bool {
	for _, partitions := range s.parts {
		for _, p := range partitions {
			if p.next < p.stop {
				return false
			}
		}
	}
	return true
}

// fills reports whether a batch that waits for more will be full of what Kafka has already, and that comes.
func (s *session) fills(b *batch) bool {
	if time.Since(s.moved) >= pollFor {
		return false
	}
	var behind int64
	for _, partitions := range s.parts {
		for _, p := range partitions {
			behind += max(0, p.end-p.next)
		}
	}
	return behind >= int64(s.cfg.BatchRows-b.most)
}

// caughtUp reports whether some partition is read up to its end as last asked.
func (s *session) caughtUp() bool {
	for _, partitions := range s.parts {
		for _, p := range partitions {
			if p.next >= p.end {
				return true
			}
		}
	}
	return false
}

func (s *session) lacking() string {
	var all []string
	for _, partitions := range s.parts {
		for _, p := range partitions {
			if p.next < p.stop {
				all = append(all, fmt.Sprintf("%s/%d (at %d of %d)", p.Name, p.Partition, p.next, p.stop))
			}
		}
	}
	return strings.Join(all, ", ")
}

// list asks for topics and partitions, where they begin and end, and begins to read those that are new. What a broker says will pass (an election of a leader) is waited for.
func (s *session) list(ctx context.Context) error {
	asking, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	for {
		err := s.ask(asking)
		if !passing(err) {
			return err
		}
		select {
		case <-asking.Done():
			return err
		case <-time.After(metadataAge):
		}
	}
}

// landed reports whether something of a topic is in the warehouse.
func (s *session) landed(t Topic) bool {
	for at, stand := range s.stand {
		if at.side == t.Side && at.topic == t.Name && stand.Next > 0 {
			return true
		}
	}
	return false
}

// passing reports whether Kafka says that asking again may help.
func passing(err error) bool {
	shards := (*kadm.ShardErrors)(nil)
	if !errors.As(err, &shards) {
		return kerr.IsRetriable(err)
	}
	for _, e := range shards.Errs {
		if !kerr.IsRetriable(e.Err) {
			return false
		}
	}
	return true
}

func (s *session) ask(asking context.Context) error {
	names := make([]string, 0, len(s.topics))
	for name := range s.topics {
		names = append(names, name)
	}
	asked := time.Now().UTC().Truncate(time.Microsecond)
	details, err := s.admin.ListTopics(asking, names...)
	if err != nil {
		return fmt.Errorf("ask for the topics: %w", err)
	}
	var missing, there []string
	for _, t := range s.cfg.Topics {
		d := details[t.Name]
		switch {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition) || d.Err == nil && len(d.Partitions) == 0:
			if s.landed(t) {
				return fmt.Errorf("the topic %s was landed, and is not there any more", t.Name)
			}
			missing = append(missing, t.Name)
		case d.Err != nil:
			return fmt.Errorf("ask for the topic %s: %w", t.Name, d.Err)
		default:
			there = append(there, t.Name)
		}
	}
	if text := strings.Join(missing, ", "); text != s.missing {
		if s.missing = text; text != "" {
			s.cfg.Log.Warn("Kafka has no such topics yet", "topics", text)
		}
	}
	if len(there) > 0 {
		starts, err := s.admin.ListStartOffsets(asking, there...)
		if err != nil {
			return fmt.Errorf("ask where the topics begin: %w", err)
		}
		ends, err := s.admin.ListEndOffsets(asking, there...) // later than where they begin
		if err != nil {
			return fmt.Errorf("ask where the topics end: %w", err)
		}
		if err := s.take(details, starts, ends); err != nil {
			return err
		}
	}
	s.listed, s.begun = asked, true
	return nil
}

// take compares what Kafka has with what is to be read.
func (s *session) take(details kadm.TopicDetails, starts, ends kadm.ListedOffsets) error {
	var gaps []Gap
	from := map[string]map[int32]kgo.Offset{}
	for name, partitions := range starts {
		topic, id := s.topics[name], details[name].ID
		topicID := ""
		if id != (kadm.TopicID{}) {
			topicID = id.String()
		}
		for partition, start := range partitions {
			end := ends[name][partition]
			if err := errors.Join(start.Err, end.Err); err != nil {
				return fmt.Errorf("ask where %s/%d begins and ends: %w", name, partition, err)
			}
			p := s.parts[name][partition]
			isNew := p == nil
			if isNew {
				p = &part{Origin: Origin{topic, partition}, topicID: topicID, stop: end.Offset}
				stand, landed := s.stand[placeOf(&p.Origin)]
				if landed {
					p.first, p.next = stand.First, stand.Next
					if stand.TopicID != "" && topicID != "" && stand.TopicID != topicID {
						return fmt.Errorf("%s/%d: its id in Kafka is %s, and was %s: %w", name, partition, topicID, stand.TopicID, ErrMadeAnew)
					}
				}
				s.newness = s.newness || !landed
			}
			if end.Offset < p.next {
				return fmt.Errorf("%s/%d: it ends at %d, and was read up to %d: %w", name, partition, end.Offset, p.next, ErrMadeAnew)
			}
			p.end = end.Offset
			if p.next < start.Offset {
				gap := Gap{Side: topic.Side, Topic: name, Partition: partition, First: p.next, Next: start.Offset}
				if !isNew || !s.accepted(gap) {
					gaps = append(gaps, gap)
					continue
				}
				p.next = start.Offset
			}
			if isNew {
				if s.parts[name] == nil {
					s.parts[name] = map[int32]*part{}
				}
				if from[name] == nil {
					from[name] = map[int32]kgo.Offset{}
				}
				s.parts[name][partition] = p
				from[name][partition] = kgo.NewOffset().At(p.next)
			}
		}
	}
	if len(gaps) > 0 {
		return &GapError{gaps}
	}
	if len(from) > 0 {
		s.client.AddConsumePartitions(from)
	}
	return nil
}

// accepted reports whether somebody has said that the landing is to go on behind a gap, and notes who.
func (s *session) accepted(g Gap) bool {
	for _, a := range s.cfg.Accept {
		if a.Topic != g.Topic || a.Partition != g.Partition || a.Next != g.Next {
			continue
		}
		d := s.cfg.Store.Dialect()
		number := func(n int64) string { return strconv.FormatInt(n, 10) }
		names := []string{"side", "topic", "partition", "first_offset", "next_offset", "accepted_at", "who", "why"}
		values := []string{
			d.Literal(g.Side), d.Literal(g.Topic), number(int64(g.Partition)), number(g.First), number(g.Next), d.Time(time.Now()), d.Literal(a.Who), d.Literal(a.Why),
		}
		unless := d.Where("side", d.Literal(g.Side), "topic", d.Literal(g.Topic), "partition", number(int64(g.Partition)), "next_offset", number(g.Next))
		s.accept = append(s.accept, Statement{SQL: d.InsertOne(dialect.Gaps, names, values, unless), Rows: -1})
		return true
	}
	return false
}
