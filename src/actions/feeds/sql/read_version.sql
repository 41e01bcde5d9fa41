-- read_version: the version of the action's tables, and the oldest version of a program that may use them.
SELECT max(version) AS version, max(compatible_from) AS compatible_from FROM feeds_schema
