-- +goose Up

-- What was counted in a window. Of each name the two newest windows are kept.
CREATE TABLE counters (
    name  TEXT    NOT NULL,
    start INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (name, start)
) WITHOUT ROWID;

-- When something was used last.
CREATE TABLE touches (
    name TEXT    NOT NULL PRIMARY KEY,
    at   INTEGER NOT NULL
) WITHOUT ROWID;

-- Found by the hash of the token, which is nowhere.
CREATE TABLE sessions (
    hash TEXT    NOT NULL PRIMARY KEY,
    seen INTEGER NOT NULL,
    body TEXT    NOT NULL
) WITHOUT ROWID;
