package history

import (
	"context"

	"github.com/bkledger/bk/compat/bank"
)

// incoming is a trade with what other chunks say of it.
type incoming struct {
	tradeRecord
	open *opened // where it came into force; nil: nowhere
	by   []link  // the trades that name it as the one that they replace, by id
}

// tradeStream gives trades by id, and lets the stage look ahead.
type tradeStream struct {
	trades *merged[tradeRecord, *tradeRecord]
	opens  *merged[opened, *opened]
	links  *merged[link, *link]
	open   *opened // the next one
	link   *link
	begun  bool
	ahead  []*incoming
}

func newTradeStream(ctx context.Context, runs []Run) *tradeStream {
	return &tradeStream{trades: merge[tradeRecord](ctx, KindTrades, runs), opens: merge[opened](ctx, KindOpens, runs), links: merge[link](ctx, KindLinks, runs)}
}

func (s *tradeStream) close() {
	s.trades.close()
	s.opens.close()
	s.links.close()
}

// peek gives the nth trade from here, from 0, nil behind the last.
func (s *tradeStream) peek(n int) (*incoming, error) {
	for len(s.ahead) <= n {
		next, err := s.read()
		if err != nil || next == nil {
			return nil, err
		}
		s.ahead = append(s.ahead, next)
	}
	return s.ahead[n], nil
}

// take takes the trade that peek(0) gave.
func (s *tradeStream) take() {
	s.ahead[0] = nil
	if s.ahead = s.ahead[1:]; len(s.ahead) == 0 {
		s.ahead = nil
	}
}

// read joins the next trade with what is said of it.
func (s *tradeStream) read() (in *incoming, err error) {
	if !s.begun {
		s.begun = true
		if s.open, err = s.opens.next(); err != nil {
			return nil, err
		}
		if s.link, err = s.links.next(); err != nil {
			return nil, err
		}
	}
	t, err := s.trades.next()
	if err != nil || t == nil {
		return nil, err
	}
	in = &incoming{tradeRecord: *t}
	for s.open != nil && s.open.trade <= t.row.TradeID {
		if s.open.trade == t.row.TradeID && in.open == nil {
			in.open = s.open
		}
		if s.open, err = s.opens.next(); err != nil {
			return nil, err
		}
	}
	for s.link != nil && s.link.replaced <= t.row.TradeID {
		if s.link.replaced == t.row.TradeID && s.link.by > t.row.TradeID {
			in.by = append(in.by, *s.link)
		}
		if s.link, err = s.links.next(); err != nil {
			return nil, err
		}
	}
	return in, nil
}

// never reports whether the trade was cancelled before it was ever in force.
func (in *incoming) never() bool { return in.row.State == bank.StateCanceled && in.open == nil }

// stepStream gives journal rows by id, and lets the stage look ahead.
type stepStream struct {
	from  *merged[step, *step]
	ahead []*step
}

func (s *stepStream) peek(n int) (*step, error) {
	for len(s.ahead) <= n {
		next, err := s.from.next()
		if err != nil || next == nil {
			return nil, err
		}
		s.ahead = append(s.ahead, next)
	}
	return s.ahead[n], nil
}

func (s *stepStream) next() (*step, error) {
	row, err := s.peek(0)
	if row != nil {
		s.ahead[0] = nil
		if s.ahead = s.ahead[1:]; len(s.ahead) == 0 {
			s.ahead = nil
		}
	}
	return row, err
}
