-- Sessions, whom they wait for, and how long they are at it, in seconds. Reads only.
SELECT coalesce(json_agg(json_build_object(
    'pid', pid, 'type', backend_type, 'role', usename, 'database', datname, 'state', state,
    'wait_event_type', wait_event_type, 'wait_event', wait_event, 'waits_for', pg_blocking_pids(pid),
    'transaction_seconds', round(extract(epoch FROM clock_timestamp() - xact_start)::numeric, 1),
    'query_seconds', round(extract(epoch FROM clock_timestamp() - query_start)::numeric, 1),
    'query', query) ORDER BY pid), '[]') AS document
FROM pg_stat_activity
WHERE pid <> pg_backend_pid()
