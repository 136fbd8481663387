package owner

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// progress is what is known of how far the stream has to come.
type progress struct {
	admin *kadm.Client
	last  int64           // the entry that ends are of
	ends  map[int32]int64 // where the partitions of BK's topic ended when it had that entry; nil: not known
}

func (p *progress) close() {
	if p.admin != nil {
		p.admin.Close()
	}
}

// published finds out whether the stream has published all of BK's entries up to last, and says what is missing, "" for nothing. The group's offsets are committed in the
// transactions that publish.
func (o *Owner) published(ctx context.Context, last int64) (missing string, err error) {
	p := &o.progress
	if len(o.cfg.Brokers) == 0 {
		return "an instance with Kafka finds out whether the stream has published all of its own", nil
	}
	if p.admin == nil {
		client, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(o.cfg.Brokers...)}, o.cfg.Options...)...)
		if err != nil {
			return "", fmt.Errorf("make a Kafka client: %w", err)
		}
		p.admin = kadm.NewClient(client)
	}
	if p.ends == nil || p.last != last {
		published, err := o.cfg.BK.Published(ctx)
		if err != nil {
			return "", err
		}
		if published < last {
			return fmt.Sprintf("BK has published up to %d of %d", published, last), nil
		}
		listed, err := p.admin.ListEndOffsets(ctx, o.cfg.Events)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			return "", fmt.Errorf("where %s ends: %w", o.cfg.Events, err)
		}
		ends := map[int32]int64{}
		listed.Each(func(l kadm.ListedOffset) { ends[l.Partition] = l.Offset })
		if len(ends) == 0 {
			return "", fmt.Errorf("where %s ends: it has no partitions", o.cfg.Events)
		}
		p.ends, p.last = ends, last
	}
	committed, err := p.admin.FetchOffsets(ctx, o.cfg.Group) // those of an open transaction are not among them, which is as it should be
	if err == nil {
		err = committed.Error()
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return "the stream has not begun", nil
	}
	if err != nil {
		return "", fmt.Errorf("how far the stream's group %s is: %w", o.cfg.Group, err)
	}
	behind := 0
	for partition, end := range p.ends {
		at, there := committed.Lookup(o.cfg.Events, partition)
		if end == 0 || there && at.At >= end {
			continue
		}
		behind++
		missing = fmt.Sprintf("the stream is at %d of %d in %s/%d", max(at.At, 0), end, o.cfg.Events, partition)
	}
	if behind > 1 {
		missing += fmt.Sprintf(", and behind in %d more", behind-1)
	}
	return missing, nil
}
