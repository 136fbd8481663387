-- +goose Up

-- The uploads that were passed on to Bank, in bank-only: Bank works them off, and while it does the mode stays.
CREATE TABLE facade.passed_upload (
    kind      text NOT NULL CHECK (kind IN ('insert', 'cancel')),
    upload_id text NOT NULL,
    ended     boolean NOT NULL DEFAULT false,
    PRIMARY KEY (kind, upload_id)
);
CREATE INDEX passed_upload_open ON facade.passed_upload (upload_id) WHERE NOT ended;

-- +goose Down

DROP TABLE facade.passed_upload;
