package front

import (
	"net/http"

	"github.com/bkledger/bk/compat/bank"
)

// take reads the body of a call.
func take[T any](c *call, read func([]byte) (T, error)) (taken T, err error) {
	body, err := c.body()
	if err != nil {
		return taken, err
	}
	return read(body)
}

func statusCreated(created bool) int {
	if created {
		return http.StatusCreated
	}
	return http.StatusOK
}

func (h *Handler) createEntity(c *call) (answer, error) {
	entity, err := take(c, bank.ReadEntity)
	if err != nil {
		return answer{}, err
	}
	created, err := h.config.Ledger.CreateEntity(c.ctx, entity)
	return answer{statusCreated(created), entity}, err
}

func (h *Handler) createAccount(c *call) (answer, error) {
	account, err := take(c, bank.ReadAccount)
	if err != nil {
		return answer{}, err
	}
	created, err := h.config.Ledger.CreateAccount(c.ctx, account)
	return answer{statusCreated(created), account.Account()}, err
}

func (h *Handler) moveCash(c *call) (answer, error) {
	cash, err := take(c, bank.ReadCash)
	if err != nil {
		return answer{}, err
	}
	id, err := h.config.Ledger.MoveCash(c.ctx, cash)
	return answer{http.StatusAccepted, bank.Moved{CashID: id}}, err
}

func (h *Handler) roll(c *call) (answer, error) {
	date, err := take(c, bank.ReadBusinessDate)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusAccepted, bank.Dated{Date: date}}, h.config.Ledger.Roll(c.ctx, date)
}

func (h *Handler) replay(c *call) (answer, error) {
	replay, err := take(c, bank.ReadReplay)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusAccepted, []byte("{}")}, h.config.Ledger.Replay(c.ctx, replay)
}

func (h *Handler) replayPlace(c *call) (answer, error) {
	place, err := h.config.Ledger.ReplayPlace(c.ctx)
	return answer{http.StatusOK, place}, err
}

func (h *Handler) relay(c *call) (answer, error) {
	relay, err := h.config.Relay.Relay(c.ctx)
	return answer{http.StatusOK, relay}, err
}

func (h *Handler) setRelay(c *call) (answer, error) {
	setting, err := take(c, bank.ReadRelaySetting)
	if err != nil {
		return answer{}, err
	}
	relay, err := h.config.Relay.SetRelay(c.ctx, setting)
	return answer{http.StatusOK, relay}, err
}
