-- Events that follow can't have any more, trades that stand elsewhere in BK's journal than by Bank's ids, and calls that can be found by who made them.

-- +goose Up

-- Where Bank's topics ended before the place was taken, as [{topic, partition, next}]: no later event of Bank's stands before. null: Kafka was away, or is not used.
ALTER TABLE facade.bank_place ADD offsets json;

-- Events of a window that Kafka had deleted before they were read. Nothing is followed, and no step is made, until somebody has seen to it.
CREATE TABLE facade.follow_gap (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    epoch       bigint NOT NULL, -- the window
    topic       text NOT NULL,
    partition   int NOT NULL,
    first       bigint NOT NULL, -- offsets: the first that is missing,
    next        bigint NOT NULL CHECK (next > first), -- and where the log begins now
    noticed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at   timestamptz, -- somebody has brought BK up to date by other means
    who         text,
    why         text,
    CHECK ((closed_at IS NULL) = (who IS NULL) AND (who IS NULL) = (why IS NULL))
);
CREATE UNIQUE INDEX follow_gap_open ON facade.follow_gap (topic, partition) WHERE closed_at IS NULL;

-- Trades that BK took over by POST /replay while it booked first itself: their ids do not ascend with the others' in its journal. One row for each of a trade's accounts.
CREATE TABLE facade.books_stray (
    account_id  bigint NOT NULL,
    date        int NOT NULL, -- trade date
    bank_id     bigint NOT NULL,
    bk_id       bigint NOT NULL,
    PRIMARY KEY (account_id, date, bank_id)
);

-- Names a call, so that it finds its intent again if it never heard that it was written down.
ALTER TABLE facade.intent ADD call text NOT NULL DEFAULT '';

-- +goose Down

ALTER TABLE facade.intent DROP call;
DROP TABLE facade.books_stray, facade.follow_gap;
ALTER TABLE facade.bank_place DROP offsets;
