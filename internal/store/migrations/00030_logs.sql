-- +goose Up
-- Log events of all groups. grp is REGION:NAME of the group, as of its document; ts is the event's
-- time, seq orders events of one millisecond and is unique.
CREATE TABLE log_events (
    grp      TEXT NOT NULL,
    ts       BIGINT NOT NULL,
    seq      BIGINT NOT NULL,
    stream   TEXT NOT NULL,
    ingested BIGINT NOT NULL,
    message  TEXT NOT NULL,
    PRIMARY KEY (grp, ts, seq)
);
CREATE INDEX log_events_stream ON log_events (grp, stream, ts, seq);

CREATE TABLE log_streams (
    grp      TEXT NOT NULL,
    stream   TEXT NOT NULL,
    created  BIGINT NOT NULL,
    first_ts BIGINT NOT NULL,
    last_ts  BIGINT NOT NULL,
    ingested BIGINT NOT NULL,
    bytes    BIGINT NOT NULL,
    PRIMARY KEY (grp, stream)
);
