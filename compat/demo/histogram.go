package demo

import (
	"math"
	"time"
)

// histogram counts durations to within a twentieth, from 10 µs to some minutes, in little memory however many there are.
type histogram struct {
	counts [400]int64
	total  int64
}

const (
	leastCounted = 10 * time.Microsecond
	growth       = 1.05
)

func (h *histogram) add(d time.Duration) {
	i := 0
	if d > leastCounted {
		i = min(len(h.counts)-1, int(math.Ceil(math.Log(float64(d)/float64(leastCounted))/math.Log(growth))))
	}
	h.counts[i]++
	h.total++
}

// quantile gives what a share of all does not exceed; 0 where there is none.
func (h *histogram) quantile(q float64) time.Duration {
	sum := int64(0)
	for i, n := range h.counts {
		if sum += n; n > 0 && float64(sum) >= q*float64(h.total) {
			return time.Duration(float64(leastCounted) * math.Pow(growth, float64(i)))
		}
	}
	return 0
}
