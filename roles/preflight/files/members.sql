-- Finds tables and materialized views that a dump leaves out because they were added to an extension later.
-- Returns one JSON array, and reads only the catalogs. The owner of an extension can add objects to the extension.
-- Except for tenant tables, the query ignores two kinds of objects. Objects from the extension's script belong to a
-- superuser, even if an ordinary role created the trusted extension. The rows of configuration tables are dumped, and
-- only the script can mark a table as a configuration table.
-- Named arguments: schema, tables (JSON array). (A percent sign is doubled because of the named arguments.)
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
