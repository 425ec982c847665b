-- Sizes in bytes, and PostgreSQL's estimated row counts. Changes nothing.
SELECT json_build_object(
  'databases', (SELECT json_object_agg(datname, pg_database_size(oid)) FROM pg_database WHERE datallowconn),
  'tables', (
    SELECT coalesce(json_agg(json_build_object(
        'schema', n.nspname, 'name', c.relname,
        'total_bytes', pg_total_relation_size(c.oid), 'table_bytes', pg_table_size(c.oid),
        'index_bytes', pg_indexes_size(c.oid), 'estimated_rows', c.reltuples::bigint,
        'dead_rows', pg_stat_get_dead_tuples(c.oid)) ORDER BY n.nspname, c.relname), '[]')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema'))
) AS document
