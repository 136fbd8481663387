-- Tables
CREATE TABLE IF NOT EXISTS trade_events (
    "SIDE" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "PARTITION" NUMBER(10,0) NOT NULL,
    "OFFSET" NUMBER(19,0) NOT NULL,
    landed_at TIMESTAMP_NTZ(6) NOT NULL,
    event_id NUMBER(19,0) NOT NULL,
    event VARCHAR NOT NULL,
    "AT" NUMBER(19,0) NOT NULL,
    business_date NUMBER(10,0) NOT NULL,
    account_id NUMBER(19,0) NOT NULL,
    trade_id NUMBER(19,0) NOT NULL,
    trade_type VARCHAR NOT NULL,
    trade_timestamp NUMBER(19,0) NOT NULL,
    client_trade_id VARCHAR NOT NULL,
    trade_date NUMBER(10,0) NOT NULL,
    trade_account_id NUMBER(19,0) NOT NULL,
    quantity NUMBER(38,10) NOT NULL,
    price NUMBER(38,10) NOT NULL,
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
    target_account_id NUMBER(19,0),
    settlement_currency VARCHAR NOT NULL,
    settlement_date NUMBER(10,0),
    fees_commission NUMBER(38,10) NOT NULL,
    fees_omit_sec BOOLEAN NOT NULL,
    fees_omit_taf BOOLEAN NOT NULL,
    fees_omit_bill BOOLEAN NOT NULL,
    interest_yield NUMBER(38,10),
    interest_accrued NUMBER(38,10),
    interest_accrued_days NUMBER(19,0),
    is_when_issued BOOLEAN NOT NULL,
    order_id VARCHAR,
    cancel_trade_id VARCHAR,
    contra_side_qualifier VARCHAR,
    nscc_clearing VARCHAR,
    last_market VARCHAR,
    "LOCATE" VARCHAR,
    behalf_of_account_id VARCHAR,
    solicited VARCHAR,
    registered_rep VARCHAR,
    branch_office VARCHAR,
    user_data VARCHAR,
    state VARCHAR NOT NULL,
    settle_date NUMBER(10,0) NOT NULL,
    gross_amount NUMBER(38,10) NOT NULL,
    sec_fee NUMBER(38,10) NOT NULL,
    taf_fee NUMBER(38,10) NOT NULL,
    net_amount NUMBER(38,10) NOT NULL,
    booked_at NUMBER(19,0) NOT NULL,
    canceled_at NUMBER(19,0),
    replaced_by NUMBER(19,0),
    replaces NUMBER(19,0),
    "POSITION" NUMBER(38,10) NOT NULL,
    balance NUMBER(38,10) NOT NULL,
    settled_position NUMBER(38,10) NOT NULL,
    settled_balance NUMBER(38,10) NOT NULL,
    content_hash NUMBER(19,0) NOT NULL,
    canonical BOOLEAN NOT NULL
);

CREATE TABLE IF NOT EXISTS cash_events (
    "SIDE" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "PARTITION" NUMBER(10,0) NOT NULL,
    "OFFSET" NUMBER(19,0) NOT NULL,
    landed_at TIMESTAMP_NTZ(6) NOT NULL,
    event_id NUMBER(19,0) NOT NULL,
    event VARCHAR NOT NULL,
    "AT" NUMBER(19,0) NOT NULL,
    business_date NUMBER(10,0) NOT NULL,
    account_id NUMBER(19,0) NOT NULL,
    cash_id NUMBER(19,0) NOT NULL,
    client_id VARCHAR NOT NULL,
    currency VARCHAR NOT NULL,
    amount NUMBER(38,10) NOT NULL,
    balance NUMBER(38,10) NOT NULL,
    settled_balance NUMBER(38,10) NOT NULL,
    content_hash NUMBER(19,0) NOT NULL,
    canonical BOOLEAN NOT NULL
);

CREATE TABLE IF NOT EXISTS date_events (
    "SIDE" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "PARTITION" NUMBER(10,0) NOT NULL,
    "OFFSET" NUMBER(19,0) NOT NULL,
    landed_at TIMESTAMP_NTZ(6) NOT NULL,
    event_id NUMBER(19,0) NOT NULL,
    event VARCHAR NOT NULL,
    "AT" NUMBER(19,0) NOT NULL,
    from_date NUMBER(10,0) NOT NULL,
    to_date NUMBER(10,0) NOT NULL,
    content_hash NUMBER(19,0) NOT NULL,
    canonical BOOLEAN NOT NULL
);

CREATE TABLE IF NOT EXISTS landing_offsets (
    "SIDE" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "PARTITION" NUMBER(10,0) NOT NULL,
    topic_id VARCHAR,
    first_offset NUMBER(19,0) NOT NULL,
    next_offset NUMBER(19,0) NOT NULL,
    events NUMBER(19,0) NOT NULL,
    rejects NUMBER(19,0) NOT NULL,
    skipped NUMBER(19,0) NOT NULL,
    end_offset NUMBER(19,0) NOT NULL,
    changed_at TIMESTAMP_NTZ(6) NOT NULL,
    caught_up_at TIMESTAMP_NTZ(6),
    last_event_id NUMBER(19,0),
    last_event_at NUMBER(19,0)
);

CREATE TABLE IF NOT EXISTS landing_rejects (
    "SIDE" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "PARTITION" NUMBER(10,0) NOT NULL,
    "OFFSET" NUMBER(19,0) NOT NULL,
    landed_at TIMESTAMP_NTZ(6) NOT NULL,
    reason VARCHAR NOT NULL,
    record_key BINARY,
    "VALUE" BINARY
);

CREATE TABLE IF NOT EXISTS landing_gaps (
    "SIDE" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "PARTITION" NUMBER(10,0) NOT NULL,
    first_offset NUMBER(19,0) NOT NULL,
    next_offset NUMBER(19,0) NOT NULL,
    accepted_at TIMESTAMP_NTZ(6) NOT NULL,
    who VARCHAR NOT NULL,
    why VARCHAR NOT NULL
);

-- A temporary table
CREATE OR REPLACE TEMPORARY TABLE landing_offsets (
    "SIDE" VARCHAR NOT NULL,
    topic VARCHAR NOT NULL,
    "PARTITION" NUMBER(10,0) NOT NULL,
    topic_id VARCHAR,
    first_offset NUMBER(19,0) NOT NULL,
    next_offset NUMBER(19,0) NOT NULL,
    events NUMBER(19,0) NOT NULL,
    rejects NUMBER(19,0) NOT NULL,
    skipped NUMBER(19,0) NOT NULL,
    end_offset NUMBER(19,0) NOT NULL,
    changed_at TIMESTAMP_NTZ(6) NOT NULL,
    caught_up_at TIMESTAMP_NTZ(6),
    last_event_id NUMBER(19,0),
    last_event_at NUMBER(19,0)
);

-- A temporary table of a query
CREATE OR REPLACE TEMPORARY TABLE x AS SELECT 1 AS a;

-- Rows by placeholders
INSERT INTO cash_events ("SIDE", topic, "PARTITION", "OFFSET", landed_at, event_id, event, "AT", business_date, account_id, cash_id, client_id, currency, amount, balance, settled_balance, content_hash, canonical) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?), (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- Where the landing stands
SELECT "SIDE", topic, "PARTITION", topic_id, first_offset, next_offset, events, rejects, skipped, end_offset, changed_at, caught_up_at, last_event_id, last_event_at FROM landing_offsets ORDER BY "SIDE", topic, "PARTITION";

-- A row that is not there
INSERT INTO landing_gaps ("SIDE", topic, "PARTITION", accepted_at) SELECT 'bank', 'it''s\\n', 3, '2013-10-07 14:30:00.123456'::TIMESTAMP_NTZ WHERE NOT EXISTS (SELECT 1 FROM landing_gaps WHERE "SIDE" = 'bank' AND topic = 'it''s\\n' AND "PARTITION" = 3);

-- A partition that is not there
INSERT INTO landing_offsets ("SIDE", topic, "PARTITION", topic_id, first_offset, next_offset, events, rejects, skipped, end_offset, changed_at, caught_up_at, last_event_id, last_event_at) SELECT 'bank', 'it''s\\n', 2, CAST(NULL AS VARCHAR), 1, 8, 5, 1, 1, 9, '2013-10-07 14:30:00.123456'::TIMESTAMP_NTZ, '2013-10-07 14:30:00.123456'::TIMESTAMP_NTZ, CAST(NULL AS NUMBER(19,0)), 1381132800464 WHERE NOT EXISTS (SELECT 1 FROM landing_offsets WHERE "SIDE" = 'bank' AND topic = 'it''s\\n' AND "PARTITION" = 2);

-- Two partitions' step
UPDATE landing_offsets SET topic_id = v.topic_id, first_offset = v.first_offset, next_offset = v.next_offset, events = v.events, rejects = v.rejects, skipped = v.skipped, end_offset = v.end_offset, changed_at = v.changed_at, caught_up_at = v.caught_up_at, last_event_id = v.last_event_id, last_event_at = v.last_event_at FROM (SELECT 'bank' AS "SIDE", 'it''s\\n' AS topic, 3 AS "PARTITION", CAST(NULL AS VARCHAR) AS topic_id, 1 AS first_offset, 8 AS next_offset, 5 AS events, 1 AS rejects, 1 AS skipped, 9 AS end_offset, '2013-10-07 14:30:00.123456'::TIMESTAMP_NTZ AS changed_at, '2013-10-07 14:30:00.123456'::TIMESTAMP_NTZ AS caught_up_at, CAST(NULL AS NUMBER(19,0)) AS last_event_id, 1381132800464 AS last_event_at, 7 AS was UNION ALL SELECT 'bank', 'it''s\\n', 4, CAST(NULL AS VARCHAR), 1, 8, 5, 1, 1, 9, '2013-10-07 14:30:00.123456'::TIMESTAMP_NTZ, CAST(NULL AS TIMESTAMP_NTZ(6)), CAST(NULL AS NUMBER(19,0)), 1381132800464, 8) AS v WHERE landing_offsets."SIDE" = v."SIDE" AND landing_offsets.topic = v.topic AND landing_offsets."PARTITION" = v."PARTITION" AND landing_offsets.next_offset = v.was;

-- Out to Parquet
COPY INTO @parity/it's/cash_events FROM (SELECT c."SIDE", c.topic, c."PARTITION", c."OFFSET", c.landed_at, c.event_id, c.event, c."AT", c.business_date, c.account_id, c.cash_id, c.client_id, c.currency, c.amount, c.balance, c.settled_balance, c.content_hash, c.canonical FROM cash_events c) FILE_FORMAT = (TYPE = PARQUET) HEADER = TRUE OVERWRITE = TRUE;

-- In from Parquet
COPY INTO cash_events FROM @parity/cash_events FILE_FORMAT = (TYPE = PARQUET, BINARY_AS_TEXT = FALSE, USE_LOGICAL_TYPE = TRUE) MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT;

-- A file into a stage
PUT 'file:///tmp/cash_events.parquet' @parity/cash_events AUTO_COMPRESS = FALSE OVERWRITE = FALSE;

-- Expressions
SELECT SYSDATE(),
    DATE_PART(epoch_millisecond, landed_at),
    COUNT_IF(a > 1),
    MIN_BY(a, b),
    ANY_VALUE(a),
    CAST(SUM(amount) AS NUMBER(38,10)),
    CAST(a AS NUMBER(19,0)),
    RTRIM(RTRIM(TO_VARCHAR(amount, 'FM9999999999999999999999999990.0000000000'), '0'), '.');

