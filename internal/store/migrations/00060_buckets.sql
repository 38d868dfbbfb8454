-- +goose Up
-- Objects of all buckets; their content is a blob, named by its sum.
CREATE TABLE objects (
    bucket   TEXT NOT NULL,
    key      TEXT NOT NULL,
    sum      TEXT NOT NULL,
    size     BIGINT NOT NULL,
    etag     TEXT NOT NULL,
    modified BIGINT NOT NULL,
    headers  TEXT NOT NULL,
    PRIMARY KEY (bucket, key)
);
