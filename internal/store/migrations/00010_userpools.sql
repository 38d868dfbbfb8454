-- +goose Up
-- The people of user pools and their sessions. Pools and app clients themselves are documents.
-- Searched values are BYTEA, so that both engines compare them byte by byte, whatever the collation.

-- A pool has a short number, so that the rows of its people stay small.
CREATE TABLE userpool_numbers (
    no   BIGINT NOT NULL PRIMARY KEY,
    pool TEXT   NOT NULL UNIQUE
);

-- How many users a pool has, over several rows so that sign-ups do not queue for one.
CREATE TABLE userpool_counts (
    pool  BIGINT NOT NULL,
    shard BIGINT NOT NULL,
    users BIGINT NOT NULL,
    PRIMARY KEY (pool, shard)
);

CREATE TABLE userpool_users (
    pool               BIGINT NOT NULL,
    sub                BYTEA  NOT NULL, -- UUID, 16 bytes
    username           TEXT,            -- NULL: the sub
    state              BIGINT NOT NULL, -- 2 × status + enabled
    verified           BIGINT NOT NULL, -- bits: is the e-mail address, the phone number verified
    created            BIGINT NOT NULL,
    modified           BIGINT NOT NULL,
    password_expires   BIGINT,          -- of a temporary password
    credential         BYTEA,           -- sealed SRP salt and verifier
    email              BYTEA,           -- these six folded, for search
    phone_number       BYTEA,
    name               BYTEA,
    given_name         BYTEA,
    family_name        BYTEA,
    preferred_username BYTEA,
    attributes         TEXT,            -- JSON: what the columns above do not say
    PRIMARY KEY (pool, sub)
);
CREATE INDEX userpool_users_state ON userpool_users (pool, state, sub);
CREATE INDEX userpool_users_email ON userpool_users (pool, email, sub) WHERE email IS NOT NULL;
CREATE INDEX userpool_users_phone ON userpool_users (pool, phone_number, sub) WHERE phone_number IS NOT NULL;
CREATE INDEX userpool_users_name ON userpool_users (pool, name, sub) WHERE name IS NOT NULL;
CREATE INDEX userpool_users_given ON userpool_users (pool, given_name, sub) WHERE given_name IS NOT NULL;
CREATE INDEX userpool_users_family ON userpool_users (pool, family_name, sub) WHERE family_name IS NOT NULL;
CREATE INDEX userpool_users_preferred ON userpool_users (pool, preferred_username, sub) WHERE preferred_username IS NOT NULL;

-- What a user can sign in with, besides the sub: one name space in a pool, so that no name is
-- ambiguous.
CREATE TABLE userpool_names (
    pool BIGINT NOT NULL,
    name BYTEA  NOT NULL,
    kind BIGINT NOT NULL, -- 0 username, 1 e-mail address, 2 phone number, 3 preferred username
    sub  BYTEA  NOT NULL,
    PRIMARY KEY (pool, name)
);

-- A sign-in, from which its refresh token and all tokens made with it stem. Signing out deletes it.
CREATE TABLE userpool_sessions (
    id             BYTEA  NOT NULL PRIMARY KEY, -- origin_jti
    pool           BIGINT NOT NULL,
    sub            BYTEA  NOT NULL,
    client         TEXT   NOT NULL,
    secret         BYTEA  NOT NULL, -- SHA-256 of the refresh token's secret
    auth_time      BIGINT NOT NULL,
    expires        BIGINT NOT NULL,
    previous       BYTEA,           -- of the token before the last rotation
    previous_until BIGINT           -- it may be used again
);
CREATE INDEX userpool_sessions_user ON userpool_sessions (pool, sub);

-- Challenges that were answered, until they would have expired: an answer counts once.
CREATE TABLE userpool_challenges (
    id      BYTEA  NOT NULL PRIMARY KEY,
    pool    BIGINT NOT NULL,
    expires BIGINT NOT NULL
);
CREATE INDEX userpool_challenges_expires ON userpool_challenges (expires);

-- The one code of each kind that a user may hold.
CREATE TABLE userpool_codes (
    pool         BIGINT NOT NULL,
    sub          BYTEA  NOT NULL,
    kind         BIGINT NOT NULL, -- 0 sign-up, 1 forgotten password, 2 e-mail address, 3 phone number
    code         BYTEA,           -- sealed; NULL: used up
    attribute    TEXT   NOT NULL, -- where it went: email or phone_number
    value        TEXT   NOT NULL,
    expires      BIGINT NOT NULL,
    tries        BIGINT NOT NULL,
    sent         BIGINT NOT NULL, -- codes sent since window_start
    window_start BIGINT NOT NULL,
    PRIMARY KEY (pool, sub, kind)
);

-- Failed attempts at a password, until the next success.
CREATE TABLE userpool_failures (
    pool     BIGINT NOT NULL,
    sub      BYTEA  NOT NULL,
    failures BIGINT NOT NULL,
    last     BIGINT NOT NULL,
    PRIMARY KEY (pool, sub)
);
CREATE INDEX userpool_failures_last ON userpool_failures (last);

-- +goose Down
DROP TABLE userpool_failures;
DROP TABLE userpool_codes;
DROP TABLE userpool_challenges;
DROP TABLE userpool_sessions;
DROP TABLE userpool_names;
DROP TABLE userpool_users;
DROP TABLE userpool_counts;
DROP TABLE userpool_numbers;
