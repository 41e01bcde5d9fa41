-- audit_drop_guard: who took the guard away; in the transaction that did it.
-- Parameter: who.
INSERT INTO crontabber_audit (who, what) VALUES ($1, 'drop_guard')
