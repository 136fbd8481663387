package facade

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/facade/mode"
)

// BenchmarkBankOnly measures what the façade adds in bank-only, in pairs: the same call direct and through it, one after the other. added-p50-us is the
// difference of the medians.
func BenchmarkBankOnly(b *testing.B) {
	at := startBank(b)
	cfg := config(b, at, "")
	cfg.Mode = mode.BankOnly
	stand, _ := startFacade(b, cfg)
	define(b, clientOf(b, at.API, at.Operations))
	transport := &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}
	client := &http.Client{Transport: transport}
	call := func(method, address, path string, body []byte) time.Duration {
		req, err := http.NewRequest(method, "http://"+address+path, bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		res, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			b.Fatal(err)
		}
		res.Body.Close()
		took := time.Since(began)
		if res.StatusCode >= 300 {
			b.Fatalf("%s %s: %s", method, path, res.Status)
		}
		return took
	}
	number := 0
	for name, one := range map[string]func(address string) time.Duration{
		"read": func(address string) time.Duration { return call("GET", address, "/accounts/100018", nil) },
		"write": func(address string) time.Duration {
			number++
			text := appendTrade([]byte("["), tradeOf(b, fmt.Sprintf("b%d", number), firstAccount))
			return call("POST", address, "/trades", append(text, ']'))
		},
	} {
		b.Run(name, func(b *testing.B) {
			var direct, through []time.Duration
			for range 50 { // connections, caches
				one(at.API)
				one(stand.API)
			}
			for b.Loop() {
				direct = append(direct, one(at.API))
				through = append(through, one(stand.API))
			}
			slices.Sort(direct)
			slices.Sort(through)
			us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
			n := len(direct)
			b.ReportMetric(us(direct[n/2]), "direct-p50-us")
			b.ReportMetric(us(through[n/2]), "through-p50-us")
			b.ReportMetric(us(through[n/2]-direct[n/2]), "added-p50-us")
			b.ReportMetric(us(through[n*99/100]-direct[n*99/100]), "added-p99-us")
		})
	}
}

// define makes entity 1 with the accounts from firstAccount on.
func define(t testing.TB, c *bank.Client) {
	t.Helper()
	if _, err := c.CreateEntity(t.Context(), bank.Entity{EntityID: 1, ClientCode: "ONE", LegalName: "One Inc."}); err != nil {
		t.Fatal(err)
	}
	for i := range accountsUsed {
		if _, err := c.CreateAccount(t.Context(), bank.NewAccount{AccountID: bank.ID(firstAccount + i), EntityID: 1, Name: "Ann"}); err != nil {
			t.Fatal(err)
		}
	}
}

const accountsUsed = 4

func appendTrade(to []byte, t bank.Trade) []byte { return t.AppendJSON(to) }
