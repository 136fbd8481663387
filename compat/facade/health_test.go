package facade

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

// TestPrimaryAway: a primary that is away is seen, whether anybody calls or not; the replica stays ready, and says that it is degraded.
func TestPrimaryAway(t *testing.T) {
	t.Parallel()
	b := startBank(t)
	cfg := config(t, b, startBK(t))
	away := leaving(t, &cfg, b)
	at, _ := startFacade(t, cfg)
	var ready Readiness
	if code := get(t, at.Admin, "/readyz", &ready); code != http.StatusOK || !ready.Primary.Up || ready.Primary.Name != mode.Bank || ready.Degraded {
		t.Errorf("%d: %+v", code, ready)
	}
	away.Store(true)
	waitFor(t, func() bool { get(t, at.Admin, "/readyz", &ready); return ready.Degraded })
	if !ready.Ready || ready.Writes || ready.Primary.Up || ready.Primary.Error == "" || ready.Primary.Since.IsZero() {
		t.Errorf("%+v", ready)
	}
	var metrics string
	if get(t, at.Admin, "/metrics", &metrics); !strings.Contains(metrics, `hotswap_primary_up{primary="bank"} 0`) {
		t.Error("the metric does not say so")
	}
	var status Status
	if get(t, at.Admin, "/status", &status); status.Primary.Up {
		t.Errorf("%+v", status.Primary)
	}
	away.Store(false)
	waitFor(t, func() bool { get(t, at.Admin, "/readyz", &ready); return !ready.Degraded && ready.Primary.Error == "" })
}

// TestNoBankToAsk: a write about which Bank must be asked something first is told that Bank is away, not that the façade has a fault.
func TestNoBankToAsk(t *testing.T) {
	t.Parallel()
	b := startBank(t)
	cfg := config(t, b, startBK(t))
	cfg.Mode = mode.BankPrimary
	away := leaving(t, &cfg, b)
	at, _ := startFacade(t, cfg)
	c := clientOf(t, at.API, at.Operations)
	define(t, c)
	away.Store(true)
	var told *bank.Error
	if err := c.CancelTrade(t.Context(), bank.TradeRef{TradeID: 1}); !errors.As(err, &told) || told.Type != bank.Internal || !strings.Contains(told.Message, "Bank can't be reached") {
		t.Errorf("%v", err)
	}
	var metrics string
	if get(t, at.Admin, "/metrics", &metrics); !strings.Contains(metrics, `hotswap_writes_refused_total{reason="bank"} 1`) {
		t.Error("it was not counted")
	}
}

// TestNotBK: a URL of something else is found out at the start; one where nobody is, is not a reason not to start.
func TestNotBK(t *testing.T) {
	t.Parallel()
	b := startBank(t)
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for name, bk := range map[string]string{"a web server": server.URL, "Bank": "http://" + b.API} {
		if err := Run(t.Context(), config(t, b, bk), nil); !errors.Is(err, ErrNotBK) {
			t.Errorf("%s: %v", name, err)
		}
	}
	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	for name, url := range map[string]string{"nobody": nobody.URL, "BK": startBK(t)} {
		if err := isBK(context.Background(), url); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
