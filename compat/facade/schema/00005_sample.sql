-- Where the secondary answered a sampled read otherwise than the primary. See package sample.

-- +goose Up

CREATE TABLE facade.divergence (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seen_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    replica         text NOT NULL,
    epoch           bigint NOT NULL,
    mode            text NOT NULL,
    route           text NOT NULL,
    request         text NOT NULL, -- method and target; no header
    kind            text NOT NULL CHECK (kind IN ('status', 'missing_field', 'extra_field', 'value', 'order', 'missing_row', 'extra_row', 'body')),
    path            text NOT NULL,
    primary_value   text NOT NULL, -- as JSON, cut; '' where there is none
    secondary_value text NOT NULL,
    explained_by    text NOT NULL DEFAULT '', -- the rule
    expired_rule    text NOT NULL DEFAULT '', -- the rule that would explain it, had it not expired
    rounds          int NOT NULL,             -- how often both were asked
    waited_ms       bigint NOT NULL           -- for how long
);

-- +goose Down

DROP TABLE facade.divergence;
