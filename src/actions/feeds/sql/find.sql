-- find: the feeds that somebody names, in that order; NULL where there is none.
-- Parameters: 1 numbers, 2 addresses; of each pair one is NULL.
SELECT found.id, found.url, found.state
  FROM unnest($1::bigint[], $2::text[]) WITH ORDINALITY AS named (id, url, place)
  LEFT JOIN LATERAL (SELECT id, url, state FROM feeds WHERE id = named.id
                     UNION ALL
                     SELECT id, url, state FROM feeds WHERE md5(url) = md5(named.url)) AS found ON true
 ORDER BY named.place
