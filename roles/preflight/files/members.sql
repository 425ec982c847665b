-- Tables and materialized views that a dump leaves out since they are members of an extension, without being its own:
-- as one JSON array. Reads the catalogs alone. Whoever owns an extension may add to it what he owns. What its script
-- made belongs to a superuser, also where an ordinary role made a trusted extension; or it is a table whose rows the
-- script has dumped, which a script alone can ask for. Named arguments: schema, tables (JSON array). (A percent sign
-- is doubled because named arguments are in use.)
WITH RECURSIVE tenant (oid) AS (
  SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = %(schema)s AND c.relname IN (SELECT json_array_elements_text(%(tables)s))
  UNION
  SELECT i.inhrelid FROM tenant t JOIN pg_inherits i ON i.inhparent = t.oid
)
SELECT coalesce(json_agg(json_build_object(
    'extension', e.extname, 'schema', n.nspname, 'name', c.relname, 'owner', pg_get_userbyid(c.relowner),
    'is_table', c.relkind <> 'm', 'is_tenant', c.oid IN (SELECT oid FROM tenant))
      ORDER BY n.nspname, c.relname), '[]') AS members
FROM pg_depend d
JOIN pg_extension e ON e.oid = d.refobjid
JOIN pg_class c ON c.oid = d.objid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_roles o ON o.oid = c.relowner
WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
  AND c.relkind IN ('r', 'p', 'm')
  AND (c.oid IN (SELECT oid FROM tenant) OR NOT (o.rolsuper OR c.oid = ANY (coalesce(e.extconfig, '{}'))))
