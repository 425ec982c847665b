-- Ways past row security, read from the catalogs: {rule: [what was found]}. Reads only.
-- Named arguments: schema, tables (JSON list), column, setting, application_role, readable (JSON list of further
-- relations, schema.name, that the application role may read).
-- (A percent sign is doubled because named arguments are in use.)
WITH RECURSIVE tree (name, relid) AS (
  SELECT name, to_regclass(format('%%I.%%I', %(schema)s, name))::oid FROM json_array_elements_text(%(tables)s::json) AS name
  UNION
  -- What holds for a table holds for its partitions.
  SELECT c.relname::text COLLATE "default", c.oid FROM tree t
  JOIN pg_inherits i ON i.inhparent = t.relid
  JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
),
wanted AS (
  SELECT name, relid, regexp_replace(replace(name, '"', '""'), '([][!$()*+.:<=>?\\^{|}-])', '\\\1', 'g') AS pattern FROM tree
),
-- Names as patterns, as a function's body writes them: a quoted one has its quotes doubled.
tenant_column AS (
  SELECT regexp_replace(replace(%(column)s, '"', '""'), '([][!$()*+.:<=>?\\^{|}-])', '\\\1', 'g') AS pattern
),
app AS (
  SELECT * FROM pg_roles WHERE rolname = %(application_role)s
),
-- Settings that a session of the application role has without asking for them.
preset AS (
  SELECT lower(split_part(x.entry, '=', 1)) AS name, lower(substr(x.entry, strpos(x.entry, '=') + 1)) AS value,
         s.setrole <> 0 AND s.setdatabase <> 0 AS bridge,
         concat_ws(' in ', CASE WHEN s.setrole <> 0 THEN format('role %%I', pg_get_userbyid(s.setrole)) END,
           CASE WHEN s.setdatabase <> 0 THEN format('database %%I', current_database()) END) AS place
  FROM pg_db_role_setting s
  CROSS JOIN LATERAL unnest(s.setconfig) AS x (entry)
  WHERE s.setrole IN (0, (SELECT oid FROM app))
    AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  UNION ALL
  SELECT lower(name), lower(setting), false, format('%%s, line %%s', sourcefile, sourceline) FROM pg_file_settings WHERE applied
),
-- Whoever owns an extension may add to it what he owns: a member is the extension's own where a superuser owns it, or where
-- its rows are dumped, which the extension's script alone can ask for.
superuser AS (
  SELECT oid FROM pg_roles WHERE rolsuper
),
relation AS (
  SELECT c.*, format('%%I.%%I', n.nspname, c.relname) AS title, n.nspname || '.' || c.relname AS plain
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
    AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                      AND (c.relowner IN (SELECT oid FROM superuser) OR c.oid = ANY (e.extconfig)))
),
routine AS (
  SELECT f.*, f.oid::regprocedure::text AS title
  FROM pg_proc f
  JOIN pg_namespace n ON n.oid = f.pronamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e'
                    AND f.proowner IN (SELECT oid FROM superuser))
),
-- Views, and views of views, over the tenant tables.
over_tenants (relid) AS (
  WITH RECURSIVE found (relid) AS (
    SELECT relid FROM wanted WHERE relid IS NOT NULL
    UNION
    SELECT r.ev_class FROM found f
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = f.relid AND d.classid = 'pg_rewrite'::regclass
    JOIN pg_rewrite r ON r.oid = d.objid
  )
  SELECT relid FROM found
),
found (rule, subject) AS (
  SELECT 'role-createrole', rolname::text FROM app WHERE rolcreaterole
  UNION ALL SELECT 'role-replication', rolname FROM app WHERE rolreplication
  UNION ALL SELECT 'role-owner', c.title FROM relation c JOIN wanted w ON w.relid = c.oid WHERE c.relowner = (SELECT oid FROM app)
  UNION ALL SELECT 'role-owner', f.title FROM routine f WHERE f.proowner = (SELECT oid FROM app)
  UNION ALL SELECT 'role-owner', format('schema %%I', nspname) FROM pg_namespace WHERE nspowner = (SELECT oid FROM app)
  UNION ALL
  SELECT 'role-owner', format('database %%I', datname) FROM pg_database
  WHERE datname = current_database() AND datdba = (SELECT oid FROM app)
  UNION ALL
  SELECT 'role-server-files', b.rolname FROM pg_roles b, app
  WHERE b.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
    AND NOT app.rolsuper AND pg_has_role(app.oid, b.oid, 'MEMBER')
  UNION ALL
  SELECT 'grant-public', format('%%s on %%s', a.privilege_type, c.title)
  FROM relation c JOIN wanted w ON w.relid = c.oid CROSS JOIN LATERAL aclexplode(c.relacl) AS a WHERE a.grantee = 0
  UNION ALL
  SELECT 'setting-preset', format('%%s for %%s', value, coalesce(nullif(place, ''), 'every role and database'))
  FROM preset WHERE name = lower(%(setting)s) AND NOT bridge
  UNION ALL
  SELECT 'setting-role', format('%%s = %%s for %%s', name, value, coalesce(nullif(place, ''), 'every role and database'))
  FROM preset WHERE name IN ('role', 'session_authorization') AND value NOT IN ('none', lower(%(application_role)s))
  UNION ALL
  SELECT 'row-security-off', coalesce(nullif(place, ''), 'every role and database')
  -- As PostgreSQL reads a boolean: any beginning of a word that is no other's.
  FROM preset WHERE name = 'row_security' AND value ~ '^(of|off|f|fa|fal|fals|false|n|no|0)$'
  UNION ALL
  SELECT 'view-definer', c.title FROM relation c JOIN over_tenants o ON o.relid = c.oid
  WHERE c.relkind = 'v' AND NOT coalesce(
    (SELECT lower(split_part(x, '=', 2)) ~ '^(on|t|tr|tru|true|y|ye|yes|1)$' FROM unnest(c.reloptions) AS x WHERE x LIKE 'security_invoker=%%'), false)
  UNION ALL
  SELECT 'materialized-view', c.title FROM relation c JOIN over_tenants o ON o.relid = c.oid WHERE c.relkind = 'm'
  UNION ALL
  SELECT 'rule', format('%%I on %%s', r.rulename, c.title)
  FROM pg_rewrite r JOIN relation c ON c.oid = r.ev_class JOIN wanted w ON w.relid = c.oid WHERE r.rulename <> '_RETURN'
  UNION ALL
  SELECT 'definer-function', f.title FROM routine f, app
  WHERE f.prosecdef AND f.proowner <> app.oid AND has_function_privilege(app.oid, f.oid, 'EXECUTE')
  UNION ALL
  SELECT 'relation-unlisted', c.title FROM relation c, app
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_any_column_privilege(app.oid, c.oid, 'SELECT')
    AND c.oid NOT IN (SELECT relid FROM wanted WHERE relid IS NOT NULL)
    AND c.plain NOT IN (SELECT json_array_elements_text(%(readable)s::json))
  UNION ALL
  SELECT 'column-unlisted', c.title FROM relation c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = %(column)s AND NOT a.attisdropped
  WHERE c.relkind IN ('r', 'p', 'f') AND c.oid NOT IN (SELECT relid FROM wanted WHERE relid IS NOT NULL)
  UNION ALL
  SELECT 'child-table', c.title FROM relation c JOIN pg_inherits i ON i.inhrelid = c.oid
  WHERE i.inhparent IN (SELECT relid FROM wanted) AND c.oid NOT IN (SELECT relid FROM wanted WHERE relid IS NOT NULL)
  UNION ALL
  SELECT 'foreign-key', format('%%I of %%s', k.conname, c.title)
  FROM pg_constraint k JOIN relation c ON c.oid = k.conrelid
  WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid IN (SELECT relid FROM wanted) AND k.confrelid IN (SELECT relid FROM wanted)
    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND a.attname = %(column)s)
  UNION ALL
  SELECT 'function-without-tenant', f.title FROM routine f, tenant_column t
  WHERE f.prosrc !~* format('(\m|")%%s(\M|")', t.pattern) AND EXISTS (
    SELECT FROM wanted w WHERE f.prosrc ~* format('\m(insert\s+into|update|delete\s+from|merge\s+into)\s+(only\s+)?("?\w+"?\.)?"?%%s(\M|")', w.pattern))
  UNION ALL
  SELECT 'approximate-index', format('%%I of %%s', i.relname, c.title)
  FROM pg_index x JOIN relation c ON c.oid = x.indrelid JOIN wanted w ON w.relid = c.oid
  JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_am a ON a.oid = i.relam
  WHERE a.amname IN ('ivfflat', 'hnsw')
    AND NOT EXISTS (SELECT FROM preset p WHERE p.name = a.amname || '.iterative_scan' AND p.value <> 'off')
  UNION ALL
  SELECT 'large-object', format('%%s large objects', count(*)) FROM pg_largeobject_metadata HAVING count(*) > 0
  UNION ALL
  SELECT 'publication', format('%%I of %%s', p.pubname, c.title)
  FROM pg_publication_tables p JOIN relation c ON c.plain = p.schemaname || '.' || p.tablename JOIN wanted w ON w.relid = c.oid
)
SELECT coalesce(json_object_agg(rule, subjects), '{}') AS audit
FROM (SELECT rule, json_agg(subject ORDER BY subject) AS subjects FROM found GROUP BY rule) AS grouped
