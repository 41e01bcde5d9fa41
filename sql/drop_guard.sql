-- drop_guard: the triggers go, and Python hosts write as they did before: they start jobs twice again.
DROP TRIGGER IF EXISTS crontabber_guard_update ON crontabber;
DROP TRIGGER IF EXISTS crontabber_guard_delete ON crontabber;
DROP TRIGGER IF EXISTS crontabber_guard_insert ON crontabber;
