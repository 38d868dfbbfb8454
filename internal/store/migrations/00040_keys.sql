-- +goose Up
-- Signing keys made in advance, sealed; whoever needs some takes rows out.
CREATE TABLE keys_stash (
    kid     TEXT   PRIMARY KEY,
    sealed  BYTEA  NOT NULL,
    created BIGINT NOT NULL
);
