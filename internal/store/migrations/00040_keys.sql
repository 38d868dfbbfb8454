-- +goose Up
-- Signing keys made in advance, sealed; whoever needs some takes rows out.
CREATE TABLE keys_stash (
    kid     TEXT   NOT NULL PRIMARY KEY,
    public  BYTEA  NOT NULL,
    sealed  BYTEA  NOT NULL,
    created BIGINT NOT NULL -- Unix milliseconds
);

-- +goose Down
DROP TABLE keys_stash;
