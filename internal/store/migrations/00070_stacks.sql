-- +goose Up
-- Stacks and their templates are documents. The docs here are JSON, sealed where the server has a key.
CREATE TABLE stack_resources (
    stack_id TEXT NOT NULL,
    logical  TEXT NOT NULL,
    physical TEXT NOT NULL,
    doc      BYTEA NOT NULL,
    PRIMARY KEY (stack_id, logical)
);
CREATE INDEX stack_resources_physical ON stack_resources (physical);

CREATE TABLE stack_events (
    stack_id TEXT NOT NULL,
    seq      BIGINT NOT NULL,
    doc      BYTEA NOT NULL,
    PRIMARY KEY (stack_id, seq)
);

-- One row for each stack that is being worked on; owner is the process that does, until is its lease.
CREATE TABLE stack_operations (
    stack_id TEXT PRIMARY KEY,
    owner    TEXT NOT NULL,
    until    BIGINT NOT NULL,
    signal   TEXT NOT NULL,
    doc      BYTEA NOT NULL
);

CREATE TABLE stack_exports (
    region   TEXT NOT NULL,
    name     TEXT NOT NULL,
    stack_id TEXT NOT NULL,
    value    TEXT NOT NULL,
    PRIMARY KEY (region, name)
);
CREATE INDEX stack_exports_stack ON stack_exports (stack_id);

CREATE TABLE stack_imports (
    region   TEXT NOT NULL,
    name     TEXT NOT NULL,
    stack_id TEXT NOT NULL,
    PRIMARY KEY (region, name, stack_id)
);
CREATE INDEX stack_imports_stack ON stack_imports (stack_id);
