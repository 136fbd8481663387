-- +goose Up

-- Legal entities, which BK doesn't have. The body is the resource as JSON.
CREATE TABLE facade.books_entity (
    entity_id        bigint PRIMARY KEY,
    body             text NOT NULL
);

-- Which instrument of BK stands for a symbol of Bank, and under which of its identifiers it is booked. Never changes.
CREATE TABLE facade.books_symbol (
    symbol           text COLLATE "C" PRIMARY KEY,
    instrument       bigint NOT NULL UNIQUE,
    type             integer NOT NULL, -- bk.v1.IdentifierType
    value            text NOT NULL,
    country          text NOT NULL,
    currency         text NOT NULL
);

-- Texts that are too long for BK, by their SHA-256.
CREATE TABLE facade.books_overflow (
    hash             bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
    content          bytea NOT NULL
);

-- What Bank booked first: its id, and BK's.
CREATE TABLE facade.books_id (
    kind             text NOT NULL CHECK (kind IN ('trade', 'cash')),
    bank_id          bigint NOT NULL,
    bk_id            bigint NOT NULL,
    PRIMARY KEY (kind, bank_id)
);

-- Trades that may bring an account no cash at all, such as transfers at a price of zero: Bank shows the currency nevertheless once the trade opened.
CREATE TABLE facade.books_free (
    account_id       bigint NOT NULL,
    currency         text NOT NULL,
    trade_key        text NOT NULL,
    opened           boolean NOT NULL DEFAULT false, -- that is so; then no other trade of the account in the currency matters
    PRIMARY KEY (account_id, currency, trade_key)
);

-- +goose Down

DROP TABLE facade.books_free, facade.books_id, facade.books_overflow, facade.books_symbol, facade.books_entity;
