package bankstream

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/bkledger/bk/compat/bankstream/state"
)

// Status is what an instance is doing.
type Status struct {
	Instance   string            `json:"instance"`
	Group      string            `json:"group"`
	Joined     bool              `json:"joined"` // the group has it; it may have no partition all the same
	Since      time.Time         `json:"since"`
	Error      string            `json:"error,omitempty"` // why it has not joined
	Ready      bool              `json:"ready"`           // it has joined, and all its partitions run
	Partitions []PartitionStatus `json:"partitions"`      // of this instance
}

// PartitionStatus is how a partition does.
type PartitionStatus struct {
	Partition int32        `json:"partition"`
	Phase     Phase        `json:"phase"`
	Since     time.Time    `json:"since"`
	Offset    int64        `json:"offset"` // of BK's topic: what comes next; where it stands, what it stands at
	Lag       int64        `json:"lag"`    // offsets that Kafka has beyond
	Entry     int64        `json:"entry"`  // BK's entry that was told last
	Error     string       `json:"error,omitempty"`
	Holdings  int          `json:"holdings"`
	Trades    int          `json:"trades"`
	Skipped   int64        `json:"skipped"` // events that were left out, ever
	Skips     []state.Skip `json:"skips,omitempty"`
}

// Status says what the instance is doing.
func (s *Service) Status() Status {
	n, since, err := s.current()
	out := Status{Instance: s.cfg.Instance, Group: s.cfg.Group, Since: since, Partitions: []PartitionStatus{}}
	if err != nil {
		out.Error = err.Error()
	}
	if n == nil {
		return out
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	out.Joined = n.joined
	out.Ready = n.joined
	for _, p := range n.partitions {
		at := p.view.position
		one := PartitionStatus{
			Partition: p.id, Phase: p.phase, Since: p.since, Offset: at.Next, Lag: max(0, p.end-at.Next), Entry: at.Entry,
			Holdings: p.view.holdings, Trades: p.view.trades, Skipped: p.view.skipped, Skips: p.view.skips,
		}
		if p.phase == Poisoned {
			one.Offset = p.at
		}
		if p.err != nil {
			one.Error = p.err.Error()
		}
		out.Ready = out.Ready && p.phase == Running
		out.Partitions = append(out.Partitions, one)
	}
	slices.SortFunc(out.Partitions, func(a, b PartitionStatus) int { return cmp.Compare(a.Partition, b.Partition) })
	return out
}

// Unready says in a sentence why an instance isn't ready; "" if it is.
func (s Status) Unready() string {
	if s.Error != "" {
		return s.Error
	}
	if !s.Joined {
		return fmt.Sprintf("it has not joined group %s yet", s.Group)
	}
	for _, p := range s.Partitions {
		if p.Phase != Running {
			return fmt.Sprintf("partition %d is %s at offset %d: %s", p.Partition, p.Phase, p.Offset, cmp.Or(p.Error, "nothing is wrong"))
		}
	}
	return ""
}
