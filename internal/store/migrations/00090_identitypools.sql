-- +goose Up
-- The identities of identity pools, and the logins that lead to them. Pools themselves are documents.

CREATE TABLE identitypool_identities (
    id       BYTEA  NOT NULL PRIMARY KEY, -- the UUID in REGION:UUID, 16 bytes
    pool     BYTEA  NOT NULL,             -- so is the pool's
    state    BIGINT NOT NULL,             -- 0 guest, 1 with logins, 2 disabled: merged into another, or its last login was removed
    merged   BYTEA,                       -- the identity that took this one's place
    created  BIGINT NOT NULL,
    modified BIGINT NOT NULL
);
CREATE UNIQUE INDEX identitypool_identities_pool ON identitypool_identities (pool, id);

-- One login means one identity of a pool. The subject is the sub of a token, the NameID of an assertion, or the
-- name by which a developer's own back end knows the user; BYTEA, so that it is compared byte by byte.
CREATE TABLE identitypool_logins (
    pool     BYTEA NOT NULL,
    provider TEXT  NOT NULL,
    subject  BYTEA NOT NULL,
    identity BYTEA NOT NULL,
    PRIMARY KEY (pool, provider, subject)
);
CREATE UNIQUE INDEX identitypool_logins_identity ON identitypool_logins (identity, provider, subject);

-- +goose Down
DROP TABLE identitypool_logins;
DROP TABLE identitypool_identities;
