package bank

import "context"

// RelaySetting says what the relay, which publishes Bank's events, is to do with those that come: PUT /relay on the operations listener. Only the reference Bank has it.
//
// Held: events behind the last that Bank has given an id wait in its outbox, and ids go on behind Floor. Not held: what is behind that place is published, on topics whose names
// begin with Prefix. What is before it goes where it went before, whatever comes.
type RelaySetting struct {
	Epoch  int64  `json:"epoch"` // given by whoever steers, ascending from 1: a setting of an older one is refused, the same again is a success
	Held   bool   `json:"held"`
	Prefix string `json:"prefix,omitempty"`         // not with Held; "", or such as "legacy."
	Floor  ID     `json:"event_id_floor,omitempty"` // with Held only: no event that comes has an id up to it; 0: ids just go on
}

// Relay is how it stands: GET /relay, and the answer to PUT /relay.
type Relay struct {
	RelaySetting
	Before string `json:"before"`        // the prefix of events below From
	From   ID     `json:"from_event_id"` // the first event that is held, or goes to Prefix
	// FirstUnsent is the lowest event below From that Kafka may not have; 0: it has all of them.
	FirstUnsent ID `json:"first_unsent_below"`
	// Waiting is how many events are not sent, on whichever side of From; 10000 stands for that many or more.
	Waiting int64 `json:"waiting"`
}

// MaxPrefix is how many characters a prefix of topics may have.
const MaxPrefix = 100

// ReadRelaySetting reads the body of PUT /relay.
func ReadRelaySetting(body []byte) (s RelaySetting, err error) {
	const most = 1<<62 - 1
	err = readBody(body, func(o *object) {
		s.Epoch, _ = o.integer("epoch", true, 1, most)
		s.Held = o.needFlag("held")
		if prefix := o.text("prefix", false, 0, MaxPrefix); prefix != "" {
			s.Prefix = o.madeOf("prefix", false, 1, MaxPrefix, "small letters, digits, and ._-", inTopic)
		}
		s.Floor = o.id("event_id_floor", false, most)
		if s.Held && s.Prefix != "" {
			o.fail("prefix", "what is held goes nowhere")
		}
		if !s.Held && s.Floor != 0 {
			o.fail("event_id_floor", "only with held")
		}
	})
	return s, err
}

func inTopic(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

// Relay calls GET /relay.
func (c *Client) Relay(ctx context.Context) (relay Relay, err error) {
	_, err = c.call(ctx, request{base: c.config.Operations, method: "GET", path: "/relay"}, &relay)
	return relay, err
}

// SetRelay calls PUT /relay: conflict where the epoch is over, or where what is asked for can't be done as the relay stands.
func (c *Client) SetRelay(ctx context.Context, setting RelaySetting) (relay Relay, err error) {
	_, err = c.operateBy(ctx, "PUT", "/relay", setting, &relay, 0)
	return relay, err
}
