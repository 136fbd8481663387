-- The books of Bank: what is mutable is one row that is updated in place, what happened is a journal row and an outbox row.

-- +goose Up
CREATE SCHEMA bank;

CREATE TABLE bank.entity (
    entity_id   bigint PRIMARY KEY,
    client_code text   NOT NULL,
    legal_name  text   NOT NULL
);

-- The row is the lock of the account: whoever changes anything of an account holds it.
CREATE TABLE bank.account (
    account_id bigint PRIMARY KEY,
    entity_id  bigint NOT NULL REFERENCES bank.entity,
    name       text   NOT NULL
);

CREATE SEQUENCE bank.trade_id;
CREATE SEQUENCE bank.cash_id;
CREATE SEQUENCE bank.journal_id;
CREATE SEQUENCE bank.event_id;

CREATE TABLE bank.trade (
    trade_id          bigint  PRIMARY KEY,
    account_id        bigint  NOT NULL REFERENCES bank.account,
    client_trade_id   text    NOT NULL,
    target_account_id bigint  REFERENCES bank.account,
    trade_date        integer NOT NULL,
    settle_date       integer NOT NULL,
    state             text    NOT NULL CHECK (state IN ('new', 'open', 'settled', 'canceled')),
    symbol            text    NOT NULL COLLATE "C",
    currency          text    NOT NULL COLLATE "C",
    sell              boolean NOT NULL,
    quantity          numeric NOT NULL,
    price             numeric NOT NULL,
    gross_amount      numeric NOT NULL,
    sec_fee           numeric NOT NULL,
    taf_fee           numeric NOT NULL,
    net_amount        numeric NOT NULL,
    running           numeric, -- the account's position right after the trade opened
    target_running    numeric,
    booked_at         bigint  NOT NULL, -- milliseconds, as all times here
    canceled_at       bigint,
    replaced_by       bigint,
    replaces          bigint,
    request           json    NOT NULL, -- normalised; json and not jsonb, which would not keep free fields as given
    UNIQUE (account_id, client_trade_id),
    CHECK ((state = 'canceled') = (canceled_at IS NOT NULL))
) WITH (fillfactor = 90); -- a row changes its state once or twice

CREATE INDEX trade_of_account ON bank.trade (account_id, trade_date, trade_id);
CREATE INDEX trade_of_target ON bank.trade (target_account_id, trade_date, trade_id) WHERE target_account_id IS NOT NULL;
-- What a roll looks for, by trade id. The day is in the index, so that rows that are not due are passed over without being read.
CREATE INDEX trade_to_open ON bank.trade (trade_id, trade_date) WHERE state = 'new';
CREATE INDEX trade_to_settle ON bank.trade (trade_id, settle_date) WHERE state = 'open';

CREATE TABLE bank.position (
    account_id       bigint  NOT NULL REFERENCES bank.account,
    symbol           text    NOT NULL COLLATE "C",
    quantity         numeric NOT NULL,
    settled_quantity numeric NOT NULL,
    PRIMARY KEY (account_id, symbol)
) WITH (fillfactor = 70); -- updates find room on their page

CREATE TABLE bank.balance (
    account_id        bigint  NOT NULL REFERENCES bank.account,
    currency          text    NOT NULL COLLATE "C",
    settled_cash      numeric NOT NULL,
    unsettled_debits  numeric NOT NULL CHECK (unsettled_debits >= 0),
    unsettled_credits numeric NOT NULL CHECK (unsettled_credits >= 0),
    PRIMARY KEY (account_id, currency)
) WITH (fillfactor = 70);

CREATE TABLE bank.journal (
    journal_id  bigint  NOT NULL DEFAULT nextval('bank.journal_id'),
    account_id  bigint  NOT NULL,
    date        integer NOT NULL,
    trade_id    bigint,
    cash_id     bigint,
    symbol      text    NOT NULL,
    currency    text    NOT NULL,
    memo        text    NOT NULL,
    td_quantity numeric NOT NULL,
    td_amount   numeric NOT NULL,
    sd_quantity numeric NOT NULL,
    sd_amount   numeric NOT NULL,
    PRIMARY KEY (account_id, journal_id)
);

CREATE TABLE bank.cash (
    cash_id           bigint  PRIMARY KEY,
    client_id         text    NOT NULL UNIQUE,
    account_id        bigint  NOT NULL REFERENCES bank.account,
    target_account_id bigint  REFERENCES bank.account,
    currency          text    NOT NULL,
    amount            numeric NOT NULL CHECK (amount > 0),
    kind              text    NOT NULL,
    booked_at         bigint  NOT NULL
);

-- One row. While a roll is on its way, rolling_to is where it goes: whoever finds that set without a roll at work finishes it first.
CREATE TABLE bank.business_date (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    date       integer NOT NULL,
    rolling_to integer NOT NULL
);
INSERT INTO bank.business_date (date, rolling_to) VALUES (0, 0);

-- What is to be published. The relay deletes rows once the broker has them, so that the table stays short.
CREATE TABLE bank.outbox (
    event_id bigint   PRIMARY KEY,
    topic    smallint NOT NULL, -- 1 trades, 2 cash, 3 business date
    key      text     NOT NULL,
    event    text     NOT NULL  -- JSON as published
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000); -- what was deleted lies before what is next

-- One row: the highest event id that the relay has deleted.
CREATE TABLE bank.published (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    event_id bigint  NOT NULL
);
INSERT INTO bank.published (event_id) VALUES (0);

-- +goose Down
DROP SCHEMA bank CASCADE;
