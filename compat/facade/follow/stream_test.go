package follow_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bkledger/bk/compat/bank"
)

// foreign publishes on Bank's topics as the stream does: in transactions, one of which is given up. They are the last in every partition.
func (w *world) foreign() {
	w.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(w.broker), kgo.TransactionalID("stream"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	for _, end := range []kgo.TransactionEndTry{kgo.TryAbort, kgo.TryCommit} {
		if err := client.BeginTransaction(); err != nil {
			w.t.Fatal(err)
		}
		var records []*kgo.Record
		for topic, partitions := range map[string]int32{bank.TopicTrades: 4, bank.TopicCash: 4, bank.TopicBusinessDate: 1} {
			for p := range partitions {
				// Bank's own would be followed, and this one could not even be read.
				records = append(records, &kgo.Record{Topic: topic, Partition: p, Value: []byte("the stream's"), Headers: []kgo.RecordHeader{{Key: "bk-entry", Value: []byte("7")}}})
			}
		}
		if err := client.ProduceSync(w.t.Context(), records...).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
		if err := client.EndTransaction(w.t.Context(), end); err != nil {
			w.t.Fatal(err)
		}
	}
}

// What the stream publishes on Bank's topics is passed over, its transactions' marks too; Bank's ids jump over a floor; and what Bank's relay holds back is waited for.
func TestStream(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.relay()
	ctx := t.Context()
	f, _ := w.follower()
	w.step(func(tx pgx.Tx) error { return f.Open(ctx, tx, 1, w.place(), 0) })
	if err := w.work("before", 1, 20); err != nil {
		t.Fatal(err)
	}
	w.caught(f)
	w.foreign()
	w.caught(f)
	steer := func(s bank.RelaySetting) {
		t.Helper()
		if _, err := w.bank.SetRelay(ctx, s); err != nil {
			t.Fatal(err)
		}
	}
	steer(bank.RelaySetting{Epoch: 1, Held: true, Floor: 1_000_000})
	w.caught(f)
	if err := w.work("held", 2, 20); err != nil {
		t.Fatal(err)
	}
	if last := w.place(); last <= 1_000_000 {
		t.Fatalf("Bank's last event is %s", last)
	}
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	if err := f.Caught(short, w.place()); err == nil || !strings.Contains(err.Error(), "Bank has not sent event 1000001 to Kafka") {
		t.Errorf("caught up with what is held: %v", err)
	}
	w.foreign()
	steer(bank.RelaySetting{Epoch: 2})
	w.caught(f)
	w.step(func(tx pgx.Tx) error { return f.Close(ctx, tx, w.place()) })
	if rows := w.same(); rows < 30 {
		t.Errorf("only %d journal rows were compared", rows)
	}

	// The next window begins at the end of what the stream has published.
	w.step(func(tx pgx.Tx) error { return f.Open(ctx, tx, 3, w.place(), 0) })
	w.foreign()
	if err := w.work("after", 3, 10); err != nil {
		t.Fatal(err)
	}
	w.caught(f)
	if w.same() == 0 {
		t.Error("nothing was compared")
	}
}
