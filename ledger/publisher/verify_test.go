package publisher

import (
	"context"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/migrations/kafkatest"
)

// TestVerify changes a stream in one place each and wants the breach named.
func TestVerify(t *testing.T) {
	t.Parallel()
	const seq = 70 // the entry that is changed
	for _, tc := range []struct {
		name   string
		damage func(all []*kgo.Record) []*kgo.Record // all records in order of publishing; at(all) is the first of entry seq
		what   string                                // in the first breach of entry seq; "": no breach
	}{
		{"nothing", func(all []*kgo.Record) []*kgo.Record { return all }, ""},
		{"another shard's event", func(all []*kgo.Record) []*kgo.Record {
			r := *all[0]
			r.Headers = append([]kgo.RecordHeader(nil), r.Headers...)
			r.Headers[1].Value = []byte("32767")
			return append(all, &r)
		}, ""},
		{"missing", func(all []*kgo.Record) []*kgo.Record {
			return append(all[:at(all, seq):at(all, seq)], all[at(all, seq)+1:]...)
		}, "missing"},
		{"twice", func(all []*kgo.Record) []*kgo.Record { return append(all, all[at(all, seq)]) }, "twice"},
		{"too late", func(all []*kgo.Record) []*kgo.Record {
			i := at(all, seq)
			return append(append(all[:i:i], all[i+1:]...), all[i])
		}, "missing"},
		{"other value", func(all []*kgo.Record) []*kgo.Record { all[at(all, seq)].Value = []byte("x"); return all }, "value"},
		{"other time", func(all []*kgo.Record) []*kgo.Record {
			r := all[at(all, seq)]
			r.Timestamp = r.Timestamp.AddDate(0, 0, -1)
			return all
		}, "time"},
		{"other type", func(all []*kgo.Record) []*kgo.Record {
			all[at(all, seq)].Headers[0].Value = []byte("other")
			return all
		}, "bk-type"},
		{"other id", func(all []*kgo.Record) []*kgo.Record { all[at(all, seq)].Headers[3].Value = []byte("1"); return all }, "bk-entry-id"},
		{"a header too many", func(all []*kgo.Record) []*kgo.Record {
			r := all[at(all, seq)]
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: "more"})
			return all
		}, "headers"},
		{"other partition", func(all []*kgo.Record) []*kgo.Record {
			r := all[at(all, seq)]
			r.Partition = (r.Partition + 1) % 4
			return all
		}, "missing"},
		{"no headers", func(all []*kgo.Record) []*kgo.Record { all[at(all, seq)].Headers = nil; return all }, "missing"},
		{"beyond the journal", func(all []*kgo.Record) []*kgo.Record {
			r := *all[len(all)-1]
			r.Headers = append([]kgo.RecordHeader(nil), r.Headers...)
			r.Headers[2].Value = []byte("1000000")
			return append(all, &r)
		}, "beyond the journal"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, m := kafkatest.New(t), newMemory()
			m.book(80)
			cfg := config(t, b, m)
			p := newPublisher(t, cfg)
			all := tc.damage(events(t, p, m))
			write(t, p, all)
			report, err := p.Verify(t.Context(), func(Report) {})
			if err != nil {
				t.Fatal(err)
			}
			if tc.what == "" {
				if !report.OK() || report.Entries != m.Head().Seq || report.Events+report.Foreign != uint64(len(all)) {
					t.Errorf("%+v", report)
				}
				return
			}
			found := false
			for _, breach := range report.Breaches {
				found = found || strings.Contains(breach.What, tc.what) && (breach.Seq == seq || breach.Seq == 1000000) && breach.Shard == m.shard
			}
			if !found || report.BreachCount > 3 {
				t.Errorf("no breach of entry %d with %q, or too many: %+v", seq, tc.what, report.Breaches)
			}
		})
	}
}

func at(all []*kgo.Record, seq uint64) int {
	for i, r := range all {
		if h, err := parseHeaders(r); err == nil && h.seq == seq {
			return i
		}
	}
	panic("no such entry")
}

// events gives what is due for the whole journal, with partitions.
func events(t *testing.T, p *Publisher, m *memory) (all []*kgo.Record) {
	t.Helper()
	made, err := p.cfg.makeAll(m.entries)
	if err != nil {
		t.Fatal(err)
	}
	place := kgo.StickyKeyPartitioner(nil).ForTopic(p.cfg.Events)
	for i := range made {
		for j := range made[i].records {
			r := &made[i].records[j]
			r.Partition = int32(place.Partition(r, int(p.cfg.Partitions)))
			all = append(all, r)
		}
	}
	return all
}

// write makes a stream of the records as they are, with a checkpoint for the whole journal.
func write(t *testing.T, p *Publisher, all []*kgo.Record) {
	t.Helper()
	p.owner = "test"
	s, err := p.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	ctx, cancel := context.WithTimeout(t.Context(), p.cfg.AttemptTimeout)
	defer cancel()
	if err := s.open(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.claim(ctx); err != nil {
		t.Fatal(err)
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(p.cfg.Brokers...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	copies := make([]*kgo.Record, len(all)) // one record may be there twice
	for i, r := range all {
		one := *r
		copies[i] = &one
	}
	if err := c.ProduceSync(ctx, copies...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	next := s.at
	last := p.cfg.Journal.(*memory).entries[p.cfg.Journal.Head().Seq-1]
	next.seq, next.hash = last.ID.Seq(), last.Hash
	if err := s.begin(); err != nil {
		t.Fatal(err)
	}
	if err := s.commit(ctx, next); err != nil {
		t.Fatal(err)
	}
}

// While a publisher goes on, Verify finds nothing wrong.
func TestVerifyMeanwhile(t *testing.T) {
	t.Parallel()
	b, m := kafkatest.New(t), newMemory()
	cfg := config(t, b, m)
	cfg.MaxEntries = 100
	p := start(t, cfg)
	stop := load(m, 100, 1)
	defer stop()
	eventually(t, "publishing", func() bool { return p.Status().State == Publishing })
	for range 10 {
		if r, err := p.Verify(t.Context(), nil); err != nil || !r.OK() {
			t.Fatalf("Verify: %v, %+v", err, r)
		}
	}
}

func TestCheckpointEncoding(t *testing.T) {
	t.Parallel()
	at := checkpoint{shard: 7, seq: 12, hash: [32]byte{1, 2, 3}, ends: []int64{4, 5}, term: 6, owner: "me"}
	r := at.record("topic")
	want := `{"v":1,"shard":7,"seq":12,"hash":"0102030000000000000000000000000000000000000000000000000000000000","ends":[4,5],"term":6,"owner":"me"}`
	if string(r.Value) != want || string(r.Key) != "publisher/7" {
		t.Errorf("%s: %s", r.Key, r.Value)
	}
	back, err := parseCheckpoint(r.Value)
	if err != nil || back.seq != at.seq || back.hash != at.hash || back.term != at.term || back.owner != at.owner || len(back.ends) != 2 {
		t.Errorf("%+v: %v", back, err)
	}
	for _, bad := range []string{``, `{}`, `{"v":2}`, strings.Replace(want, `"v":1`, `"v":2`, 1), strings.Replace(want, "0102", "01", 1), strings.Replace(want, "0102", "zz02", 1)} {
		if _, err := parseCheckpoint([]byte(bad)); !permanent(err) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add([]byte(`{"v":1,"shard":7,"seq":12,"hash":"0102","ends":[4,5],"term":6,"owner":"me"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		at, err := parseCheckpoint(value)
		if err != nil {
			return
		}
		if again, err := parseCheckpoint(at.record("t").Value); err != nil || again.seq != at.seq || again.hash != at.hash {
			t.Errorf("%s: %v", value, err)
		}
	})
}

func FuzzParseHeaders(f *testing.F) {
	f.Add("1", "2", "3", "4")
	f.Fuzz(func(t *testing.T, shard, seq, leg, legs string) {
		h, err := parseHeaders(&kgo.Record{Headers: []kgo.RecordHeader{{Key: HeaderShard, Value: []byte(shard)}, {Key: HeaderSeq, Value: []byte(seq)},
			{Key: HeaderLeg, Value: []byte(leg)}, {Key: HeaderLegs, Value: []byte(legs)}}})
		if err == nil && (h.shard > ledger.MaxShard || h.leg < 0 || h.legs < 0) {
			t.Errorf("%+v", h)
		}
	})
}
