-- vanish: episodes that are not in their document any more are kept and marked, in the transaction that holds their feed.
-- Parameters: 1 feed, 2 their keys.
UPDATE episodes SET gone_at = clock_timestamp() WHERE feed_id = $1 AND key = ANY ($2)
