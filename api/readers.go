package api

import (
	"github.com/bkledger/bk/ledger"
	"github.com/bkledger/bk/projections"
	"github.com/bkledger/bk/projections/balances"
	"github.com/bkledger/bk/projections/cash"
	"github.com/bkledger/bk/projections/daily"
	"github.com/bkledger/bk/projections/positions"
	"github.com/bkledger/bk/projections/statement"
	"github.com/bkledger/bk/projections/stockrecord"
	"github.com/bkledger/bk/projections/trades"
)

// Projections lists the projections that the API reads, for the runner of its [Config]. books is the journal's directory.
func Projections(books *ledger.Directory) []projections.Projection {
	return []projections.Projection{
		balances.Projection{}, statement.Projection{}, trades.Projection{Books: books}, positions.Projection{Books: books},
		cash.Projection{Books: books}, daily.Projection{},
	}
}

// readers read the projections.
type readers struct {
	balances     *balances.Reader
	statements   *statement.Reader
	trades       *trades.Reader
	positions    *positions.Reader
	cash         *cash.Reader
	daily        *daily.Reader
	stockRecords *stockrecord.Reader
}

func newReaders(cfg Config) readers {
	return readers{
		balances: balances.NewReader(cfg.Runner), statements: statement.NewReader(cfg.Runner, cfg.Journal), trades: trades.NewReader(cfg.Runner, cfg.Journal, cfg.Journal.Directory()),
		positions: positions.NewReader(cfg.Runner), cash: cash.NewReader(cfg.Runner), daily: daily.NewReader(cfg.Runner, cfg.Journal),
		stockRecords: stockrecord.NewReader(cfg.Runner, cfg.Journal.Directory()),
	}
}
