-- The server's version, extensions and log file. Changes nothing.
SELECT json_build_object(
  'version', current_setting('server_version'),
  'extensions', (SELECT json_object_agg(extname, extversion ORDER BY extname) FROM pg_extension),
  -- Null if PostgreSQL writes to standard error, which goes to the system's log.
  'log_file', (
    SELECT CASE WHEN starts_with(file, '/') THEN file ELSE concat(current_setting('data_directory'), '/', file) END
    FROM pg_current_logfile('stderr') AS file WHERE file IS NOT NULL)
) AS document
