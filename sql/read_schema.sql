-- read_schema: which tables there are: ours, or crontabber's own from before.
SELECT to_regclass('crontabber_schema') IS NOT NULL AS ours,
       to_regclass('crontabber') IS NOT NULL AS legacy
