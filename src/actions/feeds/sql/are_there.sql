-- are_there: whether the tables of the action are there; the one that is made last tells of all.
SELECT to_regclass('feed_fetches') IS NOT NULL
