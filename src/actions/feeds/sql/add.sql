-- add: feeds that are not known yet, due at once. Those that are known are left out before the insert: a conflict would
-- use up a number each time.
-- Parameters: 1 their addresses, 2 titles or NULL, 3 their pages or NULL, 4 seconds between two fetches.
INSERT INTO feeds (url, title, site_url, every)
SELECT DISTINCT ON (given.url) given.url, given.title, given.site_url, make_interval(secs => $4)
  FROM unnest($1::text[], $2::text[], $3::text[]) AS given (url, title, site_url)
 WHERE NOT EXISTS (SELECT FROM feeds known WHERE md5(known.url) = md5(given.url))
    ON CONFLICT (md5(url)) DO NOTHING
RETURNING url
