-- Names of this database and server, which are harmless in a message, as a JSON list. Reads only.
SELECT coalesce(json_agg(DISTINCT name), '[]') AS document
FROM (
  SELECT relname::text AS name FROM pg_class
  UNION ALL SELECT nspname FROM pg_namespace
  UNION ALL SELECT attname FROM pg_attribute WHERE NOT attisdropped
  UNION ALL SELECT conname FROM pg_constraint
  UNION ALL SELECT polname FROM pg_policy
  UNION ALL SELECT tgname FROM pg_trigger
  UNION ALL SELECT typname FROM pg_type
  UNION ALL SELECT proname FROM pg_proc
  UNION ALL SELECT unnest(proargnames) FROM pg_proc
  UNION ALL SELECT extname FROM pg_extension
  UNION ALL SELECT rolname FROM pg_roles
  UNION ALL SELECT datname FROM pg_database
  UNION ALL SELECT spcname FROM pg_tablespace
  UNION ALL SELECT amname FROM pg_am
  UNION ALL SELECT name FROM pg_settings
) AS known
WHERE name <> ''
