-- What Bank will never get, where bk-only was declared final without it.

-- +goose Up

ALTER TABLE facade.mode ADD left_behind bigint NOT NULL DEFAULT 0 CHECK (left_behind >= 0); -- entries of BK's, as whoever declared it final said

-- A topic that was made anew ends before what was read of it: then next is where it ends now.
ALTER TABLE facade.follow_gap DROP CONSTRAINT follow_gap_check, ADD CHECK (next <> first);

-- +goose Down

ALTER TABLE facade.follow_gap DROP CONSTRAINT follow_gap_check;
DELETE FROM facade.follow_gap WHERE next < first;
ALTER TABLE facade.follow_gap ADD CHECK (next > first);
ALTER TABLE facade.mode DROP left_behind;
