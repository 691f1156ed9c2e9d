-- +goose Up

-- What is good for minutes. Those that are over are dropped with the next of their kind.
CREATE TABLE slips (
    kind  TEXT    NOT NULL,
    name  TEXT    NOT NULL,
    data  TEXT    NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;

CREATE INDEX slips_until ON slips (kind, until);
