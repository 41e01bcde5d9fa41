-- 001_tables: what the action keeps, and which steps have made it. A database from before there were steps has the tables
-- already; this step and the others are safe to repeat.
-- An address is unique by its md5: a btree takes no text of more than 2,704 bytes. Rows may be added by hand.
CREATE TABLE IF NOT EXISTS feeds_schema (
    version          integer PRIMARY KEY,
    compatible_from  integer NOT NULL,
    name             text NOT NULL,
    applied_at       timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE IF NOT EXISTS feeds (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url             text NOT NULL CHECK (octet_length(url) <= 8192),
    state           text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended', 'gone', 'complete', 'duplicate')),
    reason          text,
    duplicate_of    bigint REFERENCES feeds ON DELETE SET NULL,
    every           interval NOT NULL DEFAULT '1 hour' CHECK (every >= '1 minute'),
    next_fetch      timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_fetch      timestamptz,
    last_success    timestamptz,
    last_status     integer,
    error_count     integer NOT NULL DEFAULT 0,
    last_error      text,
    etag            text,
    last_modified   text,
    validators_url  text,
    kind            text,
    title           text,
    author          text,
    site_url        text,
    image_url       text,
    language        text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX IF NOT EXISTS feeds_url ON feeds (md5(url));
CREATE INDEX IF NOT EXISTS feeds_due ON feeds (next_fetch) WHERE state = 'active';
CREATE TABLE IF NOT EXISTS episodes (
    feed_id          bigint NOT NULL REFERENCES feeds ON DELETE CASCADE,
    key              bytea NOT NULL,
    guid             text,
    title            text,
    summary          text,
    link             text,
    enclosure_url    text,
    enclosure_type   text,
    enclosure_bytes  bigint,
    duration         integer CHECK (duration BETWEEN 1 AND 604800),
    published        timestamptz,
    content_hash     bytea NOT NULL,
    first_seen       timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at       timestamptz,
    gone_at          timestamptz,
    PRIMARY KEY (feed_id, key)
);
CREATE TABLE IF NOT EXISTS feed_fetches (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    feed_id    bigint NOT NULL REFERENCES feeds ON DELETE CASCADE,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    status     integer,
    took       interval,
    bytes      bigint,
    added      integer,
    changed    integer,
    vanished   integer,
    error      text,
    from_url   text
);
CREATE INDEX IF NOT EXISTS feed_fetches_of ON feed_fetches (feed_id, at);
COMMENT ON TABLE feeds_schema IS 'the steps that were taken, and the oldest crontabber that each leaves able to use these tables';
