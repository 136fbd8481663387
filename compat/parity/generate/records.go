package generate

import (
	"iter"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/parity/dialect"
	"github.com/bkledger/bk/compat/parity/landing"
)

// Partitions of each topic that [Records] makes up.
const Partitions = 8

// Records gives events as records of one side's topics, bank.* or facade.bank.*, with offsets from 0. With text they have key and value as they are published; else they have the
// event itself, which is faster.
func Records(cfg Config, text bool) iter.Seq2[landing.Origin, landing.Record] {
	return func(yield func(landing.Origin, landing.Record) bool) {
		side, prefix := dialect.SideBank, landing.PrefixBank
		if cfg.BK {
			side, prefix = dialect.SideBK, landing.PrefixFacade
		}
		topics := map[string]landing.Topic{}
		for _, t := range landing.TopicsOf(side, prefix) {
			topics[t.Contract] = t
		}
		trades, cash, dates := topics[bank.TopicTrades], topics[bank.TopicCash], topics[bank.TopicBusinessDate]
		var offsets [2][Partitions]int64
		var rolls int64
		for e := range Events(cfg) {
			origin, offset := landing.Origin{Topic: trades, Partition: int32(e.AccountID % Partitions)}, &rolls
			switch {
			case e.Trade != nil:
				offset = &offsets[0][origin.Partition]
			case e.Kind == bank.EventRolled:
				origin.Topic = dates
			default:
				origin.Topic, offset = cash, &offsets[1][origin.Partition]
			}
			record := landing.Record{Offset: *offset}
			*offset++
			if text {
				record.Key, record.Value, record.Stream = []byte(e.Key()), e.AppendJSON(nil), cfg.BK
			} else {
				record.Event = &e
			}
			if !yield(origin, record) {
				return
			}
		}
	}
}
