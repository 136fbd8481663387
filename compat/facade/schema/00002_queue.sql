-- What one system has done and the other has still to do. See packages backlog, queue, feed and follow.

-- +goose Up

-- A call that Bank is being asked for. It goes when its outcome is known. A key is an account; an entity, negated; 0: everything (a roll).
CREATE TABLE facade.intent (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch     bigint NOT NULL,
    kind      text NOT NULL,
    keys      bigint[] NOT NULL CHECK (cardinality(keys) > 0),
    size      int NOT NULL CHECK (size > 0),
    request   json NOT NULL,
    replica   text NOT NULL,
    opened_at timestamptz NOT NULL,
    until     timestamptz NOT NULL -- the call to Bank has ended by then
);

-- The intents of a key: looked up by every call, so not by a search in intent.keys.
CREATE TABLE facade.intent_key (
    key    bigint NOT NULL,
    intent bigint NOT NULL,
    PRIMARY KEY (key, intent)
);

-- Calls of which Bank knew nothing when the time was over. It is asked now and then whether it has done them after all.
CREATE TABLE facade.intent_given_up (
    id          bigint PRIMARY KEY,
    epoch       bigint NOT NULL,
    kind        text NOT NULL,
    keys        bigint[] NOT NULL,
    size        int NOT NULL,
    request     json NOT NULL,
    given_up_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What Bank has done, for BK.
CREATE TABLE facade.queue (
    position  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- taken under the locks of the keys: ascending for each key
    origin    bigint NOT NULL, -- the intent, or Bank's event
    epoch     bigint NOT NULL,
    kind      text NOT NULL,
    keys      bigint[] NOT NULL CHECK (cardinality(keys) > 0),
    size      int NOT NULL CHECK (size > 0),
    request   json NOT NULL,
    answer    json,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at   timestamptz,
    outcome   text CHECK (outcome IN ('done', 'skipped', 'unmappable')),
    attempts  int NOT NULL DEFAULT 0, -- rejections
    next_try  timestamptz,
    reason    text, -- of the last rejection, or of its being skipped
    who       text, -- has skipped it
    CHECK ((done_at IS NULL) = (outcome IS NULL))
);
CREATE INDEX queue_waiting ON facade.queue (position) WHERE done_at IS NULL;
CREATE INDEX queue_rejected ON facade.queue (position) WHERE attempts > 0 AND done_at IS NULL;

-- What BK has done, for Bank: the same. A position is a place in BK's journal.
CREATE TABLE facade.feed (LIKE facade.queue INCLUDING CONSTRAINTS);
ALTER TABLE facade.feed ADD PRIMARY KEY (position);
ALTER TABLE facade.feed ALTER queued_at SET DEFAULT clock_timestamp(), ALTER attempts SET DEFAULT 0;
CREATE INDEX feed_waiting ON facade.feed (position) WHERE done_at IS NULL;
CREATE INDEX feed_rejected ON facade.feed (position) WHERE attempts > 0 AND done_at IS NULL;

-- How far BK's journal is in facade.feed. One row.
CREATE TABLE facade.feed_place (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    sequence bigint NOT NULL
);

-- Which of Bank's events follow takes: those of an epoch in which Bank is alone. up_to is null while it goes on.
CREATE TABLE facade.follow_window (
    epoch  bigint PRIMARY KEY,
    after  bigint NOT NULL,
    up_to  bigint CHECK (up_to >= after),
    seen   bigint NOT NULL, -- the highest event id that was read
    date   int NOT NULL     -- the business date that the queue has come to
);

-- Where follow is in Bank's topics: all before is in the queue, or was not for it.
CREATE TABLE facade.follow_offset (
    topic      text NOT NULL,
    partition  int NOT NULL,
    next       bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

-- Events that are in the queue, as a relay may repeat them.
CREATE TABLE facade.follow_seen (
    stream   text NOT NULL, -- the topic
    event_id bigint NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stream, event_id)
);

-- +goose Down

DROP TABLE facade.follow_seen, facade.follow_offset, facade.follow_window, facade.feed_place, facade.feed, facade.queue,
    facade.intent_given_up, facade.intent_key, facade.intent;
