package facade

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
	"github.com/bkledger/bk/compat/facade/sample"
)

// TestSampling: reads are compared, what both have alike is nothing, and what only Bank has is listed.
func TestSampling(t *testing.T) {
	t.Parallel()
	b, bk := startBank(t), startBK(t)
	cfg := config(t, b, bk)
	cfg.Mode = mode.BankPrimary
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	booked, err := c.BookTrades(t.Context(), []bank.Trade{tradeOf(t, "both", firstAccount)})
	if err != nil {
		t.Fatal(err)
	}
	if code := post(t, at.Admin, "/sampling", SampleRequest{Rate: 1, Who: "anna", Why: "test"}, &SampleRequest{}); code != http.StatusOK {
		t.Fatalf("sampling: %d", code)
	}
	var status Status
	waitFor(t, func() bool { get(t, at.Admin, "/status", &status); return status.State.Sampling == 1 })
	if _, err := c.Trade(t.Context(), bank.TradeRef{TradeID: booked[0].TradeID}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool {
		get(t, at.Admin, "/status", &status)
		return status.Sampling.Results["equal"]+status.Sampling.Results["lagged"] == 1
	})
	// Past the façade.
	if _, err := clientOf(t, b.API, b.Operations).BookTrades(t.Context(), []bank.Trade{tradeOf(t, "one", firstAccount+1)}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Positions(t.Context(), firstAccount+1, false, bank.Page{}); err != nil {
		t.Fatal(err)
	}
	var list []sample.Divergence
	waitFor(t, func() bool {
		return get(t, at.Admin, "/divergences?unexplained=true&limit=5&route=/accounts/{account_id}/positions", &list) == http.StatusOK && len(list) > 0
	})
	if d := list[0]; d.Kind != "missing_row" || d.Mode != mode.BankPrimary || d.Replica != cfg.Replica {
		t.Errorf("%+v", d)
	}
	var one sample.Divergence
	if code := get(t, at.Admin, fmt.Sprintf("/divergences/%d", list[0].ID), &one); code != http.StatusOK || one != list[0] {
		t.Errorf("%d, %+v; listed was %+v", code, one, list[0])
	}
	var fault Fault
	for _, id := range []string{"99999", "x"} {
		if code := get(t, at.Admin, "/divergences/"+id, &fault); code != http.StatusNotFound || fault.Error == "" {
			t.Errorf("divergence %s: %d, %s", id, code, fault.Error)
		}
	}
	if code := get(t, at.Admin, "/divergences?limit=x", &fault); code != http.StatusBadRequest {
		t.Errorf("a limit of x: %d", code)
	}
}
