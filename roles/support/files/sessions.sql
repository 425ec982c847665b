-- Sessions, the sessions that block them, the durations of transactions and statements in seconds, and the first word
-- of each statement. Changes nothing.
SELECT coalesce(json_agg(json_build_object(
    'pid', pid, 'type', backend_type, 'role', usename, 'database', datname, 'state', state,
    'wait_event_type', wait_event_type, 'waits_for', pg_blocking_pids(pid),
    'transaction_seconds', round(extract(epoch FROM clock_timestamp() - xact_start)::numeric, 1),
    'query_seconds', round(extract(epoch FROM clock_timestamp() - query_start)::numeric, 1),
    'command', upper(substring(query FROM '^\s*([A-Za-z]+)'))) ORDER BY pid), '[]') AS document
FROM pg_stat_activity
WHERE pid <> pg_backend_pid()
