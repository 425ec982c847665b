-- The time when each kind of statement last used the bridge (null means never), the latest of these times, and the
-- current time. All are in seconds since 1970. Named arguments: schema, kinds (JSON list of {table, command,
-- sequence}). Percent signs are doubled because the query has named arguments.
SELECT json_agg(
         json_build_object('table', "table", 'command', command, 'sequence', sequence, 'used_at', used_at)
       ) AS uses,
       max(used_at) AS used_at,
       extract(epoch FROM clock_timestamp())::bigint AS now
FROM (
  SELECT k.*, pg_sequence_last_value(to_regclass(format('%%I.%%I', %(schema)s, k.sequence))) AS used_at
  FROM json_to_recordset(%(kinds)s::json) AS k ("table" text, command text, sequence text)
) AS kind
