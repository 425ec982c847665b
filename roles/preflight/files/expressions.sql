-- Finds the expressions of the database that an administrator's session would evaluate when it reads a table, and those
-- that the change would store again. Returns one JSON object, and reads only the catalogs. Named arguments: schema,
-- tables (JSON array), column, functions (JSON array of the model's functions). (A percent sign is doubled because of
-- the named arguments.)
WITH RECURSIVE ordinary AS (SELECT oid FROM pg_roles WHERE NOT rolsuper),
-- An ordinary role can neither create nor change a built-in function or a C function.
code AS (
  SELECT p.*, l.lanname FROM pg_proc p JOIN ordinary o ON o.oid = p.proowner JOIN pg_language l ON l.oid = p.prolang
  WHERE l.lanname NOT IN ('c', 'internal')
),
-- A type and the types that are based on it: arrays, domains, composite types, ranges and multiranges.
made_of (part, whole) AS (
  SELECT typelem, oid FROM pg_type WHERE typelem <> 0
  UNION ALL
  SELECT typbasetype, oid FROM pg_type WHERE typbasetype <> 0
  UNION ALL
  SELECT a.atttypid, c.reltype FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.reltype <> 0
    AND a.attnum > 0
  UNION ALL
  SELECT rngsubtype, rngtypid FROM pg_range
  UNION ALL
  SELECT rngtypid, (to_jsonb(r) ->> 'rngmultitypid')::oid FROM pg_range r
),
-- A cast to or from these types may call a function of an ordinary role, and so may the CHECK constraint of a domain.
castable (oid) AS (
  SELECT t.oid FROM pg_type t
  WHERE t.typowner IN (SELECT oid FROM ordinary) OR t.typtype = 'd' AND t.oid >= 16384
  UNION
  SELECT m.whole FROM castable c JOIN made_of m ON m.part = c.oid
),
-- The planner may replace an operator with its negator.
operator AS (
  SELECT x.oid, x.oprname, json_agg(c.oid::bigint ORDER BY c.oid) AS functions
  FROM pg_operator x
  LEFT JOIN pg_operator n ON n.oid = x.oprnegate
  JOIN code c ON c.oid IN (x.oprcode, n.oprcode)
  GROUP BY x.oid, x.oprname
),
-- Reading a literal of a domain evaluates the domain's CHECK constraints, even inside an array, a row or a range.
domain (oid) AS (
  SELECT k.contypid FROM pg_constraint k JOIN pg_depend p ON p.classid = 'pg_constraint'::regclass AND p.objid = k.oid
  WHERE k.contypid <> 0 AND (
    p.refclassid = 'pg_proc'::regclass AND p.refobjid IN (SELECT oid FROM code)
    OR p.refclassid = 'pg_operator'::regclass AND p.refobjid IN (SELECT oid FROM operator)
    OR p.refclassid = 'pg_type'::regclass AND p.refobjid <> k.contypid AND p.refobjid IN (SELECT oid FROM castable))
  UNION
  SELECT m.whole FROM domain d JOIN made_of m ON m.part = d.oid
),
tenant AS (
  SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = %(schema)s AND c.relname IN (SELECT json_array_elements_text(%(tables)s))
),
-- ALTER TABLE also changes the partitions and the child tables of a table.
family (oid) AS (
  SELECT oid FROM tenant
  UNION
  SELECT i.inhrelid FROM family f JOIN pg_inherits i ON i.inhparent = f.oid
),
expression AS (
  SELECT format('The index %%I.%%I', n.nspname, i.relname) AS what, x.source
  FROM pg_index p
  JOIN pg_class i ON i.oid = p.indexrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
  CROSS JOIN LATERAL (VALUES (p.indexprs::text), (p.indpred::text)) AS x (source)
  UNION ALL
  SELECT format('The statistics %%I.%%I', n.nspname, s.stxname), to_jsonb(s) ->> 'stxexprs'
  FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
  UNION ALL
  -- ALTER TABLE evaluates the constraints of its table. A read does not, because constraint_exclusion is off.
  SELECT format('The constraint %%I of %%I.%%I', k.conname, n.nspname, c.relname), k.conbin::text
  FROM pg_constraint k
  JOIN family f ON f.oid = k.conrelid
  JOIN pg_class c ON c.oid = k.conrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE k.contype = 'c'
  UNION ALL
  SELECT format('The partition key of %%I.%%I', n.nspname, c.relname), p.partexprs::text
  FROM pg_partitioned_table p
  JOIN pg_class c ON c.oid = p.partrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  UNION ALL
  -- Since PostgreSQL 18, a generated column can be computed when it is read.
  SELECT format('The generated column %%I.%%I.%%I', n.nspname, c.relname, a.attname), d.adbin::text
  FROM pg_attrdef d
  JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attgenerated = 'v'
  JOIN pg_class c ON c.oid = d.adrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
),
computed AS (
  -- Objects that do not belong to PostgreSQL itself have an OID of at least 16384.
  SELECT what, source FROM expression WHERE source ~ ':(funcid|opfuncid|opno|resulttype) [0-9]{5}'
),
written AS (
  SELECT format('The policy %%I of %%I.%%I', p.polname, t.nspname, t.relname) AS what, 'pg_policy'::regclass AS class,
    p.oid
  FROM pg_policy p JOIN tenant t ON t.oid = p.polrelid
  UNION ALL
  SELECT format('The default of %%I.%%I.%%I', t.nspname, t.relname, a.attname), 'pg_attrdef'::regclass, d.oid
  FROM pg_attrdef d
  JOIN tenant t ON t.oid = d.adrelid
  JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND a.attname = %(column)s
  UNION ALL
  SELECT format('The index %%I.%%I', n.nspname, i.relname), 'pg_class'::regclass, i.oid
  FROM pg_index x
  JOIN tenant t ON t.oid = x.indrelid
  JOIN pg_class i ON i.oid = x.indexrelid
  JOIN pg_namespace n ON n.oid = i.relnamespace
  UNION ALL
  SELECT format('A default of the function %%s', p.oid::regprocedure), 'pg_proc'::regclass, p.oid
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE n.nspname = %(schema)s AND p.pronargdefaults > 0 AND p.proname IN (SELECT
    json_array_elements_text(%(functions)s))
)
SELECT json_build_object(
  'computed', (
    SELECT coalesce(json_agg(json_build_object('what', what, 'source', source) ORDER BY what), '[]') FROM computed),
  -- Few databases contain such an expression. In all other databases, the query reads no function body.
  'functions', (
    SELECT coalesce(json_agg(json_build_object(
        'oid', p.oid::bigint, 'name', p.oid::regprocedure::text, 'symbol', p.proname,
        'owner', pg_get_userbyid(p.proowner), 'arguments', p.pronargs,
        -- Whether the planner may replace a call with the function's body (inline_function in PostgreSQL's source).
        'inlined', p.lanname = 'sql' AND NOT p.prosecdef AND p.proconfig IS NULL AND p.prokind = 'f',
        -- A call may cast the arguments and the result even if the body contains no cast.
        'plain_types', NOT EXISTS (
          SELECT FROM pg_type t
          WHERE t.oid IN (SELECT unnest(p.proargtypes) UNION ALL SELECT p.prorettype)
            AND (t.typtype = 'p' OR t.oid IN (SELECT oid FROM castable))),
        'body', p.prosrc, 'parsed', coalesce(to_jsonb(p) ->> 'prosqlbody', '')) ORDER BY p.oid), '[]')
    FROM code p
    WHERE EXISTS (SELECT FROM computed)),
  -- Functions that the planner does not inline, whatever role owns them.
  'calls', (
    SELECT coalesce(json_agg(json_build_object('oid', p.oid::bigint, 'arguments', p.pronargs) ORDER BY p.oid), '[]')
    FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
    WHERE p.oid >= 16384 AND l.lanname <> 'sql' AND EXISTS (SELECT FROM computed)),
  'operators', (
    SELECT coalesce(json_agg(json_build_object('oid', oid::bigint, 'symbol', oprname, 'functions', functions)
      ORDER BY oid), '[]')
    FROM operator
    WHERE EXISTS (SELECT FROM computed)),
  'types', (
    SELECT coalesce(json_agg(json_build_object('oid', t.oid::bigint, 'symbol', t.typname) ORDER BY t.oid), '[]')
    FROM pg_type t JOIN castable c ON c.oid = t.oid
    WHERE EXISTS (SELECT FROM computed)),
  'domains', (
    SELECT coalesce(json_agg(json_build_object(
        'oid', t.oid::bigint, 'name', format_type(t.oid, NULL), 'base', t.typbasetype::bigint,
        'checks', (
          SELECT coalesce(json_agg(k.conbin::text ORDER BY k.oid), '[]')
          FROM pg_constraint k WHERE k.contypid = t.oid AND k.conbin IS NOT NULL)) ORDER BY t.oid), '[]')
    FROM pg_type t
    WHERE t.typtype = 'd' AND t.oid >= 16384 AND EXISTS (SELECT FROM computed)),
  'written', (
    SELECT coalesce(json_agg(json_build_object('what', w.what, 'type', format_type(d.oid, NULL)) ORDER BY w.what), '[]')
    FROM written w
    JOIN pg_depend p ON p.classid = w.class AND p.objid = w.oid AND p.refclassid = 'pg_type'::regclass
    JOIN domain d ON d.oid = p.refobjid)
) AS expressions
