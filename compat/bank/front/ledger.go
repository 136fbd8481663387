package front

import (
	"context"

	"github.com/bkledger/bk/compat/bank"
)

// Ledger keeps the books behind the API. Requests reach it normalised and right in shape. It answers with *[bank.Error] for what the contract has
// a type for; any other error is internal. A context that ends while it may have booked gives outcome_unknown. Limits of lists are 1 to 1001: one row more
// than a page has.
type Ledger interface {
	// BookTrades books 1 to 1000 trades, all or none, and answers in their order. Element by element: client_trade_id_conflict,
	// unknown_account, and for the replaced trade trade_not_found, trade_settled.
	BookTrades(context.Context, []bank.Trade) ([]bank.Booked, error)
	// CancelTrade: trade_not_found, trade_already_canceled, trade_settled.
	CancelTrade(context.Context, bank.TradeRef) error
	// Trade: trade_not_found.
	Trade(context.Context, bank.TradeRef) (bank.StoredTrade, error)

	// Entities and Accounts give up to limit with an id above after, by id.
	Entities(ctx context.Context, after bank.ID, limit int) ([]bank.Entity, error)
	Entity(context.Context, bank.ID) (bank.Entity, error) // entity_not_found
	Accounts(ctx context.Context, after bank.ID, limit int) ([]bank.Account, error)
	Account(context.Context, bank.ID) (bank.Account, error) // account_not_found

	// What follows: account_not_found.

	// AccountTrades gives up to limit with an id above after, by id.
	AccountTrades(ctx context.Context, account bank.ID, filter TradeFilter, after bank.ID, limit int) ([]bank.AccountTrade, error)
	AccountTrade(ctx context.Context, account, trade bank.ID) (bank.AccountTrade, error) // trade_not_found
	// Positions gives up to limit with a symbol above after, by symbol (bytes), each with its settled quantity. Those where the trade-date quantity is zero are left
	// out, or, if settled, those where both are.
	Positions(ctx context.Context, account bank.ID, settled bool, after string, limit int) ([]bank.Position, error)
	Position(ctx context.Context, account bank.ID, symbol string, settled bool) (bank.Position, error) // position_not_found where Positions would leave it out
	Balances(ctx context.Context, account bank.ID) ([]bank.Balance, error)
	// JournalRows gives up to limit with an id above after, by id.
	JournalRows(ctx context.Context, account, after bank.ID, limit int) ([]bank.JournalRow, error)
	BusinessDate(context.Context) (bank.Date, error)

	// CreateEntity and CreateAccount report whether it is new; the same again is not; conflict. CreateAccount: entity_not_found.
	CreateEntity(context.Context, bank.Entity) (created bool, err error)
	CreateAccount(context.Context, bank.NewAccount) (created bool, err error)
	// MoveCash: conflict where the client id was used for something else; unknown_account.
	MoveCash(context.Context, bank.Cash) (bank.ID, error)
	// Roll: malformed_request for a date before the business date; the business date itself is a success that does nothing.
	Roll(context.Context, bank.Date) error
	// Replay: as the call that it stands for; the same again is a success.
	Replay(context.Context, bank.Replay) error
	ReplayPlace(context.Context) (bank.ReplayPlace, error)
}

// TradeFilter chooses among an account's trades.
type TradeFilter struct {
	Date  bank.Date // trade date; 0: the current business date
	State string    // "": all that are not canceled
}
