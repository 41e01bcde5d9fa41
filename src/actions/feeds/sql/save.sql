-- save: what was found in a feed and when it is fetched again: episodes and validators in one commit, so that no
-- validator is ever ahead of its episodes. Nothing at all where the claim is not ours any more: its next_fetch is
-- another one. Unchanged episodes are not written; those that are not in the document any more are kept and marked.
-- Parameters: 1 feed, 2 the next_fetch that its claim has set, 3 state, 4 reason, 5 seconds until the next fetch,
-- 6 status, 7 address from now on, 8 ETag, 9 Last-Modified, 10 whose these are, 11 kind, 12 title, 13 author, 14 site,
-- 15 image, 16 language, 17 seconds that the fetch took, 18 bytes, 19-29 of each episode: key, guid, title, summary, link,
-- address, type and bytes of its file, duration, when published, hash of all that.
WITH feed AS (
    UPDATE feeds
       SET state = $3, reason = $4, next_fetch = clock_timestamp() + make_interval(secs => $5), last_status = $6,
           url = $7, etag = $8, last_modified = $9, validators_url = $10, kind = $11, title = $12, author = $13,
           site_url = $14, image_url = $15, language = $16,
           last_success = clock_timestamp(), error_count = 0, last_error = NULL
     WHERE id = $1 AND next_fetch = $2
    RETURNING id
), saved AS (
    INSERT INTO episodes (feed_id, key, guid, title, summary, link, enclosure_url, enclosure_type, enclosure_bytes,
                          duration, published, content_hash)
    SELECT feed.id, e.*
      FROM feed,
           unnest($19::bytea[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::text[],
                  $26::bigint[], $27::integer[], $28::timestamptz[], $29::bytea[]) AS e (key, guid, title, summary, link, url, type, bytes, duration,
                                                                        published, hash)
     -- Asked for, and not left to the conflict: that locks the row, which is a write.
     WHERE NOT EXISTS (SELECT FROM episodes known
                        WHERE known.feed_id = feed.id AND known.key = e.key AND known.content_hash = e.hash
                          AND known.gone_at IS NULL)
        ON CONFLICT (feed_id, key) DO UPDATE
       SET guid = excluded.guid, title = excluded.title, summary = excluded.summary, link = excluded.link,
           enclosure_url = excluded.enclosure_url, enclosure_type = excluded.enclosure_type,
           enclosure_bytes = excluded.enclosure_bytes, duration = excluded.duration, published = excluded.published,
           content_hash = excluded.content_hash, changed_at = clock_timestamp(), gone_at = NULL
    RETURNING (xmax = 0) AS is_new
), vanished AS (
    UPDATE episodes
       SET gone_at = clock_timestamp()
      FROM feed
     WHERE feed_id = feed.id AND gone_at IS NULL AND key <> ALL ($19)
    RETURNING key
), counted AS (
    SELECT (SELECT count(*) FROM saved WHERE is_new)::integer AS added,
           (SELECT count(*) FROM saved WHERE NOT is_new)::integer AS changed,
           (SELECT count(*) FROM vanished)::integer AS vanished
), noted AS (
    INSERT INTO feed_fetches (feed_id, status, took, bytes, added, changed, vanished, from_url)
    SELECT feed.id, $6, make_interval(secs => $17), $18, counted.added, counted.changed, counted.vanished, $7
      FROM feed, counted
)
SELECT counted.added, counted.changed, counted.vanished FROM feed, counted
