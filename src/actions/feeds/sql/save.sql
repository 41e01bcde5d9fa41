-- save: what was found in a feed and when it is fetched again, after its episodes, in the transaction that holds it: one
-- commit, so that no validator is ever ahead of its episodes.
-- Parameters: 1 feed, 2 state, 3 reason, 4 seconds until the next fetch, 5 status, 6 address from now on, 7 ETag,
-- 8 Last-Modified, 9 whose these are, 10 kind, 11 title, 12 author, 13 site, 14 image, 15 language, 16 seconds that the
-- fetch took, 17 bytes, 18-20 how many episodes were added, have changed and vanished.
WITH feed AS (
    UPDATE feeds
       SET state = $2, reason = $3, next_fetch = clock_timestamp() + make_interval(secs => $4), last_status = $5,
           url = $6, etag = $7, last_modified = $8, validators_url = $9, kind = $10, title = $11, author = $12,
           site_url = $13, image_url = $14, language = $15,
           last_success = clock_timestamp(), error_count = 0, last_error = NULL
     WHERE id = $1
)
INSERT INTO feed_fetches (feed_id, status, took, bytes, added, changed, vanished, from_url)
VALUES ($1, $5, make_interval(secs => $16), $17, $18::bigint, $19::bigint, $20::bigint, $6)
