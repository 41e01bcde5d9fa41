-- copy_episodes: many episodes that are not known, in the transaction that holds their feed, as rows of the binary format.
-- The server reads them with three quarters of the work that the lists of insert_episodes are.
COPY episodes (feed_id, key, guid, title, summary, link, enclosure_url, enclosure_type, enclosure_bytes,
               duration, published, content_hash) FROM STDIN (FORMAT binary)
