-- read_audit: who changed what, newest first; of some rows or of all.
-- Parameters: 1 the names of the rows or NULL, 2 how many.
SELECT a.id, a.at, a.who, a.host, a.what, a.app_name, a.reason, a.detail
  FROM crontabber_audit a
 WHERE ($1::text[] IS NULL OR a.app_name = ANY ($1))
 ORDER BY a.id DESC
 LIMIT $2
