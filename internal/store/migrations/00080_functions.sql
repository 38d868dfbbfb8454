-- +goose Up
-- Events that functions have yet to handle, invoked asynchronously. due is when the event may be taken
-- next: who takes it moves that forward for as long as a try may last.
CREATE TABLE function_events (
    id             TEXT   NOT NULL PRIMARY KEY, -- request id
    ref            TEXT   NOT NULL,             -- the function's ARN, as it was invoked
    payload        BYTEA  NOT NULL,
    client_context TEXT   NOT NULL,
    created        BIGINT NOT NULL,
    due            BIGINT NOT NULL,
    attempts       BIGINT NOT NULL
);
CREATE INDEX function_events_due ON function_events (due, id);

-- +goose Down
DROP TABLE function_events;
