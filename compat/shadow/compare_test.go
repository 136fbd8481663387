package shadow_test

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade"
	"github.com/bkledger/bk/compat/shadow"
	"github.com/bkledger/bk/compat/stage"
)

// all compares everything that there is, BK by a view of it; nothing is said of what was booked.
func all(t *testing.T, set stage.Set) shadow.Compared {
	t.Helper()
	view, err := facade.OpenView(t.Context(), set.BK.URL, set.DSN, stage.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	c, err := shadow.Compare(t.Context(), shadow.Comparison{Left: system("Bank", set.Bank.Target), Right: shadow.System{Name: "BK", Serves: view}, All: true, Parallel: 8})
	if err != nil {
		t.Fatal(err)
	}
	if switched, err := view.Switched(t.Context()); err != nil || switched {
		t.Errorf("switched: %t, %v", switched, err)
	}
	return c
}

// TestWait: what differs for a while is no difference; with no wait it is. What differs for good is one nevertheless, in the accounts that are compared.
func TestWait(t *testing.T) {
	t.Parallel()
	there := system("Bank", stage.StartBank(t).Target)
	p, err := shadow.Play(t.Context(), shadow.Traffic{Target: there, Seed: *seed, Requests: 100, Clients: 2, Accounts: 6, Rolls: 1})
	if err != nil || p.Surprised > 0 {
		t.Fatal(p, err)
	}
	at, err := url.Parse(there.API)
	if err != nil {
		t.Fatal(err)
	}
	var left atomic.Int64 // answers that lag
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(at) }}
	lagging := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/balances") && left.Add(-1) >= 0 {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"data":[]}`)) // the answer of a client in this process
			return
		}
		proxy.ServeHTTP(w, r)
	})
	comparison := shadow.Comparison{Left: there, Right: shadow.System{Name: "lagging", Serves: lagging}, All: true}
	differing := func(lag int64, wait time.Duration, accounts ...bank.ID) int {
		t.Helper()
		left.Store(lag)
		comparison.Wait, comparison.Accounts = wait, accounts
		c, err := shadow.Compare(t.Context(), comparison)
		if err != nil {
			t.Fatal(err)
		}
		if c.Counts[shadow.KindJournal] == 0 || c.Counts[shadow.KindTrade] == 0 && accounts == nil {
			t.Errorf("compared: %v", c.Counts)
		}
		return c.Differing
	}
	if n := differing(3, time.Minute); n != 0 {
		t.Errorf("%d differ of what lagged", n)
	}
	if n := differing(3, 0); n == 0 {
		t.Error("no lag was seen without a wait")
	}
	if n := differing(1<<40, 100*time.Millisecond, shadow.Traffic{}.WithDefaults().FirstAccount); n != 1 {
		t.Errorf("%d differ, want the balances of the one account that is compared", n)
	}
}
