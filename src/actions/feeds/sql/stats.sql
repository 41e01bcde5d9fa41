-- stats: how much there is to listen to, of each feed and in all (the row without a feed). What a feed brings is its
-- seconds over the time between its oldest and its newest episode; a feed without two dated episodes a week apart has no
-- such rate. Episodes that have left their documents count: they came out.
-- Parameters: 1 a feed, or NULL for all, 2 how many feeds at most, those that bring most first.
WITH counted AS (
    SELECT feed_id, count(*) AS episodes, count(*) FILTER (WHERE duration IS NULL) AS without_duration,
           coalesce(sum(duration), 0)::float8 AS seconds,
           extract(epoch FROM max(published) - min(published))::float8 / 604800 AS weeks
      FROM episode_durations
     WHERE $1::bigint IS NULL OR feed_id = $1
     GROUP BY feed_id
), rated AS (
    SELECT id, title, coalesce(episodes, 0) AS episodes,
           coalesce(without_duration, 0) AS without_duration, coalesce(seconds, 0) / 3600 AS hours,
           CASE WHEN weeks >= 1 THEN seconds / 3600 / weeks END AS hours_per_week
      FROM feeds
      LEFT JOIN counted ON feed_id = id
     WHERE $1 IS NULL OR id = $1
), listed AS (
    SELECT * FROM rated ORDER BY hours_per_week DESC NULLS LAST, id LIMIT $2
)
SELECT id, title, episodes, without_duration, hours, hours_per_week, NULL::bigint AS feeds, NULL::bigint AS without_rate
  FROM listed
 UNION ALL
SELECT NULL, NULL, coalesce(sum(episodes), 0)::bigint, coalesce(sum(without_duration), 0)::bigint,
       coalesce(sum(hours), 0), sum(hours_per_week), count(*), count(*) FILTER (WHERE hours_per_week IS NULL)
  FROM rated
