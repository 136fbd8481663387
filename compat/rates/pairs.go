package rates

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Added is what the façade adds to a call, in milliseconds: percentiles of both ways, and their differences.
type Added struct {
	Call       string  `json:"call"`
	Pairs      int     `json:"pairs"`
	DirectP50  float64 `json:"direct_p50_ms"`
	DirectP99  float64 `json:"direct_p99_ms"`
	ThroughP50 float64 `json:"through_p50_ms"`
	ThroughP99 float64 `json:"through_p99_ms"`
	AddedP50   float64 `json:"added_p50_ms"`
	AddedP99   float64 `json:"added_p99_ms"`
}

const warmUp = 50 // pairs before the clock counts: connections, caches

// pairs makes calls in turn, direct and through the façade; which of both is first changes each time.
func (r *run) pairs(ctx context.Context, direct, through *side) ([]Added, error) {
	var ways [2]*caller
	for i, s := range []*side{direct, through} {
		c, err := dial(ctx, s.api)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		defer c.close()
		ways[i] = c
	}
	dice := rand.New(rand.NewPCG(1, 2))
	var body []byte
	kinds := []struct {
		name string
		call func(*caller) error
	}{
		{"GET /accounts/{id}/balances", func(c *caller) error {
			return c.call("GET", fmt.Sprintf("/accounts/%d/balances", firstAccount+dice.IntN(accounts)), nil, 200)
		}},
		{"POST /trades, one trade", func(c *caller) error {
			body = appendCall(body[:0], &r.numbers, 1, dice)
			err := c.call("POST", "/trades", body, 202)
			if err == nil {
				direct.booked.Add(1) // either way it is Bank's
			}
			return err
		}},
	}
	var all []Added
	for _, k := range kinds {
		var took [2][]float64
		for n := range r.cfg.Pairs + warmUp {
			for turn := range 2 {
				way := (n + turn) % 2
				began := time.Now()
				if err := k.call(ways[way]); err != nil {
					return nil, fmt.Errorf("%s: %w", []string{direct.name, through.name}[way], err)
				}
				if n >= warmUp {
					took[way] = append(took[way], float64(time.Since(began).Microseconds())/1000)
				}
			}
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
		}
		slices.Sort(took[0])
		slices.Sort(took[1])
		a := Added{
			Call: k.name, Pairs: r.cfg.Pairs, DirectP50: percentile(took[0], 50), DirectP99: percentile(took[0], 99), ThroughP50: percentile(took[1], 50),
			ThroughP99: percentile(took[1], 99),
		}
		a.AddedP50, a.AddedP99 = a.ThroughP50-a.DirectP50, a.ThroughP99-a.DirectP99
		all = append(all, a)
	}
	return all, nil
}

// percentile of what is sorted.
func percentile(sorted []float64, p int) float64 {
	return sorted[min(len(sorted)-1, len(sorted)*p/100)]
}

func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}
