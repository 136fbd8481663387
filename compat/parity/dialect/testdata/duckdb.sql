-- Tables
CREATE TABLE IF NOT EXISTS trade_events (
    "side" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "partition" INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    landed_at TIMESTAMP NOT NULL,
    event_id BIGINT NOT NULL,
    event VARCHAR NOT NULL,
    "at" BIGINT NOT NULL,
    business_date INTEGER NOT NULL,
    account_id BIGINT NOT NULL,
    trade_id BIGINT NOT NULL,
    trade_type VARCHAR NOT NULL,
    trade_timestamp BIGINT NOT NULL,
    client_trade_id VARCHAR NOT NULL,
    trade_date INTEGER NOT NULL,
    trade_account_id BIGINT NOT NULL,
    quantity DECIMAL(38,10) NOT NULL,
    price DECIMAL(38,10) NOT NULL,
    instrument_identifier VARCHAR NOT NULL,
    instrument_identifier_type VARCHAR NOT NULL,
    instrument_country VARCHAR,
    instrument_currency VARCHAR,
    side_direction VARCHAR NOT NULL,
    side_qualifier VARCHAR,
    side_position VARCHAR,
    capacity VARCHAR,
    mic VARCHAR,
    exec_mpid VARCHAR,
    contra_mpid VARCHAR,
    contra_clearing_num VARCHAR,
    target_account_id BIGINT,
    settlement_currency VARCHAR NOT NULL,
    settlement_date INTEGER,
    fees_commission DECIMAL(38,10) NOT NULL,
    fees_omit_sec BOOLEAN NOT NULL,
    fees_omit_taf BOOLEAN NOT NULL,
    fees_omit_bill BOOLEAN NOT NULL,
    interest_yield DECIMAL(38,10),
    interest_accrued DECIMAL(38,10),
    interest_accrued_days BIGINT,
    is_when_issued BOOLEAN NOT NULL,
    order_id VARCHAR,
    cancel_trade_id VARCHAR,
    contra_side_qualifier VARCHAR,
    nscc_clearing VARCHAR,
    last_market VARCHAR,
    "locate" VARCHAR,
    behalf_of_account_id VARCHAR,
    solicited VARCHAR,
    registered_rep VARCHAR,
    branch_office VARCHAR,
    user_data VARCHAR,
    state VARCHAR NOT NULL,
    settle_date INTEGER NOT NULL,
    gross_amount DECIMAL(38,10) NOT NULL,
    sec_fee DECIMAL(38,10) NOT NULL,
    taf_fee DECIMAL(38,10) NOT NULL,
    net_amount DECIMAL(38,10) NOT NULL,
    booked_at BIGINT NOT NULL,
    canceled_at BIGINT,
    replaced_by BIGINT,
    replaces BIGINT,
    "position" DECIMAL(38,10) NOT NULL,
    balance DECIMAL(38,10) NOT NULL,
    settled_position DECIMAL(38,10) NOT NULL,
    settled_balance DECIMAL(38,10) NOT NULL,
    content_hash BIGINT NOT NULL,
    canonical BOOLEAN NOT NULL
);

CREATE TABLE IF NOT EXISTS cash_events (
    "side" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "partition" INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    landed_at TIMESTAMP NOT NULL,
    event_id BIGINT NOT NULL,
    event VARCHAR NOT NULL,
    "at" BIGINT NOT NULL,
    business_date INTEGER NOT NULL,
    account_id BIGINT NOT NULL,
    cash_id BIGINT NOT NULL,
    client_id VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    amount DECIMAL(38,10) NOT NULL,
    balance DECIMAL(38,10) NOT NULL,
    settled_balance DECIMAL(38,10) NOT NULL,
    content_hash BIGINT NOT NULL,
    canonical BOOLEAN NOT NULL
);

CREATE TABLE IF NOT EXISTS date_events (
    "side" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "partition" INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    landed_at TIMESTAMP NOT NULL,
    event_id BIGINT NOT NULL,
    event VARCHAR NOT NULL,
    "at" BIGINT NOT NULL,
    from_date INTEGER NOT NULL,
    to_date INTEGER NOT NULL,
    content_hash BIGINT NOT NULL,
    canonical BOOLEAN NOT NULL
);

CREATE TABLE IF NOT EXISTS landing_offsets (
    "side" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "partition" INTEGER NOT NULL,
    topic_id VARCHAR,
    first_offset BIGINT NOT NULL,
    next_offset BIGINT NOT NULL,
    events BIGINT NOT NULL,
    rejects BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    end_offset BIGINT NOT NULL,
    changed_at TIMESTAMP NOT NULL,
    caught_up_at TIMESTAMP,
    last_event_id BIGINT,
    last_event_at BIGINT
);

CREATE TABLE IF NOT EXISTS landing_rejects (
    "side" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "partition" INTEGER NOT NULL,
    "offset" BIGINT NOT NULL,
    landed_at TIMESTAMP NOT NULL,
    reason VARCHAR NOT NULL,
    record_key BLOB,
    "value" BLOB
);

CREATE TABLE IF NOT EXISTS landing_gaps (
    "side" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "partition" INTEGER NOT NULL,
    first_offset BIGINT NOT NULL,
    next_offset BIGINT NOT NULL,
    accepted_at TIMESTAMP NOT NULL,
    who VARCHAR NOT NULL,
    why VARCHAR NOT NULL
);

-- A temporary table
CREATE OR REPLACE TEMPORARY TABLE landing_offsets (
    "side" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "partition" INTEGER NOT NULL,
    topic_id VARCHAR,
    first_offset BIGINT NOT NULL,
    next_offset BIGINT NOT NULL,
    events BIGINT NOT NULL,
    rejects BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    end_offset BIGINT NOT NULL,
    changed_at TIMESTAMP NOT NULL,
    caught_up_at TIMESTAMP,
    last_event_id BIGINT,
    last_event_at BIGINT
);

-- A temporary table of a query
CREATE OR REPLACE TEMPORARY TABLE x AS SELECT 1 AS a;

-- Rows by placeholders
INSERT INTO cash_events ("side", topic, "partition", "offset", landed_at, event_id, event, "at", business_date, account_id, cash_id, client_id, currency, amount, balance, settled_balance, content_hash, canonical) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- Where the landing stands
SELECT "side", topic, "partition", topic_id, first_offset, next_offset, events, rejects, skipped, end_offset, changed_at, caught_up_at, last_event_id, last_event_at FROM landing_offsets ORDER BY "side", topic, "partition";

-- A row that is not there
INSERT INTO landing_gaps ("side", topic, "partition", accepted_at) SELECT 'bank', 'it''s\n', 3, '2013-10-07 14:30:00.123456'::TIMESTAMP WHERE NOT EXISTS (SELECT 1 FROM landing_gaps WHERE "side" = 'bank' AND topic = 'it''s\n' AND "partition" = 3);

-- A partition that is not there
INSERT INTO landing_offsets ("side", topic, "partition", topic_id, first_offset, next_offset, events, rejects, skipped, end_offset, changed_at, caught_up_at, last_event_id, last_event_at) SELECT 'bank', 'it''s\n', 2, CAST(NULL AS VARCHAR), 1, 8, 5, 1, 1, 9, '2013-10-07 14:30:00.123456'::TIMESTAMP, '2013-10-07 14:30:00.123456'::TIMESTAMP, CAST(NULL AS BIGINT), 1381132800464 WHERE NOT EXISTS (SELECT 1 FROM landing_offsets WHERE "side" = 'bank' AND topic = 'it''s\n' AND "partition" = 2);

-- Two partitions' step
UPDATE landing_offsets SET topic_id = v.topic_id, first_offset = v.first_offset, next_offset = v.next_offset, events = v.events, rejects = v.rejects, skipped = v.skipped, end_offset = v.end_offset, changed_at = v.changed_at, caught_up_at = v.caught_up_at, last_event_id = v.last_event_id, last_event_at = v.last_event_at FROM (SELECT 'bank' AS "side", 'it''s\n' AS topic, 3 AS "partition", CAST(NULL AS VARCHAR) AS topic_id, 1 AS first_offset, 8 AS next_offset, 5 AS events, 1 AS rejects, 1 AS skipped, 9 AS end_offset, '2013-10-07 14:30:00.123456'::TIMESTAMP AS changed_at, '2013-10-07 14:30:00.123456'::TIMESTAMP AS caught_up_at, CAST(NULL AS BIGINT) AS last_event_id, 1381132800464 AS last_event_at, 7 AS was UNION ALL SELECT 'bank', 'it''s\n', 4, CAST(NULL AS VARCHAR), 1, 8, 5, 1, 1, 9, '2013-10-07 14:30:00.123456'::TIMESTAMP, CAST(NULL AS TIMESTAMP), CAST(NULL AS BIGINT), 1381132800464, 8) AS v WHERE landing_offsets."side" = v."side" AND landing_offsets.topic = v.topic AND landing_offsets."partition" = v."partition" AND landing_offsets.next_offset = v.was;

-- Out to Parquet
COPY (SELECT c."side", c.topic, c."partition", c."offset", c.landed_at, c.event_id, c.event, c."at", c.business_date, c.account_id, c.cash_id, c.client_id, c.currency, c.amount, c.balance, c.settled_balance, c.content_hash, c.canonical FROM cash_events c) TO '@parity/it''s/cash_events' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 122880);

-- In from Parquet
INSERT INTO cash_events BY NAME SELECT "side", topic, "partition", "offset", landed_at, event_id, event, "at", business_date, account_id, cash_id, client_id, currency, amount, balance, settled_balance, content_hash, canonical FROM read_parquet('@parity/cash_events');

-- Expressions
SELECT (current_timestamp AT TIME ZONE 'UTC'),
    epoch_ms(landed_at),
    COUNT(*) FILTER (WHERE a > 1),
    MIN_BY(a, b),
    ANY_VALUE(a),
    CAST(SUM(amount) AS DECIMAL(38,10)),
    CAST(a AS BIGINT),
    rtrim(rtrim(CAST(amount AS VARCHAR), '0'), '.');

