-- add: feeds that are not known yet, due at once.
-- Parameters: 1 their addresses, 2 seconds between two fetches.
INSERT INTO feeds (url, every)
SELECT DISTINCT url, make_interval(secs => $2) FROM unnest($1::text[]) AS url
    ON CONFLICT (md5(url)) DO NOTHING
RETURNING url
