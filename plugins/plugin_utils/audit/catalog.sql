-- Common table expressions for the rules of the audit. The query only reads. Named arguments: schema, tables (a JSON
-- list of names), column, setting, application_role, natural_keys (a JSON list of {table, columns}), and readable. The
-- readable argument is a JSON list of the other relations, as schema.name, that the application role can read. Percent
-- signs are doubled here because the query has named arguments. The rules contain single percent signs, which audit.py
-- doubles.
WITH RECURSIVE
-- The model: one row.
given AS (
  SELECT %(column)s::name AS tenant_column, %(setting)s AS setting, %(application_role)s AS application_role,
         -- A pattern for the column's name in a function body. In the body, quotes inside a quoted name are doubled.
         regexp_replace(replace(%(column)s, '"', '""'), '([][!$()*+.:<=>?\\^{|}-])', '\\\1', 'g') AS column_pattern
),
-- The relations, as schema.name, that the application role can read although no policy applies to them.
readable (plain) AS (
  SELECT json_array_elements_text(%(readable)s::json)
),
tree (name, relid) AS (
  SELECT name, to_regclass(format('%%I.%%I', %(schema)s, name))::oid
  FROM json_array_elements_text(%(tables)s::json) AS name
  UNION
  -- A rule for a table also applies to the table's partitions.
  SELECT c.relname::text COLLATE "default", c.oid
  FROM tree t
  JOIN pg_catalog.pg_inherits i ON i.inhparent = t.relid
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
),
-- The tenant tables and their partitions. The relid of a table that does not exist is NULL. "pattern" matches the
-- table's name in the body of a function.
wanted AS (
  SELECT name, relid,
         regexp_replace(replace(name, '"', '""'), '([][!$()*+.:<=>?\\^{|}-])', '\\\1', 'g') AS pattern
  FROM tree
),
-- The application role: one row, or none if the role does not exist.
app AS (
  SELECT * FROM pg_catalog.pg_roles WHERE rolname = %(application_role)s
),
-- The settings that a session of the application role has by default. The column "bridge" is true if the setting is
-- stored for a role in a database, as the bridge is.
preset AS (
  SELECT lower(split_part(x.entry, '=', 1)) AS name, lower(substr(x.entry, strpos(x.entry, '=') + 1)) AS value,
         s.setrole <> 0 AND s.setdatabase <> 0 AS bridge,
         coalesce(nullif(concat_ws(' in ',
           CASE WHEN s.setrole <> 0 THEN format('role %%I', pg_get_userbyid(s.setrole)) END,
           CASE WHEN s.setdatabase <> 0 THEN format('database %%I', current_database()) END),
           ''), 'every role and database') AS place
  FROM pg_catalog.pg_db_role_setting s
  CROSS JOIN LATERAL unnest(s.setconfig) AS x (entry)
  WHERE s.setrole IN (0, (SELECT oid FROM app))
    AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
  UNION ALL
  SELECT lower(name), lower(setting), false, format('%%s, line %%s', sourcefile, sourceline)
  FROM pg_catalog.pg_file_settings WHERE applied
),
-- The application role, and the roles whose privileges it has or can get with SET ROLE. Since PostgreSQL 16, a member
-- may lack the SET option, but a member with the ADMIN option can grant itself the SET option.
service_role AS (
  SELECT r.rolname AS name
  FROM app a
  JOIN pg_catalog.pg_roles r ON r.oid = a.oid OR pg_has_role(a.oid, r.oid, 'USAGE')
    OR pg_has_role(a.oid, r.oid, 'MEMBER WITH ADMIN OPTION')
    OR pg_has_role(a.oid, r.oid, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET'
      ELSE 'MEMBER' END)
  UNION ALL
  -- Every role also has the privileges of PUBLIC.
  SELECT 'public'
),
superuser AS (
  SELECT oid FROM pg_catalog.pg_roles WHERE rolsuper
),
-- Every relation of the database that does not belong to an extension. "title" is its name in SQL, "plain" its name
-- without quotes. The owner of an extension can add any object to the extension. Therefore a member counts as part of
-- the extension only if a superuser owns the member, or if pg_dump dumps its rows (pg_extension_config_dump). Only the
-- extension's script can request such a dump.
relation AS (
  SELECT c.*, format('%%I.%%I', n.nspname, c.relname) AS title, n.nspname || '.' || c.relname AS plain
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      JOIN pg_catalog.pg_extension e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND e.oid = d.refobjid
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        AND (c.relowner IN (SELECT oid FROM superuser) OR c.oid = ANY (e.extconfig)))
),
-- The natural keys of the tenant tables, each with its columns.
natural_key AS (
  SELECT w.relid, w.pattern, ARRAY(SELECT json_array_elements_text(k.entry -> 'columns')) AS columns
  FROM json_array_elements(%(natural_keys)s::json) AS k (entry)
  JOIN wanted w ON w.relid = to_regclass(format('%%I.%%I', %(schema)s, k.entry ->> 'table'))
),
-- All functions and procedures except those of extensions. The title contains the argument types. The body is text,
-- even if PostgreSQL stores the SQL statements in parsed form.
routine AS (
  SELECT f.*, f.oid::regprocedure::text AS title,
         CASE WHEN f.prosrc = '' AND f.prokind IN ('f', 'p') THEN pg_catalog.pg_get_functiondef(f.oid)
           ELSE f.prosrc END AS body
  FROM pg_catalog.pg_proc f
  JOIN pg_catalog.pg_namespace n ON n.oid = f.pronamespace
  WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend d
      WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = f.oid AND d.deptype = 'e'
        AND f.proowner IN (SELECT oid FROM superuser))
),
-- The tenant tables, and all views that read them, either directly or through other views.
over_tenants (relid) AS (
  WITH RECURSIVE found (relid) AS (
    SELECT relid FROM wanted WHERE relid IS NOT NULL
    UNION
    SELECT r.ev_class FROM found f
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = f.relid
      AND d.classid = 'pg_catalog.pg_rewrite'::regclass
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
  )
  SELECT relid FROM found
),
-- The relations that the application role, a role that it can become, or PUBLIC can read completely or in part.
service_reads (relid) AS (
  SELECT c.oid FROM relation c
  WHERE EXISTS (SELECT FROM service_role s WHERE has_schema_privilege(s.name, c.relnamespace, 'USAGE'))
    AND EXISTS (SELECT FROM service_role s WHERE has_any_column_privilege(s.name, c.oid, 'SELECT'))
)
