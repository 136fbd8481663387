package landing

import (
	"errors"
	"fmt"
	"strings"
)

// ErrMadeAnew says that a topic is not the one that was landed: it was deleted and made again, or is shorter than what was landed.
var ErrMadeAnew = errors.New("the topic is not the one that was landed")

// Gap is what Kafka had deleted before it was landed: offsets from First to before Next.
type Gap struct {
	Side      string `json:"side"`
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	First     int64  `json:"first_offset"`
	Next      int64  `json:"next_offset"`
}

// GapError says what is missing.
type GapError struct{ Gaps []Gap }

func (e *GapError) Error() string {
	var missing []string
	for _, g := range e.Gaps {
		missing = append(missing, fmt.Sprintf("%s/%d: offsets %d to %d", g.Topic, g.Partition, g.First, g.Next-1))
	}
	return "Kafka has deleted what was not landed yet: " + strings.Join(missing, ", ")
}
