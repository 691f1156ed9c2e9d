-- +goose Up

-- How a decision came about, as JSON; NULL for a row without it. It is hashed.
ALTER TABLE activity ADD COLUMN chain TEXT;

-- What is remembered of a scope as a whole, read and written whole as JSON.
CREATE TABLE scopes (
    account TEXT NOT NULL,
    region  TEXT NOT NULL,
    body    TEXT NOT NULL,
    PRIMARY KEY (account, region)
) WITHOUT ROWID;

-- A deleted object keeps its row, for its version, without a spec. With row
-- numbers, unlike the tables above: a spec can be large.
CREATE TABLE objects (
    kind    TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    version INTEGER NOT NULL,
    spec    TEXT,
    author  TEXT    NOT NULL,
    created INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
);

-- Counts the changes of objects.
ALTER TABLE head ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
