-- prune: fetches that were longer ago, oldest first; never the last one of a feed. One process at a time: two would wait
-- for each other's rows, perhaps in a circle; the other leaves it to this one. The time and the last one are
-- subqueries: a function that is volatile finds nothing by an index, and the join that PostgreSQL would make of a NOT
-- EXISTS compares all fetches of a feed with each other.
-- Parameters: 1 how many seconds ago, 2 how many at most.
WITH old AS (
    SELECT id
      FROM feed_fetches f
     WHERE (SELECT pg_try_advisory_xact_lock(hashtextextended('crontabber action feeds prune ' || current_schema(), 0)))
       AND at < (SELECT clock_timestamp() - make_interval(secs => $1))
       AND id <> (SELECT id FROM feed_fetches latest
                   WHERE latest.feed_id = f.feed_id
                   ORDER BY at DESC, id DESC
                   LIMIT 1)
     ORDER BY at
     LIMIT $2
), gone AS (
    DELETE FROM feed_fetches USING old WHERE feed_fetches.id = old.id
    RETURNING 1
)
SELECT count(*) AS pruned FROM gone
