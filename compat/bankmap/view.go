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
	err := decimals(field{"trade_date", tradeDate, &p.Quantity}, field{"settled", settled, p.SettledQuantity})
	if err != nil {
		err = fmt.Errorf("account %d's position in %s: %w", account, symbol, err)
	}
	return p, err
}

// Balance gives an account's cash in a currency.
func Balance(c *bkv1.Cash) (bank.Balance, error) {
	b := bank.Balance{Currency: c.GetCurrency()}
	err := decimals(
		field{"trade_date", c.GetTradeDate(), &b.TradeCash}, field{"settled", c.GetSettled(), &b.SettledCash},
		field{"debits", c.GetDebits(), &b.UnsettledDebits}, field{"credits", c.GetCredits(), &b.UnsettledCredits},
	)
	if err != nil {
		err = fmt.Errorf("account %d's cash in %s: %w", c.GetAccount(), c.GetCurrency(), err)
	}
	return b, err
}

// Account gives Bank's account out of BK's; name is its name as it was given.
func Account(a *bkv1.Account, name string) bank.Account {
	id := bank.ID(a.GetId())
	return bank.Account{AccountID: id, AccountNumber: id.String(), EntityID: bank.ID(a.GetEntity()), Name: name}
}
