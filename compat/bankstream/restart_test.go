package bankstream_test

import (
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/ledger/publisher"
	"github.com/bkledger/bk/migrations/kafkatest"
)

// hold makes an account hold some instruments, by one entry.
func (w *world) hold(account int64, instruments int) *kgo.Record {
	w.sequence++
	e := &bkv1.Entry{Id: w.sequence, Sequence: w.sequence, Kind: "one", BookedAt: timestamppb.New(time.UnixMilli(1_700_000_000_000))}
	for n := range instruments {
		e.Postings = append(e.Postings, &bkv1.Posting{Account: account, Instrument: int64(n) + 1, Quantity: fmt.Sprintf("%d.25", 1+w.rng.IntN(1_000_000)), Bucket: bkv1.Bucket_BUCKET_SETTLED})
	}
	value, err := proto.Marshal(&bkv1.Event{Entry: e})
	if err != nil {
		w.t.Fatal(err)
	}
	id := fmt.Append(nil, w.sequence)
	return &kgo.Record{Key: fmt.Append(nil, account), Value: value, Headers: []kgo.RecordHeader{
		{Key: publisher.HeaderEntryID, Value: id}, {Key: publisher.HeaderLeg, Value: []byte("0")}, {Key: publisher.HeaderLegs, Value: []byte("1")},
	}}
}

// restart gives how long an instance takes from its start until it goes on, with many positions.
func restart(t testing.TB, positions int) time.Duration {
	const each = 50
	w := newWorld(t, kafkatest.New(t).Addr())
	w.topic(8)
	var records []*kgo.Record
	for n := range positions / each {
		if records = append(records, w.hold(100_000+int64(n), each)); len(records) == 500 {
			w.publish(records...)
			records = nil
		}
	}
	if len(records) > 0 {
		w.publish(records...)
	}
	w.records = nil
	cfg := w.config("a", &teller{})
	cfg.MaxRecords, cfg.Log, cfg.TransactionTimeout = 1000, slog.New(slog.DiscardHandler), 30*time.Second
	first := w.start(cfg)
	w.caughtUp(first)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	again := w.start(cfg)
	until(t, "the instance to go on", func() bool { return again.Status().Ready })
	took := time.Since(began)
	held := 0
	for _, p := range again.Status().Partitions {
		held += p.Holdings
	}
	if held != positions/each*each {
		t.Errorf("%d positions, and not %d", held, positions)
	}
	if err := again.stop(); err != nil {
		t.Fatal(err)
	}
	return took
}

// TestManyPositions: a restart with some positions is quick.
func TestManyPositions(t *testing.T) {
	t.Parallel()
	took := restart(t, 50_000)
	t.Logf("restarted with 50,000 positions in %s", took)
	if took > 10*time.Second { // with a million
		t.Errorf("a restart took %s", took)
	}
}

// BenchmarkRestart is a restart with a million positions, through Kafka.
func BenchmarkRestart(b *testing.B) {
	for range b.N {
		b.ReportMetric(restart(b, 1_000_000).Seconds(), "s/restart")
	}
}
