-- Read models: tables that are folded from the journal and can be folded again at any time.
--
-- They are the application's own: it makes, fills and drops them, one set of tables for each generation of a projection
-- (bk_read.balances_1, bk_read.balances_2, ...). Only the list of the generations is made here.

-- +goose Up
CREATE SCHEMA bk_read;

-- One row for each generation that was ever begun; the number counts up by name and is never used again, so that a process that
-- comes back from a long sleep can't take a newer generation for its own.
--   state      building: filled beside the active one; active: read and followed, one a shard; retired: readers may still be in it;
--              dropped: its tables are gone, the row is kept as history
--   seq, hash  the checkpoint: the last entry folded in and its chain hash, written in the transaction that wrote its effect
--              (promise P5); 0 and empty before the first entry
--   booked_at  when that entry was booked
--   fault      why the fold stopped, empty while it goes
CREATE TABLE bk_read.projection (
    name       text        NOT NULL,
    generation bigint      NOT NULL CHECK (generation > 0),
    shard      smallint    NOT NULL CHECK (shard >= 0),
    version    integer     NOT NULL,
    state      text        NOT NULL CHECK (state IN ('building', 'active', 'retired', 'dropped')),
    seq        bigint      NOT NULL DEFAULT 0 CHECK (seq >= 0),
    hash       bytea       NOT NULL DEFAULT '',
    booked_at  timestamptz,
    fault      text        NOT NULL DEFAULT '',
    begun_at   timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(), -- of the state
    PRIMARY KEY (name, generation),
    CHECK (octet_length(hash) = CASE seq WHEN 0 THEN 0 ELSE 32 END)
) WITH (fillfactor = 20); -- a few rows, updated many times a second: room for the new versions on the same page
CREATE UNIQUE INDEX projection_active ON bk_read.projection (name, shard) WHERE state = 'active';
CREATE UNIQUE INDEX projection_building ON bk_read.projection (name, shard) WHERE state = 'building';

GRANT ALL ON SCHEMA bk_read TO bk_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON bk_read.projection TO bk_app;

-- +goose Down
DROP SCHEMA bk_read CASCADE;
