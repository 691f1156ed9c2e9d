-- +goose Up

-- Times are microseconds since 1970 UTC.

-- One row per lease ever taken. A released lease keeps its row, for its term.
CREATE TABLE leases (
    name    TEXT    NOT NULL PRIMARY KEY,
    holder  TEXT    NOT NULL,
    term    INTEGER NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;

-- The key in columns, the rest as JSON: a memory is only ever read and written
-- whole, and a field more or less needs no migration.
CREATE TABLE memories (
    account  TEXT NOT NULL,
    region   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    resource TEXT NOT NULL,
    body     TEXT NOT NULL,
    PRIMARY KEY (account, region, kind, resource)
) WITHOUT ROWID;

CREATE TABLE runs (
    id   TEXT NOT NULL PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;

-- Columns of its own for everything that is hashed: the record must be
-- checkable without this program.
CREATE TABLE activity (
    seq      INTEGER NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    run      TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    event    TEXT    NOT NULL,
    account  TEXT    NOT NULL,
    region   TEXT    NOT NULL,
    kind     TEXT    NOT NULL,
    resource TEXT    NOT NULL,
    name     TEXT    NOT NULL,
    schedule TEXT    NOT NULL,
    reason   TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    prev     TEXT    NOT NULL,
    hash     TEXT    NOT NULL
);

-- Each index ends in seq by itself, so a question for the newest few stops
-- early. Rows without a value are left out: nobody asks for them.
CREATE INDEX activity_at       ON activity (at);
CREATE INDEX activity_resource ON activity (resource) WHERE resource <> '';
CREATE INDEX activity_name     ON activity (name)     WHERE name <> '';
CREATE INDEX activity_schedule ON activity (schedule) WHERE schedule <> '';
CREATE INDEX activity_event    ON activity (event);

-- One row: the end of the record, and a counter that Ping writes.
CREATE TABLE head (
    only  INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    seq   INTEGER NOT NULL,
    hash  TEXT    NOT NULL,
    pings INTEGER NOT NULL
);
INSERT INTO head (only, seq, hash, pings)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000', 0);
