package publisher

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// ensureTopics makes the topics that are missing and waits until every partition has a leader. Topics that are there are left as they
// are.
func (c *Config) ensureTopics(ctx context.Context, adm *kadm.Client) error {
	minInsync := strconv.Itoa(c.MinInsync)
	for _, t := range []struct {
		name       string
		partitions int32
		configs    map[string]string
	}{
		// The stream is for ever: a new consumer reads it from the beginning.
		{c.Events, c.Partitions, map[string]string{"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1", "message.timestamp.type": "CreateTime"}},
		// Small segments, because only closed ones are compacted.
		{c.Checkpoints, 1, map[string]string{"cleanup.policy": "compact", "segment.bytes": "16777216"}},
	} {
		there, err := partitionsOf(ctx, adm, t.name)
		if err == nil && there != 0 {
			continue
		}
		if err != nil {
			return err
		}
		configs := map[string]*string{}
		for k, v := range t.configs {
			configs[k] = &v
		}
		if c.MinInsync > 0 {
			configs["min.insync.replicas"] = &minInsync
		}
		_, err = adm.CreateTopic(ctx, t.partitions, c.ReplicationFactor, configs, t.name)
		switch {
		case err == nil:
			c.Log.InfoContext(ctx, "made topic", "topic", t.name, "partitions", t.partitions)
		case !errors.Is(err, kerr.TopicAlreadyExists):
			return fmt.Errorf("making topic %s: %w", t.name, err)
		}
		err = until(ctx, func() (bool, error) {
			there, err := partitionsOf(ctx, adm, t.name)
			return there > 0, err
		})
		if err != nil {
			return fmt.Errorf("waiting for topic %s: %w", t.name, err)
		}
	}
	return nil
}

// partitionsOf counts a topic's partitions: 0 if there is no such topic, -1 while some have no leader.
func partitionsOf(ctx context.Context, adm *kadm.Client, topic string) (int, error) {
	details, err := adm.ListTopics(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("looking for topic %s: %w", topic, err)
	}
	d := details[topic]
	if errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
		return 0, nil
	}
	if errors.Is(d.Err, kerr.LeaderNotAvailable) {
		return -1, nil
	}
	if d.Err != nil {
		return 0, fmt.Errorf("looking for topic %s: %w", topic, d.Err)
	}
	for _, p := range d.Partitions {
		if p.Leader < 0 {
			return -1, nil
		}
	}
	return len(d.Partitions), nil
}

// until asks again every 20 ms, until the answer is yes.
func until(ctx context.Context, ask func() (bool, error)) error {
	for {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Reset deletes both topics and makes them anew, empty, so that the next Run publishes the whole journal again. All that consumers
// know becomes worthless: it is for `bk dev` only, and for a moment when no publisher runs. Other shards' events are deleted too.
func (p *Publisher) Reset(ctx context.Context) error {
	s, err := p.connect()
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.fence(ctx); err != nil { // ends a transaction that a killed publisher left open
		return err
	}
	for _, topic := range []string{p.cfg.Events, p.cfg.Checkpoints} {
		if _, err := s.adm.DeleteTopic(ctx, topic); err != nil && !errors.Is(err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("deleting topic %s: %w", topic, err)
		}
		err := until(ctx, func() (bool, error) {
			there, err := partitionsOf(ctx, s.adm, topic)
			return there == 0, err
		})
		if err != nil {
			return fmt.Errorf("waiting until topic %s is deleted: %w", topic, err)
		}
	}
	if err := p.cfg.ensureTopics(ctx, s.adm); err != nil {
		return err
	}
	p.cfg.Log.WarnContext(ctx, "the event topics were deleted and made anew", "events", p.cfg.Events, "checkpoints", p.cfg.Checkpoints)
	return nil
}
