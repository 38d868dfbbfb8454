-- +goose Up
-- Uploads in parts that are under way. The blob of a part is owned by "buckets:upload:ID:NUMBER".
CREATE TABLE object_uploads (
    id      TEXT   NOT NULL PRIMARY KEY,
    bucket  TEXT   NOT NULL,
    key     TEXT   NOT NULL,
    created BIGINT NOT NULL, -- epoch milliseconds
    headers TEXT   NOT NULL  -- of the object that it will be
);
CREATE INDEX object_uploads_key ON object_uploads (bucket, key, id);

CREATE TABLE object_parts (
    upload   TEXT   NOT NULL,
    number   BIGINT NOT NULL,
    sum      TEXT   NOT NULL, -- hex SHA-256
    etag     TEXT   NOT NULL, -- hex MD5, quoted
    size     BIGINT NOT NULL,
    modified BIGINT NOT NULL,
    PRIMARY KEY (upload, number)
);

-- +goose Down
DROP TABLE object_parts;
DROP TABLE object_uploads;
