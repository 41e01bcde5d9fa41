-- insert_episodes: episodes that are not known, in the transaction that holds their feed.
-- Parameters: 1 feed, 2-12 of each episode: key, guid, title, summary, link, address, type and bytes of its file, duration,
-- when published, hash of all that.
INSERT INTO episodes (feed_id, key, guid, title, summary, link, enclosure_url, enclosure_type, enclosure_bytes,
                      duration, published, content_hash)
SELECT $1, e.*
  FROM unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
              $10::integer[], $11::timestamptz[], $12::bytea[]) AS e
