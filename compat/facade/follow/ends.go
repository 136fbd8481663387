package follow

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TopicEnds gives where Bank's topics end, without a Follower: what Bank does from now on comes at these offsets, or behind. Topics that Bank has not made yet have none.
func TopicEnds(ctx context.Context, brokers []string, options ...kgo.Opt) ([]Offset, error) {
	cfg := Config{}.WithDefaults()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(brokers...)}, options...)...)
	if err != nil {
		return nil, fmt.Errorf("make a Kafka client: %w", err)
	}
	defer client.Close()
	found, err := ends(ctx, kadm.NewClient(client), &cfg)
	if err != nil {
		return nil, err
	}
	offsets := make([]Offset, 0, len(found))
	for at, next := range found {
		offsets = append(offsets, Offset{at.topic, at.partition, next})
	}
	slices.SortFunc(offsets, func(a, b Offset) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	return offsets, nil
}
