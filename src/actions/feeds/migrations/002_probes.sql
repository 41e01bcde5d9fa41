-- 002_probes: how long files are whose feeds do not say it, as the program `probe` has found out. By address and not by
-- episode: an address that several episodes have is asked once, one that a feed changes is another, and no saving of a
-- feed can wipe out what was found.
CREATE TABLE IF NOT EXISTS feed_probes (
    url         text NOT NULL CHECK (octet_length(url) <= 8192),
    duration    integer CHECK (duration BETWEEN 1 AND 604800),
    errors      integer NOT NULL DEFAULT 0,
    last_error  text,
    last_probe  timestamptz,
    next_probe  timestamptz
);
CREATE UNIQUE INDEX IF NOT EXISTS feed_probes_url ON feed_probes (md5(url));
-- What is asked next: the newest without a duration.
CREATE INDEX IF NOT EXISTS episodes_to_probe ON episodes (published DESC NULLS LAST) WHERE duration IS NULL AND enclosure_url IS NOT NULL;
-- The only place that says which of the two counts.
CREATE OR REPLACE VIEW episode_durations AS
SELECT e.feed_id, e.key, e.published, coalesce(e.duration, p.duration) AS duration,
       CASE WHEN e.duration IS NOT NULL THEN 'feed' WHEN p.duration IS NOT NULL THEN 'probe' END AS duration_from
  FROM episodes e
  LEFT JOIN feed_probes p ON e.duration IS NULL AND md5(p.url) = md5(e.enclosure_url);
COMMENT ON VIEW episode_durations IS 'how many seconds each episode takes: what its feed says, or else what a probe has found';
COMMENT ON COLUMN feed_probes.duration IS 'seconds';
COMMENT ON COLUMN feed_probes.errors IS 'failures in a row';
COMMENT ON COLUMN feed_probes.next_probe IS 'when the address is asked again; NULL: not any more';
