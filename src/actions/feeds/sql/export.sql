-- export: a part of the feeds, by their numbers.
-- Parameters: 1 the last number of the part before, 2 whether those that are not fetched any more are wanted, 3 how many.
SELECT id, url, title, site_url
  FROM feeds
 WHERE id > $1 AND ($2 OR state = 'active')
 ORDER BY id
 LIMIT $3
