-- duplicate: a feed has moved to an address that another feed has already: it points there, and is fetched no more.
-- Parameters: 1 feed, 2 the next_fetch that its claim has set, 3 the address. No row: no other feed has it.
UPDATE feeds
   SET state = 'duplicate', duplicate_of = other.id, reason = 'has moved to the address of feed ' || other.id
  FROM (SELECT id FROM feeds WHERE md5(url) = md5($3)) AS other
 WHERE feeds.id = $1 AND feeds.next_fetch = $2 AND other.id <> $1
RETURNING feeds.id
