-- Where the relay publishes. See steer.go.

-- +goose Up

-- One row. An event below from_event_id goes to topics whose names begin with before; from there on, to those that begin with prefix, or it waits.
CREATE TABLE bank.relay (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch          bigint  NOT NULL, -- of who set it last: an older one may not
    held           boolean NOT NULL,
    prefix         text    NOT NULL,
    event_id_floor bigint  NOT NULL, -- ids that were left out for, when it was last held
    before         text    NOT NULL,
    from_event_id  bigint  NOT NULL
);
INSERT INTO bank.relay (epoch, held, prefix, event_id_floor, before, from_event_id) VALUES (0, false, '', 0, '', 1);

-- +goose Down

DROP TABLE bank.relay;
