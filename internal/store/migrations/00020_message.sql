-- +goose Up
-- What was sent to people, or waits to be sent.
CREATE TABLE messages (
    id           BYTEA  NOT NULL PRIMARY KEY, -- 6 bytes of epoch milliseconds, 2 of a count within them, 8 random ones
    scope        TEXT   NOT NULL,             -- whose message it is: a user pool's id
    channel      TEXT   NOT NULL,             -- email, sms
    kind         TEXT   NOT NULL,
    username     TEXT   NOT NULL,
    sender       TEXT   NOT NULL,
    recipient    TEXT   NOT NULL,
    content      BYTEA  NOT NULL,             -- sealed subject, body and code
    state        TEXT   NOT NULL,             -- stored, queued, sent, failed
    attempts     BIGINT NOT NULL,
    next_attempt BIGINT NOT NULL,
    sent         BIGINT NOT NULL,
    error        TEXT   NOT NULL
);
CREATE INDEX messages_scope ON messages (scope, id);
CREATE INDEX messages_due ON messages (next_attempt) WHERE state = 'queued';

-- +goose Down
DROP TABLE messages;
