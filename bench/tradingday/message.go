package tradingday

import (
	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/api/wire"
	"github.com/bkledger/bk/ledger"
)

// Message is a command of this package as one of the API's.
func Message(c *ledger.Command) *bkv1.Command {
	m := &bkv1.Command{Key: c.Key, Source: c.Source, TradeDate: int32(c.TradeDate), SettleDate: int32(c.SettleDate)}
	switch {
	case c.Kind == ledger.KindCancel:
		m.Command = &bkv1.Command_Cancel{Cancel: &bkv1.Cancel{Target: &bkv1.Target{Key: c.Target.Key}}}
	case c.Replaces != nil:
		m.Command = &bkv1.Command_Correct{Correct: &bkv1.Correct{Target: &bkv1.Target{Key: c.Replaces.Key}, Trade: wire.Trade(c.Kind, c.Trade)}}
	default:
		m.Command = &bkv1.Command_Trade{Trade: wire.Trade(c.Kind, c.Trade)}
	}
	return m
}

// Account is the number of the account whose commands must be booked in their order: that of the trade, or of the trade to cancel.
func Account(c *ledger.Command) string {
	for i := range len(c.Key) {
		if c.Key[i] == '/' {
			return c.Key[:i]
		}
	}
	return c.Key
}
