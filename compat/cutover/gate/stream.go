package gate

import (
	"cmp"
	"context"
	"fmt"

	"github.com/bkledger/bk/compat/bankstream"
)

// StreamLag holds where the façade's stream has told all that BK has done.
type StreamLag struct {
	Max        int64 `yaml:"max" json:"max"`               // offsets that all partitions together may be behind
	Partitions int   `yaml:"partitions" json:"partitions"` // that have to run, over all instances; 1 if left out
	Skipped    int64 `yaml:"skipped" json:"skipped"`       // events that may have been left out, ever
}

func (*StreamLag) needs() []need { return []need{needStreams} }

func (s *StreamLag) validate() []error {
	if s.Max < 0 || s.Partitions < 0 || s.Skipped < 0 {
		return []error{fmt.Errorf("max, partitions, skipped: must not be negative")}
	}
	return nil
}

func (s *StreamLag) measure(ctx context.Context, t *Targets) (Figures, string, error) {
	var lag, skipped int64
	var wrong []string
	seen := map[int32]string{}
	for _, url := range t.streams() {
		var status bankstream.Status
		if err := Ask(ctx, url, "/status", false, &status); err != nil {
			return nil, "", fmt.Errorf("the stream: %w", err)
		}
		if why := status.Unready(); why != "" {
			wrong = append(wrong, fmt.Sprintf("instance %s is not ready: %s", status.Instance, why))
		}
		for _, p := range status.Partitions {
			lag, skipped = lag+p.Lag, skipped+p.Skipped
			if other := seen[p.Partition]; other != "" && other != status.Instance {
				wrong = append(wrong, fmt.Sprintf("partition %d is with %s and with %s", p.Partition, other, status.Instance))
			}
			seen[p.Partition] = cmp.Or(status.Instance, url)
		}
	}
	f := Figures{"lag_offsets": lag, "partitions": len(seen), "skipped": skipped, "instances": len(t.streams())}
	if lag > s.Max {
		wrong = append(wrong, fmt.Sprintf("the stream is %d offsets behind, above %d", lag, s.Max))
	}
	if want := max(s.Partitions, 1); len(seen) < want {
		wrong = append(wrong, fmt.Sprintf("%d partitions are with the instances that were asked, not %d", len(seen), want))
	}
	if skipped > s.Skipped {
		wrong = append(wrong, fmt.Sprintf("%d events were left out, above %d", skipped, s.Skipped))
	}
	return f, reasons(wrong), nil
}
