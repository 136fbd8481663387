-- Files of trades and of cancels, and how far they are worked off. See package upload.

-- +goose Up

CREATE TABLE facade.upload (
    seq        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- order of arrival
    kind       text NOT NULL CHECK (kind IN ('insert', 'cancel')),
    upload_id  text NOT NULL, -- the file's SHA-256, in hexadecimal
    name       text NOT NULL,
    created_at bigint NOT NULL, -- milliseconds, as updated_at
    updated_at bigint NOT NULL,
    status     text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'done', 'failed')),
    processed  bigint NOT NULL DEFAULT 0, -- rows that are done; with skipped: where to go on
    skipped    bigint NOT NULL DEFAULT 0, -- rows that were bad
    attempted  bigint NOT NULL DEFAULT 0, -- the last row whose cancel was begun, of a trade that was not cancelled by then
    UNIQUE (kind, upload_id)
);

CREATE INDEX upload_upload_id ON facade.upload (upload_id);
CREATE INDEX upload_left ON facade.upload (seq) WHERE status IN ('pending', 'running');

-- The file, in parts, until it is worked off.
CREATE TABLE facade.upload_part (
    seq     bigint NOT NULL REFERENCES facade.upload,
    part    int NOT NULL, -- from 0
    content bytea NOT NULL,
    PRIMARY KEY (seq, part)
);

ALTER TABLE facade.upload_part ALTER COLUMN content SET STORAGE EXTERNAL; -- most of it is zipped, or read once

CREATE TABLE facade.upload_error (
    seq     bigint NOT NULL REFERENCES facade.upload,
    row     bigint NOT NULL,
    type    text NOT NULL,
    message text NOT NULL,
    PRIMARY KEY (seq, row)
);

-- +goose Down

DROP TABLE facade.upload_error, facade.upload_part, facade.upload;
