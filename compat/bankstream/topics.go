package bankstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/bkledger/bk/compat/bank"
	"github.com/bkledger/bk/compat/bankstream/state"
)

// outputs are Bank's topics. The dates have no key, only an order.
var outputs = [...]string{bank.TopicTrades, bank.TopicCash, bank.TopicBusinessDate}

const (
	topicsPoll = 50 * time.Millisecond

	stateRecord  = state.MaxRecord + 256<<10 // bytes that a record of the changelog may take
	stateSegment = 16 << 20                  // small ones, because only closed segments are compacted
)

// topics is what is known of all topics at the beginning of a session.
type topics struct {
	partitions int32 // of Events and State
	maxMessage int32 // bytes that all topics for output take
}

// ensureTopics looks at the topics and makes those that are missing, but for BK's.
func (c *Config) ensureTopics(ctx context.Context, admin *kadm.Client) (topics, error) {
	names := []string{c.Events, c.State}
	for _, name := range outputs {
		names = append(names, name, c.Shadow+name)
	}
	there, err := partitionsOf(ctx, admin, names...)
	if err != nil {
		return topics{}, err
	}
	t := topics{partitions: there[c.Events]}
	if t.partitions == 0 {
		return t, fmt.Errorf("there is no topic %s: BK makes it when it first publishes", c.Events)
	}
	configs := map[string]string{"cleanup.policy": "compact", "segment.bytes": strconv.Itoa(stateSegment), "min.cleanable.dirty.ratio": "0.3", "message.timestamp.type": "CreateTime"}
	n, err := c.ensureTopic(ctx, admin, c.State, there[c.State], t.partitions, configs)
	if err != nil {
		return t, err
	}
	if n != t.partitions {
		return t, fmt.Errorf("%w: %s has %d partitions and %s has %d: the state of each of the one's is in the other's of the same number", ErrTopics, c.State, n, c.Events, t.partitions)
	}
	var written []string
	for _, name := range outputs {
		n := c.Partitions
		switch {
		case name == bank.TopicBusinessDate:
			n = 1
		case n == 0 && there[name] != 0:
			n = there[name]
		case n == 0:
			n = t.partitions
		}
		to := []string{c.Shadow + name}
		if c.Owner != nil {
			to = append(to, name)
		}
		for _, topic := range to {
			configs := map[string]string{"message.timestamp.type": "CreateTime"}
			if topic != name { // for ever: records have their events' times, and a replay's would be deleted at once
				configs["retention.ms"], configs["retention.bytes"] = "-1", "-1"
			}
			found, err := c.ensureTopic(ctx, admin, topic, there[topic], n, configs)
			if err != nil {
				return t, err
			}
			if c.Partitions != 0 && found != n && topic != name {
				return t, fmt.Errorf("%w: %s has %d partitions and is to have %d", ErrTopics, topic, found, n)
			}
		}
		written = append(written, to...)
	}
	return t, c.configured(ctx, admin, &t, written)
}

// configured holds the topics' settings against what the stream needs.
func (c *Config) configured(ctx context.Context, admin *kadm.Client, t *topics, written []string) error {
	found, err := admin.DescribeTopicConfigs(ctx, append([]string{c.Events, c.State}, written...)...)
	if err != nil {
		return fmt.Errorf("look at the topics' settings: %w", err)
	}
	t.maxMessage = 1 << 30
	for _, of := range found {
		if of.Err != nil {
			return fmt.Errorf("look at the settings of topic %s: %w", of.Name, of.Err)
		}
		for _, setting := range of.Configs {
			value := setting.MaybeValue()
			switch setting.Key {
			case "cleanup.policy":
				if of.Name == c.State && value != "compact" {
					return fmt.Errorf("%w: cleanup.policy of %s is %s: the state would be deleted; it must be compact alone", ErrTopics, of.Name, value)
				}
				if of.Name != c.State && strings.Contains(value, "compact") {
					return fmt.Errorf("%w: cleanup.policy of %s is %s: events would be lost", ErrTopics, of.Name, value)
				}
			case "retention.ms", "retention.bytes":
				if strings.HasPrefix(of.Name, c.Shadow) && of.Name != c.State && value != "-1" {
					c.Log.WarnContext(ctx, "a shadow topic does not keep everything: it is not whole, and a replay is deleted as it is written", "topic", of.Name, setting.Key, value)
				}
			case "max.message.bytes":
				n, err := strconv.ParseInt(value, 10, 32)
				if err != nil {
					continue // a broker that doesn't say it
				}
				if of.Name == c.State && n < stateRecord {
					return fmt.Errorf("%w: max.message.bytes of %s is %d, below %d", ErrTopics, of.Name, n, stateRecord)
				}
				if of.Name != c.Events {
					t.maxMessage = min(t.maxMessage, int32(n))
				}
			}
		}
	}
	return nil
}

// ensureTopic makes a topic that has no partitions, and gives how many it has. Whoever made it, each has a leader then.
func (c *Config) ensureTopic(ctx context.Context, admin *kadm.Client, name string, there, partitions int32, settings map[string]string) (int32, error) {
	if there != 0 {
		return there, nil
	}
	configs := map[string]*string{}
	for k, v := range settings {
		configs[k] = &v
	}
	if c.MinInsync > 0 {
		configs["min.insync.replicas"] = new(strconv.Itoa(c.MinInsync))
	}
	_, err := admin.CreateTopic(ctx, partitions, c.ReplicationFactor, configs, name)
	switch {
	case err == nil:
		c.Log.InfoContext(ctx, "made topic", "topic", name, "partitions", partitions)
	case !errors.Is(err, kerr.TopicAlreadyExists):
		return 0, fmt.Errorf("make topic %s: %w", name, err)
	}
	for {
		n, err := partitionsOf(ctx, admin, name)
		if err != nil || n[name] > 0 {
			return n[name], err
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("wait for topic %s: %w", name, ctx.Err())
		case <-time.After(topicsPoll):
		}
	}
}

// partitionsOf counts topics' partitions; 0 where there is no such topic.
func partitionsOf(ctx context.Context, admin *kadm.Client, names ...string) (map[string]int32, error) {
	details, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("look at the topics: %w", err)
	}
	n := map[string]int32{}
	for _, name := range names {
		d := details[name]
		if d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			return nil, fmt.Errorf("look at topic %s: %w", name, d.Err)
		}
		if d.Err == nil {
			n[name] = int32(len(d.Partitions))
		}
	}
	return n, nil
}
