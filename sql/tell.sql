-- tell: say something to the hosts that listen. A hint: who misses it looks after its `poll`.
-- Parameter: what.
SELECT pg_notify('crontabber', left($1, 1900))
