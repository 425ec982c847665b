-- What the service uses beyond the tenant tables: their sequences, the functions behind their triggers, and the further
-- relations that it may read; each as postgresql_privs wants it: {type, schema, objs, privs}.
-- Named arguments: schema, tables, functions, readable (JSON lists of names; readable ones with their schema).
-- (A percent sign is doubled because named arguments are in use.)
WITH wanted AS (
  SELECT to_regclass(format('%%I.%%I', %(schema)s, name)) AS relid FROM json_array_elements_text(%(tables)s::json) AS name
),
used AS (
  -- Identity and serial columns own their sequence; a default may name another.
  SELECT objid AS oid FROM pg_depend
  WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
    AND refobjid IN (SELECT relid FROM wanted)
  UNION
  SELECT p.refobjid FROM pg_attrdef d
  JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass
  WHERE d.adrelid IN (SELECT relid FROM wanted)
),
needed AS (
  SELECT 'sequence' AS type, n.nspname AS schema, c.relname::text AS objs, 'USAGE' AS privs
  FROM used
  JOIN pg_class c ON c.oid = used.oid AND c.relkind = 'S'
  JOIN pg_namespace n ON n.oid = c.relnamespace
  UNION ALL
  -- The module wants a colon between the types of a signature.
  SELECT 'function', n.nspname, format('%%s(%%s)', f.proname, replace(oidvectortypes(f.proargtypes), ', ', ':')), 'EXECUTE'
  FROM pg_proc f
  JOIN pg_namespace n ON n.oid = f.pronamespace AND n.nspname = %(schema)s
  WHERE f.prokind = 'f' AND f.proname IN (SELECT json_array_elements_text(%(functions)s::json))
  UNION ALL
  SELECT 'table', n.nspname, c.relname, 'SELECT'
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname || '.' || c.relname IN (SELECT json_array_elements_text(%(readable)s::json))
)
SELECT coalesce(json_agg(needed), '[]') AS needs FROM needed
