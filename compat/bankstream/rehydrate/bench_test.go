package rehydrate_test

import (
	"fmt"
	"syscall"
	"testing"

	"google.golang.org/protobuf/proto"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

// BenchmarkApply tells the lives of trades on one core, with warm caches: booked, opened, settled, a tenth of them replaced. Encoded is with the events' JSON, whole with
// the reading of the records' protobuf as well.
func BenchmarkApply(b *testing.B) {
	w := newWorld(b, mode.BKPrimary)
	w.roll(20131007)
	const trades = 1000
	for _, kind := range []struct{ name, fields string }{
		{"plain", ``}, {"with an order", `,"order_id":"O-4711","fees":{"commission":"1.25"}`},
		{"with extras", `,"user_data":{"desk":"N1","strategy":"x"},"locate":{"id":"L1","source":"S"},"solicited":true`},
	} {
		var first, all []bank.Trade
		for i := range trades {
			t := w.trade(fmt.Sprintf(`"account_id":%d,"date":%d%s`, 1+i%4, 20131007+i%2, kind.fields))
			all = append(all, t)
		}
		for i := range trades / 10 {
			all = append(all, w.trade(fmt.Sprintf(`"account_id":%d,"cancel_trade_id":%q%s`, 1+i%4, all[i].ClientTradeID, kind.fields)))
		}
		for len(all) > 0 {
			n := min(len(all), 500)
			first, all = all[:n], all[n:]
			w.book(first...)
		}
	}
	w.roll(20131015)
	records := w.read(w.head())
	values := make([][]byte, len(records))
	for i, r := range records {
		var err error
		if values[i], err = proto.Marshal(&bkv1.Event{Entry: r.Entry}); err != nil {
			b.Fatal(err)
		}
	}
	events := len(translate(b, w.to, newView(), records))
	b.Logf("%d events of %d records", events, len(records))
	for _, bench := range []struct {
		name            string
		encoded, parsed bool
	}{{"told", false, false}, {"encoded", true, false}, {"whole", true, true}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			var text []byte
			began := cpu(b)
			for b.Loop() {
				v := newView()
				for i := range records {
					r := records[i].Record
					if bench.parsed {
						var event bkv1.Event
						if err := proto.Unmarshal(values[i], &event); err != nil {
							b.Fatal(err)
						}
						r.Entry = event.Entry
					}
					told, err := w.to.Apply(b.Context(), v, r)
					if err != nil {
						b.Fatal(err)
					}
					for j := range told {
						if bench.encoded {
							text = told[j].AppendJSON(text[:0])
						}
					}
				}
			}
			b.ReportMetric(float64(cpu(b)-began)/float64(b.N*events), "cpu-ns/event") // others may be on the machine
		})
	}
}

// cpu is the processor time that the process has used, in nanoseconds, the garbage collector's included.
func cpu(b *testing.B) int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return used.Utime.Nano() + used.Stime.Nano()
}
