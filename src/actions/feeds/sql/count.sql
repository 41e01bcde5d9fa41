-- count: how many episodes each of these feeds has; none where there is no row. A few feeds at a time: the index says it, but
-- where the table was not vacuumed lately each episode has to be looked at.
-- Parameter: their numbers.
SELECT feed_id, count(*) AS episodes
  FROM episodes
 WHERE feed_id = ANY ($1)
 GROUP BY feed_id
