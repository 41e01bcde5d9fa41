-- change_episodes: episodes that are known and are another now, or are in their document again, in the transaction that
-- holds their feed.
-- Parameters: those of insert_episodes.
UPDATE episodes
   SET guid = e.guid, title = e.title, summary = e.summary, link = e.link, enclosure_url = e.url, enclosure_type = e.type,
       enclosure_bytes = e.bytes, duration = e.duration, published = e.published, content_hash = e.hash,
       changed_at = clock_timestamp(), gone_at = NULL
  FROM unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
              $10::integer[], $11::timestamptz[], $12::bytea[])
       AS e (key, guid, title, summary, link, url, type, bytes, duration, published, hash)
 WHERE episodes.feed_id = $1 AND episodes.key = e.key
