package bankstream_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream"
	"github.com/bkledger/bk/migrations/kafkatest"
	"github.com/bkledger/bk/migrations/pgtest"
)

func TestMain(m *testing.M) {
	if text, ok := os.LookupEnv(childEnv); ok {
		os.Exit(streamChild(text))
	}
	pgtest.Main(m)
}

// TestRestart: what was told is told once, in order, over restarts, and the running totals go on.
func TestRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.New(t).Addr())
	w.topic(partitions)
	for range 3 {
		w.book(500)
		r := w.start(w.config("a", &teller{}))
		w.book(300)
		w.caughtUp(r)
		if s := r.Status(); !s.Ready || s.Unready() != "" || len(s.Partitions) != partitions {
			t.Errorf("caught up, and %+v", s)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
	}
	w.same(w.published(w.shadows()...), w.expected(nil, nil))
}

// TestRebalances: one instance, three, and one again, under load.
func TestRebalances(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.New(t).Addr())
	w.topic(partitions)
	one := w.start(w.config("one", &teller{}))
	load, stop := context.WithCancel(t.Context())
	var loading sync.WaitGroup
	loading.Go(func() {
		for load.Err() == nil {
			w.book(50)
			time.Sleep(5 * time.Millisecond) // a pace, not a wait
		}
	})
	until(t, "the first to run", func() bool { return one.Status().Ready && one.find(0).Offset > 100 })
	two, three := w.start(w.config("two", &teller{})), w.start(w.config("three", &teller{}))
	all := []*running{one, two, three}
	until(t, "all to have partitions", func() bool {
		held := 0
		for _, r := range all {
			s := r.Status()
			if !s.Ready || len(s.Partitions) == 0 {
				return false
			}
			held += len(s.Partitions)
		}
		return held == partitions
	})
	w.book(500)
	if err := errors.Join(one.stop(), three.stop()); err != nil {
		t.Fatal(err)
	}
	until(t, "the one that is left to have all", func() bool { s := two.Status(); return s.Ready && len(s.Partitions) == partitions })
	stop()
	loading.Wait()
	w.caughtUp(two)
	w.same(w.published(w.shadows()...), w.expected(nil, nil))
}

// TestPoison: a partition stands at what can't be told, the others go on; exactly that event is left out, by who and why, which is kept.
func TestPoison(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.New(t).Addr())
	w.topic(partitions)
	w.book(300)
	bad := w.entry("poison", account(3))
	w.publish(bad...)
	w.book(300)
	r := w.start(w.config("a", &teller{}))
	p := w.standing(r, bankstream.Poisoned)
	if p.Offset != bad[0].Offset || p.Partition != bad[0].Partition || !strings.Contains(p.Error, "account 100003 is odd") || r.Status().Unready() == "" {
		t.Errorf("stands at %+v, and the bad one is at %d", p, bad[0].Offset)
	}
	others := func() bool {
		for id := range int32(partitions) {
			if s := r.find(id); id != p.Partition && (s.Lag != 0 || s.Offset == 0) {
				return false
			}
		}
		return true
	}
	until(t, "the others to go on", others)
	w.book(200)
	until(t, "the others to go on", others)

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.Skip(ctx, p.Partition, p.Offset+1, "anna", "CHG-1"); !errors.Is(err, bankstream.ErrNoSkip) {
		t.Errorf("skipping another offset: %v", err)
	}
	if err := r.Skip(ctx, p.Partition, p.Offset, "anna", ""); err == nil || errors.Is(err, bankstream.ErrNoSkip) {
		t.Errorf("skipping without a reason: %v", err)
	}
	// A restart changes nothing.
	if err := r.stop(); err != nil {
		t.Fatal(err)
	}
	r = w.start(w.config("a", &teller{}))
	if again := w.standing(r, bankstream.Poisoned); again.Offset != p.Offset {
		t.Fatalf("after a restart it stands at %+v", again)
	}
	if err := r.Skip(ctx, p.Partition, p.Offset, "anna", "CHG-1"); err != nil {
		t.Fatal(err)
	}
	w.caughtUp(r)
	for range 2 {
		s := r.find(p.Partition)
		if s.Skipped != 1 || len(s.Skips) != 1 || s.Skips[0].Who != "anna" || s.Skips[0].Why != "CHG-1" || s.Skips[0].Offset != p.Offset || !strings.Contains(s.Skips[0].Error, "is odd") {
			t.Errorf("what was skipped: %+v", s)
		}
		if err := r.stop(); err != nil {
			t.Fatal(err)
		}
		r = w.start(w.config("b", &teller{}))
		w.caughtUp(r)
	}
	w.same(w.published(w.shadows()...), w.expected(func(r *kgo.Record) bool { return entryOf(r) == entryOf(bad[0]) }, nil))
}

// TestWaits: what may pass holds up one partition only, for as long as it takes.
func TestWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.New(t).Addr())
	w.topic(partitions)
	w.book(300)
	l := &teller{}
	l.away.Store(account(5))
	r := w.start(w.config("a", l))
	p := w.standing(r, bankstream.Waiting)
	if !strings.Contains(p.Error, errAway.Error()) {
		t.Errorf("it waits: %+v", p)
	}
	w.book(300)
	until(t, "the others to go on", func() bool {
		done := 0
		for id := range int32(partitions) {
			if s := r.find(id); s.Lag == 0 && s.Offset > 0 {
				done++
			}
		}
		return done == partitions-1
	})
	l.away.Store(0)
	w.caughtUp(r)
	w.same(w.published(w.shadows()...), w.expected(nil, nil))
}

// TestTooLarge: an event that Kafka doesn't take is the fault of the event that gave it: its transaction is aborted, and its partition stands there.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.New(t).Addr())
	w.topic(partitions)
	w.book(100)
	bad := w.entry("large", account(3))
	w.publish(bad...)
	w.book(100)
	r := w.start(w.config("a", &teller{}))
	p := w.standing(r, bankstream.Poisoned)
	if p.Offset != bad[0].Offset || !strings.Contains(p.Error, "2097") {
		t.Errorf("stands at %+v, and the bad one is at %d", p, bad[0].Offset)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.Skip(ctx, p.Partition, p.Offset, "anna", "too large for anybody"); err != nil {
		t.Fatal(err)
	}
	w.caughtUp(r)
	w.same(w.published(w.shadows()...), w.expected(func(r *kgo.Record) bool { return entryOf(r) == entryOf(bad[0]) }, nil))
}

// TestFenced: of two under one name the older one ends, and says why.
func TestFenced(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.New(t).Addr())
	w.topic(partitions)
	w.book(200)
	older := w.start(w.config("a", &teller{}))
	w.caughtUp(older)
	younger := w.start(w.config("a", &teller{}))
	select {
	case <-older.done:
		if !errors.Is(older.err, bankstream.ErrFenced) {
			t.Errorf("the older one ended with %v", older.err)
		}
	case <-time.After(patience):
		t.Fatal("both run")
	}
	w.book(200)
	w.caughtUp(younger)
	w.same(w.published(w.shadows()...), w.expected(nil, nil))
}

// TestMissingTopic: BK's topic is waited for. The broker is its own: Bank's topics, of which others make some, would say how many partitions there are to be.
func TestMissingTopic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.Own(t).Addr())
	r := w.start(w.config("a", &teller{}))
	until(t, "it to say what is missing", func() bool { return strings.Contains(r.Status().Unready(), "there is no topic "+w.events()) })
	w.topic(2)
	w.book(50)
	w.caughtUp(r)
	w.same(w.published(w.shadows()...), w.expected(nil, nil))
	found, err := w.admin.ListTopics(t.Context(), w.name+".state", w.name+"."+bank.TopicTrades, w.name+"."+bank.TopicBusinessDate)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{w.name + ".state": 2, w.name + "." + bank.TopicTrades: 2, w.name + "." + bank.TopicBusinessDate: 1} {
		if n := len(found[name].Partitions); n != want {
			t.Errorf("%s has %d partitions and not %d", name, n, want)
		}
	}
}

// TestTopicsDontFit: the state's topic must have as many partitions as BK's, and be compacted.
func TestTopicsDontFit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		partitions int32
		policy     string
		says       string
	}{
		"another number": {3, "compact", "has 3 partitions"},
		"not compacted":  {partitions, "delete", "cleanup.policy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, kafkatest.New(t).Addr())
			w.topic(partitions)
			if _, err := w.admin.CreateTopic(t.Context(), c.partitions, 1, map[string]*string{"cleanup.policy": &c.policy}, w.name+".state"); err != nil {
				t.Fatal(err)
			}
			r := w.start(w.config("a", &teller{}))
			select {
			case <-r.done:
				if !errors.Is(r.err, bankstream.ErrTopics) || !strings.Contains(r.err.Error(), c.says) {
					t.Errorf("it ended with %v", r.err)
				}
			case <-time.After(patience):
				t.Fatal("it runs")
			}
		})
	}
}

// TestLost: history that is gone, wherever it was, stops a partition, and never begins anew.
func TestLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lose     func(ctx context.Context, w *world) error
		says     string
		embedded bool
	}{
		"the beginning, before the first start": {lose: func(ctx context.Context, w *world) error {
			return deleteBefore(ctx, w, w.events(), 10)
		}, says: "retention has deleted it"},
		"the changelog": {lose: func(ctx context.Context, w *world) error {
			tell(w)
			_, err := w.admin.DeleteTopic(ctx, w.name+".state")
			return err
		}, says: "and the state in"},
		"the group's offsets and what is in the changelog": {lose: func(ctx context.Context, w *world) error {
			tell(w)
			_, err := w.admin.DeleteGroup(ctx, w.name)
			return errors.Join(err, deleteBefore(ctx, w, w.name+".state", -1))
		}, says: "something was there", embedded: true},
		"what was not read yet": {lose: func(ctx context.Context, w *world) error {
			tell(w)
			w.book(500)
			return deleteBefore(ctx, w, w.events(), -1)
		}, says: "retention has deleted it"},
		"BK's topic, made anew": {lose: func(ctx context.Context, w *world) error {
			tell(w)
			if _, err := w.admin.DeleteTopic(ctx, w.events()); err != nil {
				return err
			}
			w.client.PurgeTopicsFromClient(w.events())
			w.topic(partitions)
			w.sequence++ // another history
			w.book(3000)
			return nil
		}, says: "it is another topic"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := kafkatest.New(t)
			if c.embedded && b.Real() {
				t.Skip("Apache Kafka does not delete records of a compacted topic when it is asked to")
			}
			w := newWorld(t, b.Addr())
			w.topic(partitions)
			w.book(500)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			if err := c.lose(ctx, w); err != nil {
				t.Fatal(err)
			}
			before := map[string][]told{}
			if listed, err := w.admin.ListTopics(ctx, w.shadows()...); err == nil && listed.Error() == nil {
				before = w.published(w.shadows()...)
			}
			r := w.start(w.config("b", &teller{}))
			p := w.standing(r, bankstream.Lost)
			if !strings.Contains(p.Error, c.says) {
				t.Errorf("it stands: %+v", p)
			}
			until(t, "no partition to be in doubt", func() bool {
				s := r.Status()
				for _, p := range s.Partitions {
					if p.Phase == bankstream.Restoring {
						return false
					}
				}
				return true
			})
			for _, p := range r.Status().Partitions {
				if p.Phase != bankstream.Lost {
					t.Errorf("partition %d is %s", p.Partition, p.Phase)
				}
			}
			w.same(w.published(w.shadows()...), before)
		})
	}
}

// tell runs an instance until it has told all.
func tell(w *world) {
	w.t.Helper()
	r := w.start(w.config("a", &teller{}))
	w.caughtUp(r)
	if err := r.stop(); err != nil {
		w.t.Fatal(err)
	}
}

// deleteBefore does what retention does, up to an offset of all partitions, or, with -1, to their ends.
func deleteBefore(ctx context.Context, w *world, topic string, offset int64) error {
	ends, err := w.admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	at := kadm.Offsets{}
	ends.Each(func(o kadm.ListedOffset) {
		if offset >= 0 {
			o.Offset = min(o.Offset, offset)
		}
		at.Add(kadm.Offset{Topic: topic, Partition: o.Partition, At: o.Offset})
	})
	done, err := w.admin.DeleteRecords(ctx, at)
	if err != nil {
		return err
	}
	return done.Error()
}

// TestOwner: what the stream owns is on Bank's topics too, under ids that go on behind Bank's.
func TestOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kafkatest.New(t).Addr())
	w.topic(partitions)
	w.book(300)
	from := w.sequence
	w.book(300)
	owned := func(sequence int64) bool { return sequence > from }
	cfg := w.config("a", &teller{})
	cfg.Owner = ownerFunc(owned)
	r := w.start(cfg)
	w.caughtUp(r)
	w.same(w.published(append(w.shadows(), bank.TopicTrades, bank.TopicCash, bank.TopicBusinessDate)...), w.expected(nil, owned))
}

type ownerFunc func(int64) bool

func (f ownerFunc) Of(_ context.Context, sequence int64) (int64, bool, error) {
	return base, f(sequence), nil
}
