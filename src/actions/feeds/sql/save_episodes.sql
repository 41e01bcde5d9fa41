-- save_episodes: some of the episodes of a document, in the transaction that `save` ends. Nothing where the claim is not
-- ours any more: its next_fetch is another one. Unchanged episodes are not written.
-- Parameters: 1 feed, 2 the next_fetch that its claim has set, 3-13 of each episode: key, guid, title, summary, link,
-- address, type and bytes of its file, duration, when published, hash of all that.
WITH feed AS (
    SELECT id FROM feeds WHERE id = $1 AND next_fetch = $2 FOR NO KEY UPDATE
), saved AS (
    INSERT INTO episodes (feed_id, key, guid, title, summary, link, enclosure_url, enclosure_type, enclosure_bytes,
                          duration, published, content_hash)
    SELECT feed.id, e.*
      FROM feed,
           unnest($3::bytea[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[],
                  $11::integer[], $12::timestamptz[], $13::bytea[]) AS e (key, guid, title, summary, link, url, type, bytes, duration,
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
)
SELECT count(*) FILTER (WHERE is_new) AS added, count(*) FILTER (WHERE NOT is_new) AS changed FROM saved
