package front

import (
	"net/http"

	"github.com/bkledger/bk/compat/bank"
)

func (h *Handler) entities(c *call) (answer, error) {
	page, err := c.page()
	if err != nil {
		return answer{}, err
	}
	after, err := page.after()
	if err != nil {
		return answer{}, err
	}
	rows, err := h.config.Ledger.Entities(c.ctx, after, page.size+1)
	if err != nil {
		return answer{}, err
	}
	return answerPage(page, rows, func(last bank.Entity) string { return last.EntityID.String() }), nil
}

func (h *Handler) entity(c *call) (answer, error) {
	id, err := c.id(0)
	if err != nil {
		return answer{}, err
	}
	entity, err := h.config.Ledger.Entity(c.ctx, id)
	return answer{http.StatusOK, entity}, err
}

func (h *Handler) accounts(c *call) (answer, error) {
	page, err := c.page()
	if err != nil {
		return answer{}, err
	}
	after, err := page.after()
	if err != nil {
		return answer{}, err
	}
	rows, err := h.config.Ledger.Accounts(c.ctx, after, page.size+1)
	if err != nil {
		return answer{}, err
	}
	return answerPage(page, rows, func(last bank.Account) string { return last.AccountID.String() }), nil
}

func (h *Handler) account(c *call) (answer, error) {
	id, err := c.id(0)
	if err != nil {
		return answer{}, err
	}
	account, err := h.config.Ledger.Account(c.ctx, id)
	return answer{http.StatusOK, account}, err
}

// view tells whether settled quantities are asked for.
func (c *call) view() (settled bool, err error) {
	switch text := c.query.Get("view"); text {
	case "":
		return false, nil
	case "full":
		return true, nil
	default:
		return false, bank.Errorf(bank.MalformedRequest, "view: %q is not full", text)
	}
}

// seen leaves out what the view does not show.
func seen(position bank.Position, settled bool) bank.Position {
	if !settled {
		position.SettledQuantity = nil
	}
	return position
}

func (h *Handler) positions(c *call) (answer, error) {
	account, err := c.id(0)
	if err != nil {
		return answer{}, err
	}
	settled, err := c.view()
	if err != nil {
		return answer{}, err
	}
	page, err := c.page(c.path[0], c.query.Get("view"))
	if err != nil {
		return answer{}, err
	}
	rows, err := h.config.Ledger.Positions(c.ctx, account, settled, page.cursor, page.size+1)
	if err != nil {
		return answer{}, err
	}
	for i := range rows {
		rows[i] = seen(rows[i], settled)
	}
	return answerPage(page, rows, func(last bank.Position) string { return last.Symbol }), nil
}

func (h *Handler) position(c *call) (answer, error) {
	account, err := c.id(0)
	if err != nil {
		return answer{}, err
	}
	settled, err := c.view()
	if err != nil {
		return answer{}, err
	}
	position, err := h.config.Ledger.Position(c.ctx, account, c.path[1], settled)
	return answer{http.StatusOK, seen(position, settled)}, err
}

func (h *Handler) balances(c *call) (answer, error) {
	account, err := c.id(0)
	if err != nil {
		return answer{}, err
	}
	rows, err := h.config.Ledger.Balances(c.ctx, account)
	if err != nil {
		return answer{}, err
	}
	return answerPage(page{size: len(rows)}, rows, nil), nil
}

func (h *Handler) journal(c *call) (answer, error) {
	account, err := c.id(0)
	if err != nil {
		return answer{}, err
	}
	page, err := c.page(c.path[0])
	if err != nil {
		return answer{}, err
	}
	after, err := page.after()
	if err != nil {
		return answer{}, err
	}
	rows, err := h.config.Ledger.JournalRows(c.ctx, account, after, page.size+1)
	if err != nil {
		return answer{}, err
	}
	return answerPage(page, rows, func(last bank.JournalRow) string { return last.JournalID.String() }), nil
}

func (h *Handler) businessDate(c *call) (answer, error) {
	date, err := h.config.Ledger.BusinessDate(c.ctx)
	return answer{http.StatusOK, bank.Dated{Date: date}}, err
}
