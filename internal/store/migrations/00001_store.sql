-- +goose Up
-- Settings of the installation itself; a reset leaves them.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Documents: JSON beside the few columns that are searched.
CREATE TABLE documents (
    kind   TEXT NOT NULL,
    id     TEXT NOT NULL,
    parent TEXT NOT NULL,
    name   TEXT NOT NULL,
    doc    TEXT NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX documents_parent ON documents (kind, parent, id);
CREATE UNIQUE INDEX documents_name ON documents (kind, parent, name) WHERE name <> '';

-- Blobs: a row in blobs says that the parts of an upload are complete.
-- upload is the time of its start in Unix milliseconds, 13 digits, then a random part.
CREATE TABLE blobs (
    sum     TEXT PRIMARY KEY,
    upload  TEXT NOT NULL UNIQUE,
    size    BIGINT NOT NULL,
    created BIGINT NOT NULL
);
CREATE TABLE blob_parts (
    upload TEXT NOT NULL,
    part   BIGINT NOT NULL,
    data   BYTEA NOT NULL,
    PRIMARY KEY (upload, part)
);
CREATE TABLE blob_owners (
    sum   TEXT NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (sum, owner)
);
