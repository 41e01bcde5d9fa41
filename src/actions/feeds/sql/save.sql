-- save: what was found in a feed and when it is fetched again, after its episodes: one commit, so that no validator is
-- ever ahead of its episodes. Nothing at all where the claim is not ours any more: its next_fetch is another one.
-- Episodes that are not in the document any more are kept and marked.
-- Parameters: 1 feed, 2 the next_fetch that its claim has set, 3 state, 4 reason, 5 seconds until the next fetch,
-- 6 status, 7 address from now on, 8 ETag, 9 Last-Modified, 10 whose these are, 11 kind, 12 title, 13 author, 14 site,
-- 15 image, 16 language, 17 seconds that the fetch took, 18 bytes, 19 keys of its episodes, 20 how many of them are new,
-- 21 how many have changed, 22 whether the document was read to its end: in one that was not they may be there all the same.
WITH feed AS (
    UPDATE feeds
       SET state = $3, reason = $4, next_fetch = clock_timestamp() + make_interval(secs => $5), last_status = $6,
           url = $7, etag = $8, last_modified = $9, validators_url = $10, kind = $11, title = $12, author = $13,
           site_url = $14, image_url = $15, language = $16,
           last_success = clock_timestamp(), error_count = 0, last_error = NULL
     WHERE id = $1 AND next_fetch = $2
    RETURNING id
), vanished AS (
    UPDATE episodes
       SET gone_at = clock_timestamp()
      FROM feed
     WHERE $22 AND feed_id = feed.id AND gone_at IS NULL
       -- NOT IN of a question of its own is looked up in a table of hashes, whatever the planner believes of the list's
       -- length; as a join, or with <> ALL, each may be compared with each.
       AND key NOT IN (SELECT unnest($19::bytea[]))
    RETURNING episodes.key
), counted AS (
    SELECT count(*) AS vanished FROM vanished
), noted AS (
    INSERT INTO feed_fetches (feed_id, status, took, bytes, added, changed, vanished, from_url)
    SELECT feed.id, $6, make_interval(secs => $17), $18, $20::bigint, $21::bigint, counted.vanished, $7
      FROM feed, counted
)
SELECT counted.vanished FROM feed, counted
