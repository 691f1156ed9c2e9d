-- +goose Up

-- Where durable sequences stand, read and written whole as JSON. Every question
-- is a range of names of one kind, which the primary key answers. With row
-- numbers, as objects: the data can be large.
CREATE TABLE records (
    kind    TEXT    NOT NULL,
    name    TEXT    NOT NULL,
    data    TEXT    NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
);
