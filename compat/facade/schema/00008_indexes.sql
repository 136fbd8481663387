-- What is looked for regularly and was a scan of a whole table.

-- +goose Up

-- What was left out, skipped or unmappable: counted every second, and listed the latest first.
CREATE INDEX queue_left_out ON facade.queue (done_at, outcome) WHERE outcome <> 'done';
CREATE INDEX feed_left_out ON facade.feed (done_at, outcome) WHERE outcome <> 'done';

-- Events that are forgotten after a time.
CREATE INDEX follow_seen_at ON facade.follow_seen (seen_at);

-- +goose Down

DROP INDEX facade.queue_left_out, facade.feed_left_out, facade.follow_seen_at;
