-- Who publishes on Bank's topics. See packages facade (relay.go) and bankstream/owner.

-- +goose Up

ALTER TABLE facade.mode
    ADD event_id_base bigint NOT NULL DEFAULT 0,     -- event id of what the stream publishes on Bank's topics = this + 2 x BK's sequence + the leg
    ADD stream        boolean NOT NULL DEFAULT false; -- the stream publishes there, and Bank elsewhere

-- Of each time that the stream took Bank's topics over, by its first epoch: Bank had sent all that comes before.
CREATE TABLE facade.stream_taken (
    epoch      bigint PRIMARY KEY REFERENCES facade.mode,
    drained_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- +goose Down

DROP TABLE facade.stream_taken;
ALTER TABLE facade.mode DROP stream, DROP event_id_base;
