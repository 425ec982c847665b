-- PostgreSQL settings that differ from the default, and whose values are numbers or words from a fixed list. Changes
-- nothing.
SELECT coalesce(json_object_agg(name, json_build_object(
    'setting', setting, 'unit', unit, 'source', source, 'pending_restart', pending_restart) ORDER BY name), '{}')
  AS document
FROM pg_settings
WHERE vartype <> 'string' AND setting IS DISTINCT FROM boot_val AND source NOT IN ('default', 'client', 'session')
