-- The journal of one shard, its fence, and the rights of the application.
--
-- The application's role (bk_app) may insert into and read the journal, and neither update nor delete it: what was booked can only
-- be added to. Servers log in as any member of bk_app and SET ROLE bk_app; migrations run as the owner.

-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bk_app') THEN
        CREATE ROLE bk_app NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL; -- another database of this cluster made it at the same moment
END
$$;
-- +goose StatementEnd

CREATE SCHEMA bk;

-- One row a shard: the fence (promise P8). Every append locks the row FOR SHARE and checks the epoch; a takeover raises it.
CREATE TABLE bk.shard (
    shard    smallint    PRIMARY KEY CHECK (shard >= 0),
    epoch    bigint      NOT NULL DEFAULT 0,
    owner    text        NOT NULL DEFAULT '',
    taken_at timestamptz NOT NULL DEFAULT now()
);

-- The writer's sign of life, and how far it had acknowledged then: a journal that ends before that was cut. A row of its own,
-- because the fence's row is locked by every append.
CREATE TABLE bk.lease (
    shard smallint    PRIMARY KEY,
    epoch bigint      NOT NULL,
    owner text        NOT NULL,
    beat  timestamptz NOT NULL,
    seq   bigint      NOT NULL,
    hash  bytea       NOT NULL
);

-- The journal. A row is an entry, encoded (ledger/codec.go), in one total order a shard.
--   key_hash  64 bits of the idempotency key (xxHash), not unique: repeats are found before the COPY, by the full key
--   subject   0 for definitions; for later events on a trade the sequence number of its booking; NULL for everything else
--   hash      SHA-256 over the previous row's hash and this row (ledger/journal/chain.go)
-- The primary key begins with seq: a shard has a database of its own, and an index that begins with shard tempts the planner to read all of
-- it for "shard = 0 AND key_hash = ...". Partitions hold 2^23 entries each, so that the one random index, the key's, stays in memory where it is written.
CREATE TABLE bk.journal (
    shard    smallint NOT NULL,
    seq      bigint   NOT NULL,
    epoch    bigint   NOT NULL,
    key_hash bigint,
    subject  bigint,
    hash     bytea    NOT NULL,
    payload  bytea    NOT NULL,
    CONSTRAINT journal_pkey PRIMARY KEY (seq, shard)
) PARTITION BY RANGE (seq);
ALTER TABLE bk.journal ALTER COLUMN hash SET STORAGE PLAIN;
ALTER TABLE bk.journal ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX journal_key ON bk.journal (key_hash) WHERE key_hash IS NOT NULL;
CREATE INDEX journal_subject ON bk.journal (subject, seq) WHERE subject IS NOT NULL;

-- add_segment makes the partition for entries n·2^23 to (n+1)·2^23 - 1, unless it is there. The application's role calls it; it runs
-- with the owner's rights. Attaching locks out neither readers nor writers.
-- +goose StatementBegin
CREATE FUNCTION bk.add_segment(n bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    size CONSTANT bigint := 8388608;
    name text := format('journal_%s', lpad(n::text, 6, '0'));
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('bk.add_segment'));
    IF to_regclass('bk.' || name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE bk.%I (LIKE bk.journal INCLUDING ALL, CHECK (seq >= %s AND seq < %s))', name, n * size, (n + 1) * size);
    EXECUTE format('ALTER TABLE bk.journal ATTACH PARTITION bk.%I FOR VALUES FROM (%s) TO (%s)', name, n * size, (n + 1) * size);
END
$$;
-- +goose StatementEnd
SELECT bk.add_segment(0);

-- Snapshots of the filters over idempotency keys (ledger/journal/filter.go): a cache, rebuilt from the journal when missing.
CREATE TABLE bk.key_filter (
    shard   smallint NOT NULL,
    segment bigint   NOT NULL,
    part    integer  NOT NULL,
    up_to   bigint   NOT NULL,
    filter  bytea    NOT NULL,
    PRIMARY KEY (shard, segment, part)
);
ALTER TABLE bk.key_filter ALTER COLUMN filter SET STORAGE EXTERNAL;

REVOKE ALL ON FUNCTION bk.add_segment(bigint) FROM PUBLIC;
GRANT USAGE ON SCHEMA bk TO bk_app;
GRANT SELECT, INSERT ON bk.journal TO bk_app;
GRANT EXECUTE ON FUNCTION bk.add_segment(bigint) TO bk_app;
GRANT SELECT, INSERT, UPDATE ON bk.shard, bk.lease TO bk_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON bk.key_filter TO bk_app;

-- +goose Down
DROP SCHEMA bk CASCADE;
