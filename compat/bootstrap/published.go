package bootstrap

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// published tells whether BK's topic has, or had, an event: who reads it knows another ledger than the one to be loaded.
func (b *Bootstrap) published(ctx context.Context) (bool, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.cfg.Kafka...))
	if err != nil {
		return false, fmt.Errorf("make a Kafka client: %w", err)
	}
	defer client.Close()
	adm := kadm.NewClient(client)
	topics, err := adm.ListTopics(ctx, b.cfg.Events)
	if err != nil {
		return false, fmt.Errorf("look for topic %s: %w", b.cfg.Events, err)
	}
	if !topics.Has(b.cfg.Events) {
		return false, nil
	}
	ends, err := adm.ListEndOffsets(ctx, b.cfg.Events)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return false, fmt.Errorf("where %s ends: %w", b.cfg.Events, err)
	}
	any := false
	ends.Each(func(o kadm.ListedOffset) { any = any || o.Offset > 0 })
	return any, nil
}
