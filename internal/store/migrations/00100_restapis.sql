-- +goose Up
-- Requests of API keys in usage plans by day (since 1970, UTC), which quotas are held against.
CREATE TABLE restapis_usage (
    plan    TEXT   NOT NULL,
    api_key TEXT   NOT NULL,
    day     BIGINT NOT NULL,
    used    BIGINT NOT NULL,
    PRIMARY KEY (plan, api_key, day)
);
CREATE INDEX restapis_usage_key ON restapis_usage (api_key);

-- +goose Down
DROP TABLE restapis_usage;
