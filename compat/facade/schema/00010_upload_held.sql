-- Rows of uploads that fail for no fault of their own as far as one can tell, and what people have decided about them. See package upload.

-- +goose Up

-- The row that an upload waits for: it is tried again and again. It goes when the row has gone through, or is given up.
CREATE TABLE facade.upload_held (
    seq       bigint PRIMARY KEY REFERENCES facade.upload,
    row       bigint NOT NULL,
    attempts  bigint NOT NULL,      -- that have failed
    since     timestamptz NOT NULL, -- the first of them
    failed_at timestamptz NOT NULL, -- the latest
    type      text NOT NULL,        -- of the latest failure
    message   text NOT NULL,
    who       text,                 -- wants it given up; the worker has not decided yet
    why       text,
    force     boolean NOT NULL DEFAULT false,
    refused   text                  -- why it was not given up when that was last asked for
);

-- The rows that were given up.
CREATE TABLE facade.upload_given_up (
    seq         bigint NOT NULL REFERENCES facade.upload,
    row         bigint NOT NULL,
    attempts    bigint NOT NULL,
    since       timestamptz NOT NULL,
    type        text NOT NULL,
    message     text NOT NULL,
    who         text NOT NULL CHECK (who <> ''),
    why         text NOT NULL CHECK (why <> ''),
    force       boolean NOT NULL,
    given_up_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (seq, row)
);

-- +goose Down

DROP TABLE facade.upload_given_up, facade.upload_held;
