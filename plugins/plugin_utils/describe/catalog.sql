-- Return the relations and functions of a database as one JSON document. The query needs no model and no arguments. It
-- reads only the catalogs and the statistics views, and runs no code that an ordinary role owns.
WITH
-- Relations that are not members of an extension.
relation AS (
  SELECT c.*, n.nspname, n.nspname || '.' || c.relname AS title
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
),
column_list AS (
  SELECT a.attrelid AS relid, json_agg(json_build_object(
      'name', a.attname,
      'type', format_type(a.atttypid, NULL),
      'not_null', a.attnotnull,
      'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
      'identity', a.attidentity <> '',
      'generated', a.attgenerated <> '') ORDER BY a.attnum) AS columns
  FROM relation r
  JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  GROUP BY a.attrelid
),
-- Each relation with its root table (itself, unless the relation is a partition). A key that exists only on a
-- partition is listed as a key of the root table.
whole AS (
  SELECT r.oid, r.relispartition AS is_part, CASE WHEN r.relispartition THEN pg_partition_root(r.oid)
    ELSE r.oid END AS relid
  FROM relation r
),
index_list AS (
  SELECT r.relid, json_agg(json_build_object(
      'name', c.relname,
      'definition', pg_get_indexdef(i.indexrelid),
      -- For an expression in the index, the name is null.
      'columns', (
        SELECT json_agg(a.attname ORDER BY k)
        FROM generate_series(1, i.indnkeyatts) AS k
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1]),
      -- The columns that the index elements use. If they use none, the columns that the predicate uses. In a
      -- pg_node_tree, the number of a column follows :varattno.
      'reads', (
        SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]')
        FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = i.indrelid AND a.attnum IN (
          SELECT i.indkey[k - 1] FROM generate_series(1, i.indnkeyatts) AS k
          UNION ALL
          SELECT m[1]::integer FROM regexp_matches(
            coalesce(CASE WHEN i.indexprs::text ~ ':varattno \d' OR EXISTS (
                SELECT FROM generate_series(1, i.indnkeyatts) AS k WHERE i.indkey[k - 1] <> 0)
              THEN i.indexprs ELSE i.indpred END::text, ''),
            ':varattno (\d+)', 'g') AS m)),
      'descending', (SELECT json_agg(i.indoption[k - 1] & 1 = 1 ORDER BY k)
        FROM generate_series(1, i.indnkeyatts) AS k),
      'method', m.amname,
      'plain', i.indpred IS NULL AND i.indexprs IS NULL,
      'unique', i.indisunique,
      'primary', i.indisprimary,
      'exclusion', i.indisexclusion,
      'valid', i.indisvalid) ORDER BY r.is_part, NOT i.indisprimary, c.relname) AS indexes
  FROM whole r
  JOIN pg_catalog.pg_index i ON i.indrelid = r.oid
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_am m ON m.oid = c.relam
  -- Omit a partition's index if it is not unique, or is attached to an index of the partitioned table.
  WHERE NOT r.is_part OR (NOT c.relispartition AND (i.indisunique OR i.indisexclusion))
  GROUP BY r.relid
),
foreign_key_list AS (
  SELECT r.relid, json_agg(json_build_object(
      'name', k.conname,
      'columns', (
        SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
      'references', f.title,
      'key', (
        SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, place)
        JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum))
          ORDER BY r.is_part, k.conname) AS foreign_keys
  FROM pg_catalog.pg_constraint k
  JOIN whole r ON r.oid = k.conrelid
  JOIN relation f ON f.oid = k.confrelid
  -- Omit a foreign key that a partition inherits from the partitioned table.
  WHERE k.contype = 'f' AND k.conparentid = 0
  GROUP BY r.relid
),
trigger_list AS (
  SELECT t.tgrelid AS relid, json_agg(json_build_object(
      'name', t.tgname,
      'function', t.tgfoid::bigint,
      -- pg_trigger.h: TRIGGER_TYPE_ROW.
      'row', t.tgtype & 1 = 1,
      -- pg_trigger.h: TRIGGER_TYPE_INSERT, _DELETE and _UPDATE.
      'events', array_remove(ARRAY[
        CASE WHEN t.tgtype & 4 = 4 THEN 'insert' END, CASE WHEN t.tgtype & 8 = 8 THEN 'delete' END,
        CASE WHEN t.tgtype & 16 = 16 THEN 'update' END], NULL)) ORDER BY t.tgname) AS triggers
  FROM pg_catalog.pg_trigger t
  JOIN relation r ON r.oid = t.tgrelid
  WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
  GROUP BY t.tgrelid
),
over_list AS (
  -- The relations that a view selects from.
  SELECT w.ev_class AS relid, json_agg(DISTINCT f.title) AS over
  FROM pg_catalog.pg_rewrite w
  JOIN relation r ON r.oid = w.ev_class AND r.relkind IN ('v', 'm')
  JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = w.oid
    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid <> w.ev_class
  JOIN relation f ON f.oid = d.refobjid
  GROUP BY w.ev_class
),
relation_document AS (
  SELECT r.oid, json_build_object(
      'title', r.title,
      'schema', r.nspname,
      'name', r.relname,
      'kind', r.relkind,
      'owner', pg_get_userbyid(r.relowner),
      'partition', r.relispartition,
      'inherits', (
        SELECT coalesce(jsonb_agg(p.title ORDER BY p.title), '[]') FROM pg_catalog.pg_inherits i
          JOIN relation p ON p.oid = i.inhparent
        WHERE i.inhrelid = r.oid),
      'rules', (
        SELECT coalesce(jsonb_agg(w.rulename ORDER BY w.rulename), '[]') FROM pg_catalog.pg_rewrite w
        WHERE w.ev_class = r.oid AND w.rulename <> '_RETURN'),
      'row_security', r.relrowsecurity,
      'columns', coalesce(c.columns, '[]'),
      'indexes', coalesce(i.indexes, '[]'),
      'foreign_keys', coalesce(f.foreign_keys, '[]'),
      'triggers', coalesce(t.triggers, '[]'),
      'over', coalesce(o.over, '[]'),
      'definition', CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END
    ) AS document
  FROM relation r
  LEFT JOIN column_list c ON c.relid = r.oid
  LEFT JOIN index_list i ON i.relid = r.oid
  LEFT JOIN foreign_key_list f ON f.relid = r.oid
  LEFT JOIN trigger_list t ON t.relid = r.oid
  LEFT JOIN over_list o ON o.relid = r.oid
),
-- The service's statements, from pg_stat_activity and, if it is loaded, from pg_stat_statements. The result of the
-- query contains only names from these statements, no values.
service_statement (query) AS (
  SELECT query FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
  UNION
  SELECT json_array_elements_text(x.queries)
  FROM pg_catalog.pg_extension e
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
    AND d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e'
  JOIN pg_catalog.pg_proc p ON p.oid = d.objid AND p.proname = 'pg_stat_statements'
    AND p.prolang = (SELECT oid FROM pg_catalog.pg_language WHERE lanname = 'c')
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  CROSS JOIN LATERAL XMLTABLE(
    '/row' PASSING query_to_xml(format(
      'SELECT coalesce(json_agg(s.query), ''[]'') AS queries FROM %I.pg_stat_statements(true) s '
      'JOIN pg_catalog.pg_database b ON b.oid = s.dbid AND b.datname = current_database()', n.nspname), false, true, '')
    COLUMNS queries json PATH 'queries') AS x
  WHERE e.extname = 'pg_stat_statements' AND current_setting('shared_preload_libraries') ~ '\mpg_stat_statements\M'
),
upsert AS (
  SELECT DISTINCT
    substring(query FROM '(?i)\minsert\s+into\s+((?:"[^"]+"|\w+)(?:\s*\.\s*(?:"[^"]+"|\w+))?)') AS relation,
    substring(query FROM '(?i)\mon\s+conflict\s*\(([^()]*)\)') AS columns
  FROM service_statement
  -- Omit CREATE FUNCTION statements, because this query reads the functions from the catalogs.
  WHERE query !~* '^\s*create\M'
),
function_document AS (
  SELECT n.nspname, p.proname, p.oid, json_build_object(
      'id', p.oid::bigint,
      'schema', n.nspname,
      'name', p.proname,
      'kind', p.prokind,
      'language', l.lanname,
      'arguments', pg_get_function_arguments(p.oid),
      -- Only the argument types, because the model identifies a function by these.
      'identity', (
        SELECT coalesce(string_agg(format_type(t.type, NULL), ', ' ORDER BY t.place), '')
        FROM unnest(p.proargtypes) WITH ORDINALITY AS t (type, place)),
      'returns', coalesce(pg_get_function_result(p.oid), ''),
      'trigger', p.prorettype = 'trigger'::regtype,
      'body', p.prosrc,
      -- An SQL-standard body is only in the definition.
      'definition', pg_get_functiondef(p.oid)) AS document
  FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_language l ON l.oid = p.prolang
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND p.prokind IN ('f', 'p')
    AND l.lanname NOT IN ('c', 'internal')
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')
)
SELECT json_build_object(
  'database', current_database(),
  'server_version_num', current_setting('server_version_num')::integer,
  'extensions', (SELECT coalesce(json_agg(extname ORDER BY extname), '[]') FROM pg_catalog.pg_extension),
  -- Relations are ordered by OID, which is usually the order in which they were created.
  'relations', (SELECT coalesce(json_agg(document ORDER BY oid), '[]') FROM relation_document),
  'upserts', (
    SELECT coalesce(json_agg(u ORDER BY relation COLLATE "C", columns COLLATE "C"), '[]')
    FROM upsert u WHERE relation IS NOT NULL AND columns IS NOT NULL),
  'functions', (
    SELECT coalesce(json_agg(document ORDER BY nspname COLLATE "C", proname COLLATE "C", oid), '[]')
      FROM function_document)
) AS catalog
