-- read_clock: what the database's clock says. A daemon asks after each reading of the table: that answer takes long, and a
-- daemon that does not know what time it is starts everything later by so much.
-- Parameter: the time to take for it, or NULL.
SELECT coalesce($1::timestamptz, clock_timestamp()) AS now
