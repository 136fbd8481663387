-- +goose Up

CREATE SCHEMA IF NOT EXISTS facade;

-- The history of modes; the row with the highest epoch is in force.
CREATE TABLE facade.mode (
    epoch            bigint PRIMARY KEY CHECK (epoch > 0),
    mode             text NOT NULL CHECK (mode IN ('bank-only', 'bank-primary-bk-secondary', 'bk-primary-bank-secondary', 'bk-only')),
    since            timestamptz NOT NULL DEFAULT clock_timestamp(),
    who              text NOT NULL CHECK (who <> ''),
    why              text NOT NULL CHECK (why <> ''),
    killed           boolean NOT NULL DEFAULT false, -- entered by the kill switch: nothing was drained
    final            boolean NOT NULL DEFAULT false CHECK (NOT final OR mode = 'bk-only'),
    held_ms          double precision NOT NULL DEFAULT 0,
    trade_id_base    bigint NOT NULL DEFAULT 0, -- trade id = base + BK's entry id, for trades that BK books first
    cash_id_base     bigint NOT NULL DEFAULT 0,
    first_sequence   bigint NOT NULL DEFAULT 0, -- the first of BK's journal in this epoch
    bank_event_id    bigint NOT NULL DEFAULT 0  -- the last of Bank's before this epoch
);

-- The attempts to switch, successful or not. At most one is under way.
CREATE TABLE facade.switch (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    from_epoch       bigint NOT NULL REFERENCES facade.mode,
    to_mode          text NOT NULL,
    who              text NOT NULL,
    why              text NOT NULL,
    coordinator      text NOT NULL, -- the replica that leads it
    began_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    drain_until      timestamptz NOT NULL, -- after this it can't succeed any more
    ended_at         timestamptz,
    outcome          text CHECK (outcome IN ('done', 'given up')),
    message          text NOT NULL DEFAULT '',
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
);
CREATE UNIQUE INDEX switch_under_way ON facade.switch ((true)) WHERE ended_at IS NULL;

-- The running replicas. A name may be there twice for a while: a killed one's and its successor's.
CREATE TABLE facade.replica (
    run              text PRIMARY KEY, -- made anew by each process
    name             text NOT NULL,
    admin            text NOT NULL,    -- URL of its admin listener
    started_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    lease_until      timestamptz NOT NULL,
    renewed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    epoch            bigint NOT NULL, -- that it serves
    drained          bigint NOT NULL DEFAULT 0, -- the last switch for which it has closed its gate and has no write open
    inflight         bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- The share of reads that is asked of both systems; the last row is in force.
CREATE TABLE facade.sampling (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rate             double precision NOT NULL CHECK (rate BETWEEN 0 AND 1),
    since            timestamptz NOT NULL DEFAULT clock_timestamp(),
    who              text NOT NULL,
    why              text NOT NULL
);

-- +goose Down

DROP TABLE facade.sampling, facade.replica, facade.switch, facade.mode;
