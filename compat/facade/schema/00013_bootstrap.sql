-- What this database was filled with at once, from Bank's tables. See package bootstrap.

-- +goose Up

-- One row, where it was. The façade does not begin while it is not loaded, and begins behind Bank's event event_id then: BK has all up to there.
CREATE TABLE facade.bootstrap (
    only_one      boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    manifest      text NOT NULL,   -- SHA-256 of what is loaded, in hexadecimal
    event_id      bigint NOT NULL, -- Bank's last
    business_date int NOT NULL,    -- Bank's, as of event_id
    state         text NOT NULL DEFAULT 'loading' CHECK (state IN ('loading', 'loaded')),
    who           text NOT NULL CHECK (who <> ''),
    began_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    loaded_at     timestamptz,
    CHECK ((state = 'loaded') = (loaded_at IS NOT NULL))
);

-- The pieces that are in.
CREATE TABLE facade.bootstrap_chunk (
    name      text PRIMARY KEY,
    rows      bigint NOT NULL,
    sha256    text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- +goose Down

DROP TABLE facade.bootstrap_chunk, facade.bootstrap;
