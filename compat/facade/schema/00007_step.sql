-- What steps need beside the history: Bank's day at a step, long writes, the brake, and how far Bank had come at instants of bank-primary-bk-secondary.

-- +goose Up

ALTER TABLE facade.mode ADD business_date int NOT NULL DEFAULT 0; -- Bank's, as of bank_event_id

ALTER TABLE facade.replica ADD long_writes bigint NOT NULL DEFAULT 0; -- those of inflight that may take minutes

-- Writes are slowed down on all replicas while a step waits for its backlog. At most one row.
CREATE TABLE facade.brake (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    delay_ms double precision NOT NULL CHECK (delay_ms > 0), -- of each write
    until    timestamptz NOT NULL
);

-- All of Bank's committed work up to event_id was there before seen_at, and its business date was date. The kill switch begins the window of follow at one of these.
CREATE TABLE facade.bank_place (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch    bigint NOT NULL,
    event_id bigint NOT NULL,
    date     int NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- +goose Down

DROP TABLE facade.bank_place, facade.brake;
ALTER TABLE facade.replica DROP long_writes;
ALTER TABLE facade.mode DROP business_date;
