package bulk_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/bkledger/bk/api/bulk"
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/node"
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/ledger/journal"
	"github.com/bkledger/bk/migrations/pgtest"
)

var testTime = time.Date(2013, 10, 7, 12, 0, 0, 0, time.UTC)

// built is a journal in memory.
type built struct {
	manifest bulk.Manifest
	chunks   []bulk.Chunk
	outcomes []outcome
}

// buildAll builds a history; the time moves on by a second a step.
func buildAll(t testing.TB, steps []step, chunkRows int) built {
	t.Helper()
	var out built
	b, err := bulk.NewBuilder(bulk.BuilderConfig{ChunkRows: chunkRows, Sink: func(c bulk.Chunk) error {
		out.chunks = append(out.chunks, c)
		out.manifest.Chunks = append(out.manifest.Chunks, c.ChunkMeta)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range steps {
		out.outcomes = append(out.outcomes, s.build(t, b, testTime.Add(time.Duration(i)*time.Second)))
	}
	out.manifest.Epoch = 1
	if out.manifest.Summary, err = b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := out.manifest.Validate(); err != nil {
		t.Fatal(err)
	}
	return out
}

// rows reads a chunk's stream.
func rowsOf(t testing.TB, data []byte) (rows []journal.Row) {
	t.Helper()
	data = data[19:]
	take := func() []byte {
		n := int32(binary.BigEndian.Uint32(data))
		data = data[4:]
		if n < 0 {
			return nil
		}
		field := data[:n]
		data = data[n:]
		return field
	}
	number := func() *int64 {
		b := take()
		if b == nil {
			return nil
		}
		n := int64(binary.BigEndian.Uint64(b))
		return &n
	}
	for {
		columns := int16(binary.BigEndian.Uint16(data))
		data = data[2:]
		if columns < 0 {
			break
		}
		take() // shard
		r := journal.Row{Seq: uint64(*number()), Epoch: *number(), KeyHash: number(), Subject: number()}
		copy(r.Hash[:], take())
		r.Payload = take()
		rows = append(rows, r)
	}
	if len(data) != 0 {
		t.Fatalf("%d bytes behind the trailer", len(data))
	}
	return rows
}

// TestRowsAreTheServers: a server and a builder do the same things; their outcomes are the same, and so is each byte of their journals but for the epochs
// and the times of booking.
func TestRowsAreTheServers(t *testing.T) {
	t.Parallel()
	n := 3000
	if testing.Short() {
		n = 500
	}
	steps := history(1, n)
	dsn := pgtest.New(t)
	server := startNode(t, node.Config{Postgres: dsn, Migrate: true})
	var want []outcome
	rejected, repeats := map[string]int{}, 0
	for _, s := range steps {
		o := s.take(t, server)
		want = append(want, o)
		if o.reason != "" {
			rejected[o.reason]++
		}
		if o.repeat {
			repeats++
		}
	}
	server.verified(t)
	server.stop()
	got := buildAll(t, steps, 777)
	for i := range steps {
		if got.outcomes[i] != want[i] {
			t.Errorf("step %d (%v): %+v, the server's is %+v", i, steps[i].command, got.outcomes[i], want[i])
		}
	}
	t.Logf("%d steps, %d rows in %d chunks; rejected: %v; repeats: %d", len(steps), got.manifest.Summary.Rows, len(got.chunks), rejected, repeats)
	if len(rejected) < 8 || repeats < 20 {
		t.Errorf("too little is rejected (%v) or repeated (%d)", rejected, repeats)
	}

	have := journalRows(t, dsn)
	var rows []journal.Row
	for _, c := range got.chunks {
		if sha256.Sum256(c.Data) != c.SHA256 || int64(len(c.Data)) != c.Bytes {
			t.Errorf("chunk %d is not what it says", c.Number)
		}
		part := rowsOf(t, c.Data)
		if part[0].Seq != c.First || part[len(part)-1].Seq != c.Last || int64(len(part)) != c.Rows {
			t.Errorf("chunk %d has %d rows %d to %d, should have %d, %d to %d", c.Number, len(part), part[0].Seq, part[len(part)-1].Seq, c.Rows, c.First, c.Last)
		}
		rows = append(rows, part...)
	}
	if len(rows) != len(have) {
		t.Errorf("%d rows, the server has %d", len(rows), len(have))
	}
	kinds := map[ledger.Kind]int{}
	chain := journal.ChainStart(0)
	var day *ledger.Day
	for i := range min(len(rows), len(have)) {
		mine, err := rows[i].Entry(0)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := have[i].Entry(0)
		if err != nil {
			t.Fatal(err)
		}
		kinds[mine.Kind]++
		if day == nil && (mine.Account != nil || mine.Define != nil) {
			theirs.EffectiveDate = mine.EffectiveDate // before the first roll it is the day of booking
		}
		if mine.Day != nil {
			day = mine.Day
		}
		theirs.Epoch, theirs.BookedAt = mine.Epoch, mine.BookedAt
		have[i].Epoch, have[i].Payload = mine.Epoch, ledger.AppendEntry(nil, theirs)
		chain = journal.ChainNext(chain, 0, &have[i])
		if !bytes.Equal(have[i].Payload, rows[i].Payload) || chain != rows[i].Hash || !same(have[i].KeyHash, rows[i].KeyHash) || !same(have[i].Subject, rows[i].Subject) {
			t.Fatalf("row %d is\n%+v, the server's is\n%+v", i+1, mine, theirs)
		}
	}
	t.Log(kinds)
	for _, kind := range []ledger.Kind{ledger.KindTradeOpen, ledger.KindSettle, ledger.KindSettleStreet, ledger.KindReverse, ledger.KindLink, ledger.KindCancel, ledger.KindFX} {
		if kinds[kind] == 0 {
			t.Errorf("the history has no %s", kind)
		}
	}
	if got.manifest.Summary.Hash != chain || got.manifest.Summary.Day != 20131022 {
		t.Errorf("the summary is %+v", got.manifest.Summary)
	}
	for _, s := range got.manifest.Summary.Sums {
		if s.In != s.Out || s.Postings == 0 {
			t.Errorf("instrument %d: %+v", s.Instrument, s)
		}
	}
}

func same(a, b *int64) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

func journalRows(t *testing.T, dsn string) (all []journal.Row) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	rows, err := conn.Query(t.Context(), `SELECT seq, epoch, key_hash, subject, hash, payload FROM bk.journal ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		r, err := journal.ScanRow(rows)
		if err != nil {
			t.Fatal(err)
		}
		r.Payload = bytes.Clone(r.Payload)
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestChunksDontMatter: the same history in chunks of any size, and prepared on other goroutines ahead of its order, is the same journal.
func TestChunksDontMatter(t *testing.T) {
	t.Parallel()
	steps := history(2, 800)
	small, large := buildAll(t, steps, 100), buildAll(t, steps, 1<<20)
	if len(large.chunks) != 1 || len(small.chunks) < 10 {
		t.Fatalf("%d and %d chunks", len(small.chunks), len(large.chunks))
	}
	if small.manifest.Summary.Hash != large.manifest.Summary.Hash || small.manifest.Digest() == large.manifest.Digest() {
		t.Errorf("small %+v, large %+v", small.manifest.Summary, large.manifest.Summary)
	}

	var ahead built
	b, err := bulk.NewBuilder(bulk.BuilderConfig{ChunkRows: 1 << 20, Sink: func(c bulk.Chunk) error { ahead.chunks = append(ahead.chunks, c); return nil }})
	if err != nil {
		t.Fatal(err)
	}
	prepared := make([]*bulk.Prepared, len(steps)) // before there is anything that they name
	var wg sync.WaitGroup
	for part := range slices.Chunk(slices.Collect(func(yield func(int) bool) {
		for i := range steps {
			if !yield(i) {
				return
			}
		}
	}), len(steps)/3) {
		wg.Go(func() {
			for _, i := range part {
				if steps[i].command != nil {
					prepared[i] = b.Prepare(proto.CloneOf(steps[i].command), testTime.Add(time.Duration(i)*time.Second))
				}
			}
		})
	}
	wg.Wait()
	for i, s := range steps {
		if prepared[i] == nil {
			s.build(t, b, testTime.Add(time.Duration(i)*time.Second))
			continue
		}
		if _, err := b.BookPrepared(prepared[i]); err != nil && ledger.AsRejection(err) == nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(ahead.chunks[0].Data, large.chunks[0].Data) {
		t.Error("prepared ahead it is another journal")
	}
}

// TestBuilderFails: what a sink fails with ends the builder; bad settings are all told.
func TestBuilderFails(t *testing.T) {
	t.Parallel()
	_, err := bulk.NewBuilder(bulk.BuilderConfig{Shard: 1 << 15, Epoch: -1, ChunkRows: -1})
	for _, field := range []string{"shard", "epoch", "chunk rows", "sink"} {
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte(field)) {
			t.Errorf("no word about %s: %v", field, err)
		}
	}
	full := errors.New("the disk is full")
	b, err := bulk.NewBuilder(bulk.BuilderConfig{ChunkRows: 3, Sink: func(bulk.Chunk) error { return full }})
	if err != nil {
		t.Fatal(err)
	}
	defs := definitions()
	for i, s := range defs[:3] {
		_, err = b.DefineInstrument(s.instrument, "", testTime)
		if i < 2 && err != nil {
			t.Fatal(err)
		}
	}
	if !errors.Is(err, full) {
		t.Errorf("the third: %v", err)
	}
	if err := b.Roll(20131007, testTime); !errors.Is(err, full) {
		t.Errorf("a roll: %v", err)
	}
	if _, err := b.Close(); !errors.Is(err, full) {
		t.Errorf("close: %v", err)
	}
}

// TestRollRefuses: days that are none, and days before the business date; the date itself again does nothing.
func TestRollRefuses(t *testing.T) {
	t.Parallel()
	b, err := bulk.NewBuilder(bulk.BuilderConfig{Sink: func(bulk.Chunk) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Roll(20131008, testTime); err != nil {
		t.Fatal(err)
	}
	for to, reason := range map[int32]ledger.Reason{20131032: ledger.ReasonInvalid, 20131007: ledger.ReasonDayPassed} {
		if rej := ledger.AsRejection(b.Roll(to, testTime)); rej == nil || rej.Reason != reason || rej.Field != "to" {
			t.Errorf("%d: %v", to, rej)
		}
	}
	if err := b.Roll(20131008, testTime); err != nil {
		t.Error(err)
	}
	summary, err := b.Close()
	if err != nil || summary.Rows != 4 { // two locations, the day's begin and end
		t.Errorf("%+v, %v", summary, err)
	}
	if _, err := b.Close(); err == nil {
		t.Error("closed twice")
	}
}

// TestReceipts: where a trade stands after it is booked, and when it is repeated.
func TestReceipts(t *testing.T) {
	t.Parallel()
	builder, err := bulk.NewBuilder(bulk.BuilderConfig{Sink: func(bulk.Chunk) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range definitions() {
		s.build(t, builder, testTime)
	}
	if err := builder.Roll(20131008, testTime); err != nil {
		t.Fatal(err)
	}
	trade := func(key string, date, settle int32) *bkv1.Command {
		return &bkv1.Command{Key: key, TradeDate: date, SettleDate: settle, Command: &bkv1.Command_Trade{Trade: &bkv1.Trade{
			Type: bkv1.TradeType_TRADE_TYPE_TRANSFER, ExecutedAt: timestamppb.New(testTime), Account: &bkv1.AccountRef{Id: 100001}, Target: &bkv1.AccountRef{Id: 100002},
			Direction: bkv1.Direction_DIRECTION_BUY, Quantity: "3", Price: "2", Instrument: testInstrument(1),
		}}}
	}
	cancel := func() *bkv1.Command {
		return &bkv1.Command{Key: "cancel", Command: &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: &bkv1.Target{Key: "late"}}}}
	}
	var late int64
	for _, c := range []struct {
		command *bkv1.Command
		state   ledger.TradeState
		repeat  bool
	}{
		{trade("new", 20131009, 0), ledger.TradeNew, false},
		{trade("open", 20131008, 0), ledger.TradeOpen, false},
		{trade("late", 20131001, 20131004), ledger.TradeSettled, false},
		{cancel(), ledger.TradeCanceled, false},
		{trade("late", 20131001, 20131004), ledger.TradeCanceled, true},
		{cancel(), ledger.TradeCanceled, true},
	} {
		got, err := builder.Book(c.command, testTime)
		if err != nil || got.State != c.state || got.Repeat != c.repeat || got.Trade == 0 {
			t.Errorf("%s: %+v, %v", c.command.Key, got, err)
		}
		if c.command.Key == "late" {
			late = got.Trade
		}
		if c.command.Key == "cancel" && got.Trade != late {
			t.Errorf("the cancel is about %d instead of %d", got.Trade, late)
		}
	}
}
