-- Returns the GRANT statements for the role. The service uses the tenant tables, their sequences and the functions of
-- their triggers, and can read further relations.
-- Named arguments: role, schema, and three JSON arrays of names: tables, functions and readable. The names in readable
-- include the schema. (A percent sign is doubled because of the named arguments.)
WITH named AS (
  SELECT name, to_regclass(format('%%I.%%I', %(schema)s, name)) AS relid
  FROM json_array_elements_text(%(tables)s::json) AS name
),
used AS (
  -- Identity and serial columns own their sequences. A default may use another sequence.
  SELECT objid AS oid FROM pg_depend
  WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
    AND refobjid IN (SELECT relid FROM named)
  UNION
  SELECT p.refobjid FROM pg_attrdef d
  JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass
  WHERE d.adrelid IN (SELECT relid FROM named)
),
needed (privileges, object) AS (
  SELECT 'CONNECT', format('DATABASE %%I', current_database())
  UNION ALL
  SELECT 'USAGE', format('SCHEMA %%I', %(schema)s)
  UNION ALL
  SELECT 'SELECT, INSERT, UPDATE, DELETE', format('TABLE %%I.%%I', %(schema)s, name) FROM named
  UNION ALL
  SELECT 'USAGE', format('SEQUENCE %%I.%%I', n.nspname, c.relname)
  FROM used
  JOIN pg_class c ON c.oid = used.oid AND c.relkind = 'S'
  JOIN pg_namespace n ON n.oid = c.relnamespace
  UNION ALL
  SELECT 'EXECUTE', format('%%s %%I.%%I(%%s)', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END, n.nspname,
    p.proname, pg_get_function_identity_arguments(p.oid))
  FROM pg_proc p
  JOIN pg_namespace n ON n.oid = p.pronamespace AND n.nspname = %(schema)s
  WHERE p.prokind IN ('f', 'p') AND p.proname IN (SELECT json_array_elements_text(%(functions)s::json))
  UNION ALL
  SELECT 'SELECT', format('TABLE %%I.%%I', n.nspname, c.relname)
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname || '.' || c.relname IN (SELECT json_array_elements_text(%(readable)s::json))
)
SELECT json_agg(format('GRANT %%s ON %%s TO %%I', privileges, object, %(role)s)) AS grants FROM needed
