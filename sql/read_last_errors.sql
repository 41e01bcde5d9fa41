-- read_last_errors: what the listing and the Nagios line of crontabber 0.18 print besides the columns of a pass: the
-- whole of each last error, and the zone in which that program shows instants, which is the session's.
-- One row at least. As text: what is legal in a json column may be an error to every function of json.
SELECT current_setting('TimeZone') AS zone, c.app_name, c.last_error::text AS last_error
  FROM (VALUES (1)) AS always
  LEFT JOIN crontabber c ON c.last_error::text <> '{}'
