-- What was over at Bank when BK's books were opened with balances (bootstrap's mode opening), and so is in nobody's journal but here. See package archive.

-- +goose Up

-- BK's sequence number up to which its journal is opening balances and what was alive; null: its journal has all of the history, and nothing is archived.
ALTER TABLE facade.bootstrap ADD COLUMN opening_head bigint CHECK (opening_head > 0);

-- Trades that are settled or cancelled, whole; and of those that were alive (state '') what BK does not know of their past.
CREATE TABLE facade.archive_trade (
    bank_id        bigint PRIMARY KEY,
    account_id     bigint NOT NULL,
    target_id      bigint NOT NULL,                     -- 0: none
    trade_date     int NOT NULL,
    state          text NOT NULL CHECK (state IN ('', 'settled', 'canceled')),
    client_id      text COLLATE "C" NOT NULL,
    content        bytea NOT NULL CHECK (octet_length(content) = 32), -- SHA-256 of the request in its one spelling
    body           text NOT NULL,                       -- what Bank's API answers; '' of one that was alive
    running        text NOT NULL,                       -- the account's position right after it opened; '': it has not
    target_running text NOT NULL,
    replaces       bigint NOT NULL,                     -- the trade in whose place it stands, 0: none
    CHECK ((state = '') = (body = ''))
);

CREATE UNIQUE INDEX ON facade.archive_trade (account_id, client_id);
CREATE INDEX ON facade.archive_trade (account_id, trade_date, bank_id);
CREATE INDEX ON facade.archive_trade (target_id, trade_date, bank_id) WHERE target_id <> 0;

-- Cash movements.
CREATE TABLE facade.archive_cash (
    cash_id        bigint PRIMARY KEY,
    client_id      text COLLATE "C" NOT NULL UNIQUE,
    content        bytea NOT NULL CHECK (octet_length(content) = 32) -- SHA-256 of the movement as JSON
);

-- All of Bank's journal, that of trades that were alive included.
CREATE TABLE facade.archive_journal (
    row_id         bigint PRIMARY KEY,
    account_id     bigint NOT NULL,
    date           int NOT NULL,
    trade_id       bigint NOT NULL,                     -- 0: of a cash movement
    cash_id        bigint NOT NULL,                     -- 0: of a trade
    symbol         text NOT NULL,
    currency       text NOT NULL,
    memo           text NOT NULL,
    td_quantity    text NOT NULL,
    td_amount      text NOT NULL,
    sd_quantity    text NOT NULL,
    sd_amount      text NOT NULL
);

CREATE INDEX ON facade.archive_journal (account_id, row_id);

-- Later trades that may stand in the place of one that was cancelled: written before they are booked, so BK knows which of them are.
CREATE TABLE facade.archive_replaced (
    bank_id        bigint NOT NULL REFERENCES facade.archive_trade,
    trade_key      text COLLATE "C" NOT NULL,           -- BK's
    PRIMARY KEY (bank_id, trade_key)
);

-- +goose Down

DROP TABLE facade.archive_replaced, facade.archive_journal, facade.archive_cash, facade.archive_trade;
ALTER TABLE facade.bootstrap DROP COLUMN opening_head;
