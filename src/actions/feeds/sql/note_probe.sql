-- note_probe: what came of a probe, if its claim is still ours: its next_probe is the one that was set.
-- Parameters: 1 the address, 2 the next_probe that its claim has set, 3 seconds or NULL, 4 failures in a row, 5 the error
-- or NULL, 6 seconds until the next probe; NULL: no other.
UPDATE feed_probes
   SET duration = $3, errors = $4, last_error = $5, next_probe = clock_timestamp() + make_interval(secs => $6)
 WHERE md5(url) = md5($1) AND next_probe = $2
