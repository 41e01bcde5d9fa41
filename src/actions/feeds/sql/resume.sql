-- resume: fetch these again, whatever kept them from it; their failures are forgotten.
-- Parameter: their numbers.
UPDATE feeds
   SET state = 'active', reason = NULL, duplicate_of = NULL, error_count = 0, next_fetch = clock_timestamp()
 WHERE id = ANY ($1)
RETURNING id
