-- doctor_standbys: what copies this server, and whether a commit waits for it; NULL where this role may not see that.
-- Logical subscribers and backups are no standbys: nobody fails over to them.
SELECT r.sync_state
  FROM pg_stat_replication r
  LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
 WHERE s.slot_type IS DISTINCT FROM 'logical' AND r.state IS DISTINCT FROM 'backup'
