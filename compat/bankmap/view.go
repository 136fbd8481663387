package bankmap

import (
	"fmt"

	bkv1 "github.com/bkledger/bk/api/gen/bk/v1"
	"github.com/bkledger/bk/compat/bank"
)

// AccountTrade gives a trade as one of its accounts sees it; running is the account's position right after it opened, nil if it has not.
func AccountTrade(id, account bank.ID, t *bank.Trade, running *bank.Decimal) bank.AccountTrade {
	sells := t.Side.Direction == bank.Sell
	if account != t.AccountID { // the other account of an allocation or a transfer
		sells = !sells
	}
	side := bank.Buy
	switch {
	case sells && account == t.AccountID && t.Side.Qualifier == qualifierShort:
		side = "sell-short"
	case sells:
		side = bank.Sell
	}
	return bank.AccountTrade{
		TradeID: id, AccountID: account, CreatedAt: t.Timestamp, OrderID: t.OrderID, Symbol: t.Instrument.Identifier, Side: side,
		Quantity: t.Quantity, Price: t.Price, RunningPosition: running,
	}
}

// Holding gives an account's trade-date and settled quantity of a symbol.
func Holding(account bank.ID, symbol, tradeDate, settled string) (bank.Position, error) {
	p := bank.Position{AccountID: account, Symbol: symbol, SettledQuantity: new(bank.Decimal)}
	var read decimals
	p.Quantity, *p.SettledQuantity = read.decimal("trade_date", tradeDate), read.decimal("settled", settled)
	if read.err != nil {
		return p, fmt.Errorf("account %d's position in %s: %w", account, symbol, read.err)
	}
	return p, nil
}

// Balance gives an account's cash in a currency.
func Balance(c *bkv1.Cash) (bank.Balance, error) {
	b := bank.Balance{Currency: c.GetCurrency()}
	var read decimals
	b.TradeCash, b.SettledCash = read.decimal("trade_date", c.GetTradeDate()), read.decimal("settled", c.GetSettled())
	b.UnsettledDebits, b.UnsettledCredits = read.decimal("debits", c.GetDebits()), read.decimal("credits", c.GetCredits())
	if read.err != nil {
		return b, fmt.Errorf("account %d's cash in %s: %w", c.GetAccount(), c.GetCurrency(), read.err)
	}
	return b, nil
}

// Account gives Bank's account out of BK's; name is its name as it was given.
func Account(a *bkv1.Account, name string) bank.Account {
	id := bank.ID(a.GetId())
	return bank.Account{AccountID: id, AccountNumber: id.String(), EntityID: bank.ID(a.GetEntity()), Name: name}
}
