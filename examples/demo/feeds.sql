-- feeds: what the tables of the action `feeds` say at the end, as proof.sql does of the log.
SELECT 'episodes of feeds that were kept' AS figure, 1 AS wanted, count(*) AS seen FROM episodes
UNION ALL SELECT 'feeds suspended, because they refuse', 1, count(*) FROM feeds WHERE state = 'suspended';
