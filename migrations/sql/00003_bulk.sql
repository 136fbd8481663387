-- Bulk loads: a journal that was built elsewhere is brought into an empty ledger (package api/bulk, docs/bulk-load.md).
--
-- Rows go into bk.bulk_journal, which is made as bk.journal is and which no server reads. When all of them are verified, the partitions change hands in
-- one transaction. So nobody ever sees half of a load, and a load that is given up needs no DELETE: its partitions are dropped. Both are done by
-- functions with the owner's rights that can't touch a row of bk.journal: the application's role still can neither change nor delete one.

-- +goose Up

-- One row a load that was ever begun.
--   epoch     of the shard, raised by each process that takes the load up; its chunks carry it as a fence
--   manifest  SHA-256 of what is to be loaded: the same load goes on, another one has to wait
--   state     loading: chunks come in; verifying: all are there, and are read; done: they are the journal; aborted: they are gone
CREATE TABLE bk.bulk_load (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard      smallint    NOT NULL CHECK (shard >= 0),
    epoch      bigint      NOT NULL,
    manifest   bytea       NOT NULL CHECK (octet_length(manifest) = 32),
    chunks     integer     NOT NULL,
    rows       bigint      NOT NULL,
    state      text        NOT NULL CHECK (state IN ('loading', 'verifying', 'done', 'aborted')),
    who        text        NOT NULL,
    begun_at   timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX bulk_load_open ON bk.bulk_load (shard) WHERE state IN ('loading', 'verifying');
CREATE UNIQUE INDEX bulk_load_done ON bk.bulk_load (shard) WHERE state = 'done';

-- One row a chunk that is in, written by the transaction that copied it: each is copied once.
CREATE TABLE bk.bulk_chunk (
    load      bigint      NOT NULL REFERENCES bk.bulk_load,
    number    integer     NOT NULL,
    first     bigint      NOT NULL,
    last      bigint      NOT NULL,
    rows      bigint      NOT NULL,
    sha256    bytea       NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (load, number)
);

CREATE TABLE bk.bulk_journal (LIKE bk.journal INCLUDING ALL) PARTITION BY RANGE (seq);

-- bulk_segment makes the partition of bk.bulk_journal for entries n·2^23 to (n+1)·2^23 - 1, unless it is there; see bk.add_segment.
-- +goose StatementBegin
CREATE FUNCTION bk.bulk_segment(n bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    size CONSTANT bigint := 8388608;
    name text := format('bulk_journal_%s', lpad(n::text, 6, '0'));
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('bk.bulk_segment'));
    IF to_regclass('bk.' || name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE bk.%I (LIKE bk.bulk_journal INCLUDING ALL, CHECK (seq >= %s AND seq < %s))', name, n * size, (n + 1) * size);
    EXECUTE format('ALTER TABLE bk.bulk_journal ATTACH PARTITION bk.%I FOR VALUES FROM (%s) TO (%s)', name, n * size, (n + 1) * size);
END
$$;
-- +goose StatementEnd

-- bulk_publish makes what was loaded the journal. The journal must be empty, and the load verified and still the one that holds the shard. It locks
-- readers out for the moment that it takes; the caller sets a lock_timeout, and tries again.
-- +goose StatementBegin
CREATE FUNCTION bk.bulk_publish(of_shard smallint, of_epoch bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    size CONSTANT bigint := 8388608;
    part regclass;
    n    bigint;
BEGIN
    PERFORM FROM bk.shard WHERE shard = of_shard AND epoch = of_epoch FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the epoch of shard % is not % any more', of_shard, of_epoch USING ERRCODE = 'division_by_zero'; -- as a fence says it
    END IF;
    IF NOT EXISTS (SELECT FROM bk.bulk_load WHERE shard = of_shard AND epoch = of_epoch AND state = 'verifying') THEN
        RAISE EXCEPTION 'shard % has no bulk load that is verified', of_shard;
    END IF;
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bk.bulk_journal'::regclass LOOP
        EXECUTE format('ANALYZE %s', part); -- before anybody waits; the first servers plan by it
    END LOOP;
    LOCK TABLE bk.journal, bk.bulk_journal IN ACCESS EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM bk.journal) THEN
        RAISE EXCEPTION 'bk.journal is not empty';
    END IF;
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bk.journal'::regclass LOOP
        EXECUTE format('DROP TABLE %s', part);
    END LOOP;
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bk.bulk_journal'::regclass LOOP
        n := substring((SELECT relname FROM pg_class WHERE oid = part) FROM '[0-9]+$')::bigint;
        EXECUTE format('ALTER TABLE bk.bulk_journal DETACH PARTITION %s', part);
        EXECUTE format('ALTER TABLE %s RENAME TO %I', part, format('journal_%s', lpad(n::text, 6, '0')));
        EXECUTE format('ALTER TABLE bk.journal ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)', part, n * size, (n + 1) * size);
    END LOOP;
END
$$;
-- +goose StatementEnd

-- bulk_discard drops what was loaded and is not the journal. No load may be open.
-- +goose StatementBegin
CREATE FUNCTION bk.bulk_discard() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    part regclass;
BEGIN
    IF EXISTS (SELECT FROM bk.bulk_load WHERE state IN ('loading', 'verifying')) THEN
        RAISE EXCEPTION 'a bulk load is open';
    END IF;
    FOR part IN SELECT inhrelid FROM pg_inherits WHERE inhparent = 'bk.bulk_journal'::regclass LOOP
        EXECUTE format('DROP TABLE %s', part);
    END LOOP;
END
$$;
-- +goose StatementEnd

REVOKE ALL ON FUNCTION bk.bulk_segment(bigint), bk.bulk_publish(smallint, bigint), bk.bulk_discard() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION bk.bulk_segment(bigint), bk.bulk_publish(smallint, bigint), bk.bulk_discard() TO bk_app;
GRANT SELECT, INSERT, UPDATE ON bk.bulk_load TO bk_app;
GRANT SELECT, INSERT ON bk.bulk_chunk, bk.bulk_journal TO bk_app;

-- +goose Down
DROP FUNCTION bk.bulk_discard();
DROP FUNCTION bk.bulk_publish(smallint, bigint);
DROP FUNCTION bk.bulk_segment(bigint);
DROP TABLE bk.bulk_journal;
DROP TABLE bk.bulk_chunk;
DROP TABLE bk.bulk_load;
