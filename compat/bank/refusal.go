package bank

import "strconv"

// Refusals that more than one system has to tell in the same words.

// OtherTrade refuses a trade whose client id was booked with other content.
func OtherTrade(t *Trade) *Error {
	return Errorf(ClientIDConflict, "client_trade_id %q of account %d is there with other content", t.ClientTradeID, t.AccountID)
}

// NoAccount refuses a trade, or a cash movement, of an account that does not exist.
func NoAccount(id ID) *Error { return Errorf(UnknownAccount, "account %d does not exist", id) }

// NoReplaced refuses a trade that names one to replace that was never booked.
func NoReplaced(t *Trade) *Error {
	return Errorf(TradeNotFound, "cancel_trade_id %q: account %d has no such trade", t.CancelTradeID, t.AccountID)
}

// SettledReplaced refuses a trade that names one to replace that is settled.
func SettledReplaced(t *Trade) *Error {
	return Errorf(TradeSettled, "cancel_trade_id %q: that trade is settled", t.CancelTradeID)
}

// NotFound says that there is no such trade.
func (ref TradeRef) NotFound() *Error {
	if ref.TradeID != 0 {
		return Errorf(TradeNotFound, "there is no trade %d", ref.TradeID)
	}
	return Errorf(TradeNotFound, "account %d has no trade of client_trade_id %q", ref.AccountID, ref.ClientTradeID)
}

// NoTradeOf says that an account has no such trade.
func NoTradeOf(account, trade ID) *Error {
	return Errorf(TradeNotFound, "account %d has no trade %d", account, trade)
}

// Canceled refuses the cancel of a trade that is cancelled.
func (ref TradeRef) Canceled() *Error { return Errorf(TradeAlreadyCanceled, "%s is canceled", ref) }

// Settled refuses the cancel of a trade that is settled.
func (ref TradeRef) Settled() *Error { return Errorf(TradeSettled, "%s is settled", ref) }

// String names the trade as the client did.
func (ref TradeRef) String() string {
	if ref.TradeID != 0 {
		return "trade " + ref.TradeID.String()
	}
	return "trade " + strconv.Quote(ref.ClientTradeID) + " of account " + ref.AccountID.String()
}

// OtherCash refuses a cash movement whose client id was used for another one.
func OtherCash(clientID string) *Error {
	return Errorf(Conflict, "client_id %q is there with other content", clientID)
}

// OtherEntity refuses an entity that is there with other content.
func OtherEntity(id ID) *Error { return Errorf(Conflict, "entity %d is there with other content", id) }

// OtherAccount refuses an account that is there with other content.
func OtherAccount(id ID) *Error {
	return Errorf(Conflict, "account %d is there with other content", id)
}

// DayPassed refuses a business date that is behind the one in force.
func DayPassed(to Date) *Error {
	return Errorf(MalformedRequest, "date: %d is before the business date", to)
}
