package queue

import (
	"encoding/json"
	"fmt"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/backlog"
)

// The kinds of call.
const (
	KindTrades  = "trades"
	KindCancel  = "cancel"
	KindCash    = "cash"
	KindRoll    = "roll"
	KindEntity  = "entity"
	KindAccount = "account"
	KindUnread  = "unread" // Bank took what the façade can't read

	KindDirectory = "directory" // all of Bank's entities and accounts
)

// Call is a write that Bank is asked for.
type Call struct {
	kind    string
	keys    []int64
	size    int
	request any
}

// Trades is a POST /trades. touched are the accounts of trades that it replaces; those of its own trades are added.
func Trades(trades []bank.Trade, touched ...bank.ID) Call {
	accounts := append(make([]bank.ID, 0, len(touched)+2*len(trades)), touched...)
	for i := range trades {
		accounts = append(accounts, trades[i].AccountID, trades[i].TargetAccountID)
	}
	return Call{KindTrades, keysOf(accounts), max(1, len(trades)), trades}
}

// cancel is the stored form of a cancel.
type cancel struct {
	TradeID       bank.ID `json:"trade_id,omitzero"`
	AccountID     bank.ID `json:"account_id,omitzero"`
	ClientTradeID string  `json:"client_trade_id,omitempty"`
}

// Cancel is a DELETE /trades/{id}. touched are the accounts of the trade, both if it has two: at least one.
func Cancel(ref bank.TradeRef, touched ...bank.ID) Call {
	return Call{KindCancel, keysOf(append(touched[:len(touched):len(touched)], ref.AccountID)), 1, cancel(ref)}
}

// Cash is a POST /cash.
func Cash(c bank.Cash) Call {
	return Call{KindCash, keysOf([]bank.ID{c.AccountID, c.TargetAccountID}), 1, c}
}

// Roll is a POST /business-date.
func Roll(to bank.Date) Call { return Call{KindRoll, []int64{backlog.All}, 1, roll{to}} }

type roll struct {
	Date bank.Date `json:"date"`
}

// Entity is a POST /entities.
func Entity(e bank.Entity) Call { return Call{KindEntity, []int64{entityKey(e.EntityID)}, 1, e} }

// directory is the opening of all of Bank's entities and accounts. Nothing waits for it: what a row needs is opened for it ([Queue.Directory]).
func directory() Call { return Call{KindDirectory, []int64{directoryKey}, 1, struct{}{}} }

// Account is a POST /accounts. It waits for its entity.
func Account(a bank.NewAccount) Call {
	return Call{KindAccount, []int64{entityKey(a.EntityID), accountKey(a.AccountID)}, 1, a}
}

// Answer is what Bank said when it accepted a call.
type Answer struct {
	Trades []bank.Booked `json:"trades,omitempty"` // to POST /trades
	CashID bank.ID       `json:"cash_id,omitzero"` // to POST /cash

	// What an event of Bank's tells; else Bank is asked for it.
	BookedAt   int64 `json:"booked_at,omitempty"`   // of the one trade, or the cash, in milliseconds
	CanceledAt int64 `json:"canceled_at,omitempty"` // of the cancelled trade
}

func (c Call) validate() error {
	switch {
	case c.kind == "":
		return fmt.Errorf("a call of no kind")
	case len(c.keys) == 0:
		return fmt.Errorf("a call of kind %s that touches no account", c.kind)
	}
	return nil
}

// Row gives the row of a call that Bank accepted, for those who put rows into the queue themselves: follow.
func (c Call) Row(epoch, origin int64, answer Answer) (backlog.Row, error) {
	row := backlog.Row{Origin: origin, Epoch: epoch, Kind: c.kind, Keys: c.keys, Size: c.size}
	var err error
	if row.Request, err = json.Marshal(c.request); err != nil {
		return row, fmt.Errorf("encode a call of kind %s: %w", c.kind, err)
	}
	if row.Answer, err = json.Marshal(answer); err != nil {
		return row, fmt.Errorf("encode the answer to a call of kind %s: %w", c.kind, err)
	}
	return row, nil
}
