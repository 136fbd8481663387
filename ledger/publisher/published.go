package publisher

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Published tells whether a topic of events has a record, or ever had one: whoever reads it knows a ledger then. A topic that isn't there has none. Brokers are host:port.
func Published(ctx context.Context, brokers []string, topic string) (bool, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return false, fmt.Errorf("making a Kafka client: %w", err)
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	if partitions, err := partitionsOf(ctx, adm, topic); err != nil || partitions == 0 {
		return false, err
	}
	ends, err := listOffsets(ctx, adm.ListEndOffsets, topic)
	if err != nil {
		return false, err
	}
	return slices.Max(ends) > 0, nil
}
