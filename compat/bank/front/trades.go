package front

import (
	"net/http"

	"github.com/bkledger/bk/compat/bank"
)

func (h *Handler) bookTrades(c *call) (answer, error) {
	body, err := c.body()
	if err != nil {
		return answer{}, err
	}
	trades, err := bank.ReadTrades(body)
	if err != nil {
		return answer{}, err
	}
	booked, err := h.config.Ledger.BookTrades(c.ctx, trades)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusAccepted, bank.AppendBooked(nil, booked)}, nil
}

func (h *Handler) cancelTrade(c *call) (answer, error) {
	byClientID, err := c.flag("is_client_trade_id")
	if err != nil {
		return answer{}, err
	}
	ref, err := bank.ReadTradeRef(c.path[0], byClientID, c.query.Get("account_id"))
	if err != nil {
		return answer{}, err
	}
	if err := h.config.Ledger.CancelTrade(c.ctx, ref); err != nil {
		return answer{}, err
	}
	return answer{http.StatusAccepted, []byte("{}")}, nil
}

func (h *Handler) trade(c *call) (answer, error) {
	id, err := c.id(0)
	if err != nil {
		return answer{}, err
	}
	return h.stored(c, bank.TradeRef{TradeID: id})
}

func (h *Handler) tradeByClientID(c *call) (answer, error) {
	account, err := bank.ParseID(c.query.Get("account_id"))
	if err != nil {
		return answer{}, bank.Errorf(bank.MalformedRequest, "account_id: %v", err)
	}
	name, err := c.text("client_trade_id")
	if err != nil {
		return answer{}, err
	}
	if name == "" {
		return answer{}, bank.Errorf(bank.MalformedRequest, "client_trade_id: missing")
	}
	return h.stored(c, bank.TradeRef{AccountID: account, ClientTradeID: name})
}

func (h *Handler) stored(c *call, ref bank.TradeRef) (answer, error) {
	trade, err := h.config.Ledger.Trade(c.ctx, ref)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, trade.AppendJSON(make([]byte, 0, 1<<10))}, nil
}

func (h *Handler) accountTrades(c *call) (answer, error) {
	account, err := c.id(0)
	if err != nil {
		return answer{}, err
	}
	filter := TradeFilter{State: c.query.Get("state")}
	switch filter.State {
	case "", bank.StateNew, bank.StateOpen, bank.StateSettled, bank.StateCanceled:
	default:
		return answer{}, bank.Errorf(bank.MalformedRequest, "state: %q is none of new, open, settled, canceled", filter.State)
	}
	date := c.query.Get("date")
	if date != "" {
		if filter.Date, err = bank.ParseDate(date); err != nil {
			return answer{}, bank.Errorf(bank.MalformedRequest, "date: %v", err)
		}
	}
	page, err := c.page(c.path[0], filter.State, date)
	if err != nil {
		return answer{}, err
	}
	// A walk stays with the business date that it began with. Its token has that date.
	walk, err := page.tradeWalk()
	if err != nil {
		return answer{}, err
	}
	if walk.date != 0 {
		filter.Date = walk.date
	}
	rows, err := h.config.Ledger.AccountTrades(c.ctx, account, filter, walk.after, page.size+1)
	if err != nil {
		return answer{}, err
	}
	if len(rows) > page.size && filter.Date == 0 {
		if filter.Date, err = h.config.Ledger.BusinessDate(c.ctx); err != nil {
			return answer{}, err
		}
		if rows, err = h.config.Ledger.AccountTrades(c.ctx, account, filter, 0, page.size+1); err != nil {
			return answer{}, err
		}
	}
	return answerPage(page, rows, func(last bank.AccountTrade) string { return tradeWalk{filter.Date, last.TradeID}.cursor() }), nil
}

func (h *Handler) accountTrade(c *call) (answer, error) {
	account, err := c.id(0)
	if err != nil {
		return answer{}, err
	}
	trade, err := c.id(1)
	if err != nil {
		return answer{}, err
	}
	row, err := h.config.Ledger.AccountTrade(c.ctx, account, trade)
	return answer{http.StatusOK, row}, err
}
