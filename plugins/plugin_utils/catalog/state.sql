-- The state of the tenant tables as one JSON document. The query writes nothing, and takes no lock stronger than ACCESS
-- SHARE. Named arguments: schema, tables and views (JSON lists), column, setting, application_role, tenants and
-- tenants_key. The last two are the tenants table and its key, or empty strings.
-- (Percent signs are doubled because the query has named arguments.)
WITH RECURSIVE wanted AS (
  SELECT name, to_regclass(format('%%I.%%I', %(schema)s, name)) AS relid
  FROM (SELECT json_array_elements_text(%(tables)s::json)
        UNION SELECT %(tenants)s::text WHERE %(tenants)s <> '') AS t (name)
),
-- The tables, and the partitions of partitioned tables at every depth.
tree (root, relid, parent, depth) AS (
  SELECT relid, relid, NULL::regclass, 0 FROM wanted WHERE relid IS NOT NULL
  UNION ALL
  SELECT t.root, i.inhrelid::regclass, t.relid, t.depth + 1
  FROM tree t
  JOIN pg_inherits i ON i.inhparent = t.relid
  JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
),
relation AS (
  SELECT DISTINCT relid FROM tree
),
ordinary AS (SELECT oid FROM pg_roles WHERE NOT rolsuper),
-- PostgreSQL runs the CHECK of a domain when it evaluates a literal of the domain. The same applies to literals of
-- array, row or range types that contain the domain.
domain (oid) AS (
  SELECT t.oid FROM pg_type t JOIN ordinary o ON o.oid = t.typowner WHERE t.typtype = 'd'
  UNION
  SELECT t.oid FROM domain d
  JOIN pg_type t ON t.typelem = d.oid OR t.typbasetype = d.oid
    OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.typrelid AND t.typrelid <> 0 AND a.atttypid = d.oid)
    OR EXISTS (SELECT FROM pg_range r WHERE r.rngtypid = t.oid AND r.rngsubtype = d.oid)
),
-- Types that have a cast with a function of an ordinary role, and the domains and arrays based on these types.
converted (oid, function, implicit) AS (
  SELECT k.castsource, format('%%I.%%I', n.nspname, p.proname), k.castcontext = 'i'
  FROM pg_cast k
  JOIN pg_proc p ON p.oid = k.castfunc
  JOIN ordinary o ON o.oid = p.proowner
  JOIN pg_namespace n ON n.oid = p.pronamespace
  UNION
  SELECT t.oid, c.function, c.implicit FROM converted c JOIN pg_type t ON c.oid IN (t.typbasetype, t.typelem)
),
-- The types of the tables' columns, and all types that these are composed of.
used_type (oid) AS (
  SELECT a.atttypid FROM wanted w JOIN pg_attribute a ON a.attrelid = w.relid AND a.attnum > 0 AND NOT a.attisdropped
  UNION
  SELECT p.part
  FROM used_type u
  JOIN pg_type t ON t.oid = u.oid
  CROSS JOIN LATERAL (
    SELECT e.oid FROM pg_type e WHERE e.typarray = t.oid
    UNION ALL SELECT t.typbasetype
    UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid
    UNION ALL SELECT r.rngtypid FROM pg_range r WHERE (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid
    UNION ALL SELECT a.atttypid FROM pg_attribute a
    WHERE t.typrelid <> 0 AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) AS p (part)
  WHERE p.part <> 0
),
type_document AS (
  SELECT format_type(t.oid, NULL) AS name, jsonb_build_object(
      'kind', CASE WHEN e.oid IS NOT NULL THEN 'array' ELSE CASE t.typtype
                WHEN 'b' THEN 'base' WHEN 'c' THEN 'composite' WHEN 'd' THEN 'domain' WHEN 'e' THEN 'enum'
                WHEN 'r' THEN 'range' WHEN 'm' THEN 'multirange' ELSE 'pseudo' END END,
      'name', t.typname,
      -- The element type of an array, the base type of a domain, the subtype of a range, or the range of a multirange.
      'of', (SELECT jsonb_build_object('type', format_type(p.part, NULL), 'formatted', format_type(p.part, t.typtypmod))
             FROM coalesce(e.oid, nullif(t.typbasetype, 0), (SELECT r.rngsubtype FROM pg_range r
               WHERE r.rngtypid = t.oid),
               (SELECT r.rngtypid FROM pg_range r WHERE (to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid)) AS p (part)
             WHERE p.part IS NOT NULL),
      'not_null', t.typnotnull,
      'labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid),
      'attributes', (SELECT jsonb_agg(jsonb_build_object('type', format_type(a.atttypid, NULL), 'formatted',
        format_type(a.atttypid, a.atttypmod))
                                      ORDER BY a.attnum)
                     FROM pg_attribute a WHERE t.typrelid <> 0 AND a.attrelid = t.typrelid AND a.attnum > 0
                       AND NOT a.attisdropped),
      'checks', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', k.conname, 'expression', pg_get_expr(k.conbin,
        0)) ORDER BY k.conname), '[]')
                 FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')) AS document
  FROM used_type u
  JOIN pg_type t ON t.oid = u.oid
  LEFT JOIN pg_type e ON e.typarray = t.oid
),
attribute_list AS (
  SELECT a.attrelid AS relid, json_agg(json_build_object(
      'name', a.attname, 'type', format_type(a.atttypid, NULL), 'formatted', format_type(a.atttypid, a.atttypmod),
      'not_null', a.attnotnull,
      -- The field "has_default" is true if an INSERT that omits the column stores a value in it. The field "default" is
      -- the default of the column, not that of its type.
      'has_default', a.atthasdef OR a.attidentity <> '' OR y.typdefault IS NOT NULL,
      'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
      'generated', a.attgenerated <> '' OR a.attidentity = 'a') ORDER BY a.attnum) AS attributes
  FROM wanted w
  JOIN pg_attribute a ON a.attrelid = w.relid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type y ON y.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  GROUP BY a.attrelid
),
check_list AS (
  SELECT k.conrelid AS relid, json_agg(json_build_object('name', k.conname, 'expression', pg_get_expr(k.conbin,
    k.conrelid))
                                       ORDER BY k.conname) AS checks
  FROM pg_constraint k
  -- Since PostgreSQL 18, a CHECK constraint may be NOT ENFORCED.
  WHERE k.contype = 'c' AND k.conrelid IN (SELECT relid FROM wanted) AND to_jsonb(k) ->> 'conenforced' IS DISTINCT
    FROM 'false'
  GROUP BY k.conrelid
),
lookup_list AS (
  -- Foreign keys to tables that are not tenant tables, each with one existing value of the referenced key. The value is
  -- null if the table is empty, or if reading it would run code that the owner of its type wrote.
  SELECT k.conrelid AS relid, json_agg(json_build_object(
      'name', k.conname, 'columns', c.columns, 'references', format('%%s.%%s', n.nspname, f.relname), 'readable',
        c.is_readable,
      'values', x.found) ORDER BY k.conname) AS lookups
  FROM pg_constraint k
  JOIN pg_class f ON f.oid = k.confrelid
  JOIN pg_namespace n ON n.oid = f.relnamespace
  CROSS JOIN LATERAL (
    SELECT json_agg(a.attname ORDER BY u.place) AS columns,
           string_agg(format('format(%%L, %%I)', '%%s', b.attname), ', ' ORDER BY u.place) AS selected,
           string_agg(format('%%I IS NOT NULL', b.attname), ' AND ') AS there,
           bool_and(y.typcategory NOT IN ('A', 'C', 'R', 'P') AND p.proowner NOT IN (SELECT oid
             FROM ordinary)) AS is_readable
    FROM unnest(k.conkey, k.confkey) WITH ORDINALITY AS u (own, pointed, place)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.own
    JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = u.pointed
    JOIN pg_type y ON y.oid = b.atttypid
    JOIN pg_proc p ON p.oid = y.typoutput) AS c
  CROSS JOIN LATERAL XMLTABLE(
    '/row' PASSING query_to_xml(
      CASE WHEN c.is_readable
        THEN format('SELECT (SELECT json_build_array(%%s) FROM %%s %%s WHERE %%s LIMIT 1) AS found', c.selected,
                    -- The key does not apply to tables that inherit from this table, and those may be foreign tables on
                    -- another server.
                    CASE f.relkind WHEN 'r' THEN 'ONLY' ELSE '' END, k.confrelid::regclass, c.there)
        ELSE 'SELECT NULL::json AS found' END, false, true, '')
    COLUMNS found json PATH 'found') AS x
  WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid IN (SELECT relid FROM wanted)
    AND k.confrelid NOT IN (SELECT relid FROM relation)
  GROUP BY k.conrelid
),
tenant_column AS (
  SELECT w.relid, a.attnum, a.attnotnull, format_type(a.atttypid, a.atttypmod) AS type,
         -- The casts and operators of a type that is not built in belong to its owner, and would run with the
         -- administrator's privileges.
         y.typtype = 'b' AND y.typnamespace = 'pg_catalog'::regnamespace AS is_of_postgresql,
         a.attidentity <> '' OR a.attgenerated <> '' AS generated,
         pg_get_expr(d.adbin, d.adrelid) AS default_expression
  FROM relation w
  JOIN pg_attribute a ON a.attrelid = w.relid AND a.attname = %(column)s AND NOT a.attisdropped
  JOIN pg_type y ON y.oid = a.atttypid
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
),
counted AS (
  -- The exact number of rows: in total, without a tenant, and per tenant.
  SELECT w.relid, x.*
  FROM wanted w
  LEFT JOIN tenant_column c USING (relid)
  CROSS JOIN LATERAL XMLTABLE(
    '/row' PASSING query_to_xml(
      CASE
        -- The plan rejects foreign tables and views. Their rows are not counted, because the foreign server may be
        -- unreachable, and a view would run its owner's functions.
        WHEN EXISTS (SELECT FROM tree t JOIN pg_class f ON f.oid = t.relid WHERE t.root = w.relid
          AND f.relkind NOT IN ('r', 'p'))
        THEN 'SELECT ''{}''::json AS tenants, 0 AS nulls, 0 AS rows'
        WHEN c.relid IS NULL OR NOT c.is_of_postgresql
        THEN format(
          'SELECT json_build_object('''', count(*)) AS tenants, 0 AS nulls, count(*) AS rows FROM %%s', w.relid)
        ELSE format(
          'SELECT coalesce(json_object_agg(tenant, n) FILTER (WHERE tenant IS NOT NULL), ''{}'') AS tenants, '
          'coalesce(sum(n) FILTER (WHERE tenant IS NULL), 0) AS nulls, coalesce(sum(n), 0) AS rows '
          -- format() is used because ::text could run a cast that the type's owner defined.
          'FROM (SELECT CASE WHEN %%1$I IS NOT NULL THEN format(%%3$L, %%1$I) END AS tenant, count(*) AS n '
          'FROM %%2$s GROUP BY 1) AS t',
          %(column)s, w.relid, '%%s')
      END, false, true, '')
    COLUMNS tenants jsonb PATH 'tenants', nulls bigint PATH 'nulls', rows bigint PATH 'rows') AS x
  WHERE w.relid IS NOT NULL
),
key_document AS (
  -- The definition of each unique index and exclusion constraint, field by field.
  SELECT i.indexrelid, jsonb_build_object(
      'elements', e.elements,
      -- The columns that the elements use. If the elements use only the tenant column, the list also contains the
      -- columns that the predicate uses.
      'columns', (
        SELECT coalesce(jsonb_agg(DISTINCT a.attname), '[]')
        FROM pg_attribute a
        WHERE a.attrelid = i.indrelid AND a.attnum IN (
          SELECT i.indkey[k - 1] FROM generate_series(1, i.indnkeyatts) AS k
          UNION ALL
          SELECT m[1]::int
          FROM regexp_matches(coalesce(CASE WHEN e.reads THEN i.indexprs
            ELSE i.indpred END::text, ''), ':varattno (\d+)', 'g') AS m)),
      'include', (
        SELECT coalesce(jsonb_agg(a.attname ORDER BY k), '[]')
        FROM generate_series(i.indnkeyatts + 1, i.indnatts) AS k
        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1]),
      -- The first of these fields exists since PostgreSQL 15, the second since 18.
      'nulls_not_distinct', coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false),
      'period', coalesce((to_jsonb(con) ->> 'conperiod')::boolean, false),
      'predicate', pg_get_expr(i.indpred, i.indrelid),
      'storage', (SELECT string_agg(format('%%I=%%L', split_part(x, '=', 1), substr(x, strpos(x, '=') + 1)), ', ')
                  FROM unnest(ic.reloptions) AS x),
      'deferrable', coalesce(con.condeferrable, false), 'deferred', coalesce(con.condeferred, false),
      'statistics', (
        SELECT coalesce(jsonb_agg(jsonb_build_object('place', a.attnum, 'target', t.target) ORDER BY a.attnum), '[]')
        FROM pg_attribute a
        -- Up to PostgreSQL 16, -1 is the default.
        CROSS JOIN LATERAL (SELECT nullif(to_jsonb(a) ->> 'attstattarget', '-1')::int AS target) AS t
        WHERE a.attrelid = i.indexrelid AND a.attnum > 0 AND t.target IS NOT NULL),
      'extensions', (
        SELECT coalesce(jsonb_agg(x.extname ORDER BY x.extname), '[]')
        FROM pg_depend d JOIN pg_extension x ON x.oid = d.refobjid
        WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid AND d.deptype = 'x'
          AND d.refclassid = 'pg_extension'::regclass)) AS document
  FROM pg_index i
  JOIN pg_class ic ON ic.oid = i.indexrelid
  LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x')
  CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
        'sql', pg_get_indexdef(i.indexrelid, k, false), 'column', a.attname,
        -- The collation is null if it is that of the column, and the class is null if it is the default for the
        -- column's type.
        'collation', (SELECT format('%%I.%%I', n.nspname, c.collname)
                      FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
                        WHERE c.oid = i.indcollation[k - 1] AND c.oid IS DISTINCT FROM a.attcollation),
        'class', (SELECT format('%%I.%%I', n.nspname, c.opcname)
                  FROM pg_opclass c JOIN pg_namespace n ON n.oid = c.opcnamespace
                  WHERE c.oid = i.indclass[k - 1] AND (NOT c.opcdefault OR o.attoptions IS NOT NULL
                    OR c.opcintype IS DISTINCT FROM CASE a.atttypid WHEN 'varchar'::regtype THEN 'text'::regtype
                      ELSE a.atttypid END)),
        'options', (SELECT string_agg(format('%%I=%%L', split_part(x, '=', 1), substr(x, strpos(x, '=') + 1)), ', ')
                    FROM unnest(o.attoptions) AS x),
        'descending', i.indoption[k - 1] & 1 = 1, 'nulls_first', i.indoption[k - 1] & 2 = 2,
        'operator', (SELECT format('OPERATOR(%%I.%%s)', n.nspname, r.oprname)
                     FROM pg_operator r JOIN pg_namespace n ON n.oid = r.oprnamespace WHERE r.oid = con.conexclop[k])
      ) ORDER BY k) AS elements,
      bool_or(a.attname <> %(column)s) IS TRUE OR i.indexprs::text ~ ':varattno \d' AS reads
    FROM generate_series(1, i.indnkeyatts) AS k
    JOIN pg_attribute o ON o.attrelid = i.indexrelid AND o.attnum = k
    LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1]) AS e
  WHERE i.indrelid IN (SELECT relid FROM relation) AND (i.indisunique OR con.contype = 'x')
),
index_list AS (
  SELECT i.indrelid AS relid, json_agg(json_build_object(
      'name', ic.relname,
      'definition', pg_get_indexdef(i.indexrelid),
      'columns', (SELECT json_agg(pg_get_indexdef(i.indexrelid, k, true) ORDER BY k)
                  FROM generate_series(1, i.indnkeyatts) AS k),
      'names', (SELECT json_agg(a.attname ORDER BY k)
                FROM generate_series(1, i.indnkeyatts) AS k
                LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1]),
      'descending', (SELECT json_agg(i.indoption[k - 1] & 1 = 1 ORDER BY k)
                     FROM generate_series(1, i.indnkeyatts) AS k),
      'method', am.amname,
      'plain', i.indpred IS NULL AND i.indexprs IS NULL,
      'unique', i.indisunique,
      'valid', i.indisvalid AND i.indisready,
      -- The partitioned table's index to which this index of a partition is attached.
      'root', CASE WHEN ic.relispartition THEN (SELECT relname FROM pg_class
        WHERE oid = pg_partition_root(i.indexrelid)) END,
      'replica_identity', i.indisreplident,
      'clustered', i.indisclustered,
      'comment', obj_description(i.indexrelid, 'pg_class'),
      'tablespace', (SELECT spcname FROM pg_tablespace WHERE oid = ic.reltablespace),
      'key', (SELECT document FROM key_document d WHERE d.indexrelid = i.indexrelid),
      'constraint', con.conname,
      'constraint_type', con.contype,
      'constraint_definition', pg_get_constraintdef(con.oid),
      'constraint_comment', obj_description(con.oid, 'pg_constraint'),
      -- Objects that prevent the replacement of the key, because they depend on it: foreign keys, and views that group
      -- by the key.
      'dependents', (
        SELECT coalesce(json_agg(DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid)), '[]')
        FROM pg_depend d
        LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
        -- A foreign key to a partitioned table also has one entry for each partition. These entries are omitted.
        WHERE d.deptype = 'n' AND coalesce(k.conparentid, 0) = 0
          AND ((d.refclassid = 'pg_constraint'::regclass AND d.refobjid = con.oid)
            OR (d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indexrelid)))
    ) ORDER BY ic.relname) AS indexes
  FROM pg_index i
  JOIN pg_class ic ON ic.oid = i.indexrelid
  JOIN pg_am am ON am.oid = ic.relam
  LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x')
  WHERE i.indrelid IN (SELECT relid FROM relation)
  GROUP BY i.indrelid
),
foreign_key_list AS (
  SELECT k.conrelid AS relid, json_agg(json_build_object(
      'name', k.conname,
      'description', pg_describe_object('pg_constraint'::regclass, k.oid, 0),
      'columns', (SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(k.conkey) WITH ORDINALITY AS u (attnum, place)
                  JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum),
      'references', json_build_object('schema', n.nspname, 'table', f.relname),
      'key', (SELECT json_agg(a.attname ORDER BY u.place) FROM unnest(k.confkey) WITH ORDINALITY AS u (attnum, place)
              JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.attnum),
      'match', k.confmatchtype, 'update', k.confupdtype, 'delete', k.confdeltype,
      -- This field exists since PostgreSQL 15.
      'set_columns', (SELECT json_agg(a.attname ORDER BY u.place)
                      FROM jsonb_array_elements_text(nullif(to_jsonb(k) -> 'confdelsetcols', 'null')) WITH ORDINALITY
                        AS u (attnum, place)
                      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.attnum::smallint),
      'deferrable', k.condeferrable, 'deferred', k.condeferred, 'validated', k.convalidated,
      -- Both fields exist since PostgreSQL 18.
      'enforced', coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true),
      'period', coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false),
      'comment', obj_description(k.oid, 'pg_constraint')) ORDER BY k.conname) AS foreign_keys
  FROM pg_constraint k
  JOIN pg_class f ON f.oid = k.confrelid
  JOIN pg_namespace n ON n.oid = f.relnamespace
  -- The foreign keys that a partition inherits from its parent are omitted.
  WHERE k.contype = 'f' AND k.conparentid = 0 AND k.conrelid IN (SELECT relid FROM relation)
  GROUP BY k.conrelid
),
policy_document AS (
  SELECT p.oid, p.polrelid AS relid, jsonb_build_object(
      'name', p.polname,
      'command', CASE p.polcmd WHEN '*' THEN 'ALL' WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT'
                               WHEN 'w' THEN 'UPDATE' ELSE 'DELETE' END,
      'permissive', p.polpermissive,
      'roles', (SELECT json_agg(CASE WHEN r = 0 THEN 'public' ELSE pg_get_userbyid(r) END ORDER BY r)
                FROM unnest(p.polroles) AS r),
      'public', 0 = ANY (p.polroles),
      'comment', obj_description(p.oid, 'pg_policy'),
      'using', pg_get_expr(p.polqual, p.polrelid),
      'check', pg_get_expr(p.polwithcheck, p.polrelid)) AS document
  FROM pg_policy p
),
policy_list AS (
  SELECT relid, json_agg(document ORDER BY document ->> 'name' COLLATE "C") AS policies
  FROM policy_document
  WHERE relid IN (SELECT relid FROM relation)
  GROUP BY relid
),
hashable AS MATERIALIZED (
  SELECT o.opcintype AS type FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod AND m.amname = 'hash'
    WHERE o.opcdefault
),
cast_list AS (
  -- Columns whose type cannot be hashed are compared as another type: vectors as real[], all others as text.
  SELECT a.attrelid AS relid, json_object_agg(a.attname,
      CASE WHEN y.typname IN ('vector', 'halfvec') THEN 'real[]' ELSE 'text' END) AS casts
  FROM wanted w
  JOIN pg_attribute a ON a.attrelid = w.relid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type y ON y.oid = a.atttypid
  JOIN pg_type b ON b.oid = coalesce(nullif(y.typbasetype, 0), y.oid)
  -- An array can be hashed if its element type can, and a domain if its base type can.
  CROSS JOIN LATERAL (SELECT CASE WHEN b.typcategory = 'A' AND b.typelem <> 0 THEN b.typelem
    ELSE b.oid END AS type) AS e
  WHERE e.type NOT IN (SELECT type FROM hashable)
    AND NOT EXISTS (SELECT FROM pg_cast k WHERE k.castsource = e.type AND k.castmethod = 'b'
                    AND k.casttarget IN (SELECT type FROM hashable))
    AND b.typtype NOT IN ('e', 'r')
  GROUP BY a.attrelid
),
dependent_list AS (
  -- Objects that use the tenant column: indexes, keys, policies, and all other objects in pg_depend.
  SELECT t.relid, json_agg(DISTINCT jsonb_build_object(
      'name', coalesce(i.relname, k.conname, p.polname),
      'description', pg_describe_object(d.classid, d.objid, 0))) AS dependents
  FROM tenant_column t
  JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.relid AND d.refobjsubid = t.attnum
  LEFT JOIN pg_class i ON d.classid = 'pg_class'::regclass AND i.oid = d.objid AND i.relkind IN ('i', 'I')
  LEFT JOIN pg_constraint k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
  LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
  -- Dropping the column also drops its default, its NOT NULL constraint (PostgreSQL 18), and the foreign keys that
  -- partitions inherit. Therefore these are omitted.
  WHERE d.classid <> 'pg_attrdef'::regclass AND k.contype IS DISTINCT FROM 'n' AND coalesce(k.conparentid, 0) = 0
  GROUP BY t.relid
),
trigger_list AS (
  SELECT t.tgrelid AS relid, json_agg(json_build_object(
      'name', t.tgname, 'definition', pg_get_triggerdef(t.oid),
      'function', t.tgfoid::regprocedure::text, 'enabled', t.tgenabled <> 'D',
      -- Whether the trigger fires for each row (pg_trigger.h, TRIGGER_TYPE_ROW) and not for each statement.
      'row', t.tgtype & 1 = 1) ORDER BY t.tgname) AS triggers
  FROM pg_trigger t
  WHERE NOT t.tgisinternal AND t.tgrelid IN (SELECT relid FROM wanted)
  GROUP BY t.tgrelid
),
view_list AS (
  SELECT d.refobjid AS relid, json_agg(DISTINCT format('%%I.%%I', n.nspname, c.relname)) AS views
  FROM pg_depend d
  JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
  JOIN pg_class c ON c.oid = r.ev_class AND c.oid <> d.refobjid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT relid FROM wanted)
  GROUP BY d.refobjid
),
relation_document AS (
  -- The properties that tables and partitions have in common.
  SELECT c.oid AS relid, jsonb_build_object(
      'kind', c.relkind,
      -- The columns of the partition key, with null for each expression. Null if the relation is not partitioned.
      'partition_key', (SELECT jsonb_agg(a.attname ORDER BY k.place)
                        FROM pg_partitioned_table p CROSS JOIN unnest(p.partattrs) WITH ORDINALITY AS k (attnum, place)
                        LEFT JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = k.attnum
                        WHERE p.partrelid = c.oid),
      'owner', pg_get_userbyid(c.relowner),
      'column', CASE WHEN t.relid IS NOT NULL THEN jsonb_build_object(
          'type', t.type, 'not_null', t.attnotnull, 'default', t.default_expression, 'generated', t.generated,
          'dependents', coalesce(d.dependents, '[]')) END,
      'rls', jsonb_build_object('enabled', c.relrowsecurity, 'forced', c.relforcerowsecurity),
      'policies', coalesce(p.policies, '[]'),
      'indexes', coalesce(i.indexes, '[]'),
      'foreign_keys', coalesce(f.foreign_keys, '[]'),
      -- The TRUNCATE and REFERENCES privileges of the application role, which row security does not restrict. A
      -- privilege on a column is followed by the name of the column.
      'excess_privileges', (
        SELECT coalesce(jsonb_agg(privilege ORDER BY privilege), '[]')
        FROM pg_roles ar
        CROSS JOIN LATERAL (
          SELECT p FROM unnest(ARRAY['TRUNCATE', 'REFERENCES']) AS p WHERE has_table_privilege(ar.oid, c.oid, p)
          UNION ALL
          SELECT format('REFERENCES (%%I)', a.attname) FROM pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            AND NOT has_table_privilege(ar.oid, c.oid, 'REFERENCES')
            AND has_column_privilege(ar.oid, c.oid, a.attnum, 'REFERENCES')) AS found (privilege)
        WHERE ar.rolname = %(application_role)s AND NOT ar.rolsuper),
      -- The privileges that the owner granted directly to the role. A REVOKE by the administrator removes only these.
      'granted_excess', (
        SELECT coalesce(jsonb_agg(DISTINCT privilege), '[]')
        FROM (
          SELECT x.grantee, x.grantor, x.privilege_type
          FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS x
          WHERE x.privilege_type IN ('TRUNCATE', 'REFERENCES')
          UNION ALL
          SELECT x.grantee, x.grantor, format('REFERENCES (%%I)', a.attname)
          FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) AS x
          WHERE a.attrelid = c.oid AND NOT a.attisdropped AND x.privilege_type = 'REFERENCES'
        ) AS given (grantee, grantor, privilege)
        WHERE grantor = c.relowner AND grantee = (SELECT oid FROM pg_roles WHERE rolname = %(application_role)s))
    ) AS document
  FROM relation r
  JOIN pg_class c ON c.oid = r.relid
  LEFT JOIN tenant_column t ON t.relid = c.oid
  LEFT JOIN policy_list p ON p.relid = c.oid
  LEFT JOIN index_list i ON i.relid = c.oid
  LEFT JOIN foreign_key_list f ON f.relid = c.oid
  LEFT JOIN dependent_list d ON d.relid = c.oid
),
partition_list AS (
  -- The deepest partitions come first, because the key of a partition is attached to the key of its parent.
  SELECT t.root AS relid, sum(pg_total_relation_size(t.relid)) AS bytes, sum(c.reltuples)::bigint AS estimated_rows,
         json_agg(d.document || jsonb_build_object('schema', n.nspname, 'name', c.relname)
           ORDER BY t.depth DESC, n.nspname, c.relname)
           FILTER (WHERE t.depth > 0) AS partitions
  FROM tree t
  JOIN relation_document d USING (relid)
  JOIN pg_class c ON c.oid = t.relid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  GROUP BY t.root
),
table_document AS (
  SELECT w.name, CASE WHEN w.relid IS NULL THEN jsonb_build_object('exists', false)
    ELSE d.document || jsonb_build_object(
      'exists', true,
      'bytes', q.bytes,
      'estimated_rows', q.estimated_rows,
      'rows', n.rows,
      'columns', (SELECT json_agg(a.attname ORDER BY a.attnum) FROM pg_attribute a
                  WHERE a.attrelid = w.relid AND a.attnum > 0 AND NOT a.attisdropped),
      -- The rules that a row must satisfy: columns, CHECKs, foreign keys to tables that are not tenant tables, and the
      -- bounds of some partitions.
      'attributes', e.attributes,
      'checks', coalesce(k.checks, '[]'),
      'lookups', coalesce(l.lookups, '[]'),
      'bounds', (SELECT jsonb_agg(pg_get_partition_constraintdef(b.relid) ORDER BY b.relid)
                 FROM (SELECT t.relid FROM tree t JOIN pg_class c ON c.oid = t.relid AND c.relkind = 'r'
                       WHERE t.root = w.relid AND t.depth > 0 ORDER BY t.relid LIMIT 10) AS b),
      -- The privileges of the application role: true for the whole table, or a list of columns. Null if the role does
      -- not exist.
      'rights', (SELECT json_object_agg(privilege, CASE
                     WHEN has_table_privilege(ar.oid, w.relid, privilege) THEN 'true'::json
                     WHEN privilege = 'DELETE' THEN '[]'::json
                     ELSE (SELECT coalesce(json_agg(a.attname ORDER BY a.attnum), '[]') FROM pg_attribute a
                           WHERE a.attrelid = w.relid AND a.attnum > 0 AND NOT a.attisdropped
                             AND has_column_privilege(ar.oid, w.relid, a.attnum, privilege)) END)
                 -- has_column_privilege does not accept DELETE.
                 FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
                 JOIN pg_roles ar ON ar.rolname = %(application_role)s),
      'casts', coalesce(h.casts, '{}'),
      'column', nullif(d.document -> 'column', 'null') || jsonb_build_object('nulls', n.nulls, 'tenants', n.tenants),
      'triggers', coalesce(g.triggers, '[]'),
      'views', coalesce(v.views, '[]'),
      'partition_of', (SELECT inhparent::regclass::text FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        AND c.relispartition
                       WHERE i.inhrelid = w.relid),
      'partitions', coalesce(q.partitions, '[]')
    ) END AS document
  FROM wanted w
  LEFT JOIN relation_document d ON d.relid = w.relid
  LEFT JOIN partition_list q ON q.relid = w.relid
  LEFT JOIN counted n ON n.relid = w.relid
  LEFT JOIN trigger_list g ON g.relid = w.relid
  LEFT JOIN view_list v ON v.relid = w.relid
  LEFT JOIN cast_list h ON h.relid = w.relid
  LEFT JOIN attribute_list e ON e.relid = w.relid
  LEFT JOIN check_list k ON k.relid = w.relid
  LEFT JOIN lookup_list l ON l.relid = w.relid
)
SELECT json_build_object(
  'database', current_database(),
  'server_version', current_setting('server_version'),
  'server_version_num', current_setting('server_version_num')::int,
  -- Whether definitions qualify the name of every object that is not built in.
  'qualified', current_setting('search_path') ~ '^pg_catalog, ?pg_temp$',
  -- The row counts include the rows of all transactions with lower IDs than this one. They may lack other rows.
  'snapshot_xmin', txid_snapshot_xmin(txid_current_snapshot()),
  'tables', (SELECT json_object_agg(name, document) FROM table_document),
  -- The types whose default operator class for GiST has an equality operator.
  'gist_types', (
    SELECT coalesce(json_agg(DISTINCT format_type(c.opcintype, NULL)), '[]')
    FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod
    WHERE m.amname = 'gist' AND c.opcdefault
      AND EXISTS (SELECT FROM pg_amop o WHERE o.amopfamily = c.opcfamily
                  AND o.amopopr = to_regoperator(format('pg_catalog.=(%%1$s,%%1$s)', c.opcintype::regtype)))),
  -- The tenants in the tenants table, as PostgreSQL prints them.
  'tenant_keys', (
    SELECT coalesce((array_agg(x.keys))[1], '[]')
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = %(tenants_key)s AND NOT a.attisdropped
    JOIN pg_type y ON y.oid = a.atttypid AND y.typtype = 'b' AND y.typnamespace = 'pg_catalog'::regnamespace
    CROSS JOIN LATERAL XMLTABLE(
      '/row' PASSING query_to_xml(
        format('SELECT json_agg(format(%%L, %%I)) AS keys FROM %%s', '%%s', a.attname, c.oid::regclass), false, true,
          '')
      COLUMNS keys jsonb PATH 'keys') AS x
    WHERE c.oid = to_regclass(CASE WHEN %(tenants)s <> '' THEN format('%%I.%%I', %(schema)s, %(tenants)s) END)
      AND c.relkind = 'r'),
  -- The types of the tables' columns.
  'types', (SELECT coalesce(json_object_agg(name, document ORDER BY name), '{}') FROM type_document),
  'views', (
    SELECT coalesce(json_object_agg(v.name, CASE WHEN c.oid IS NULL THEN json_build_object('exists', false)
      ELSE json_build_object(
        'exists', true,
        'kind', c.relkind,
        -- The value of the option as it was written, or null if it is not set.
        'security_invoker', (SELECT split_part(x, '=', 2) FROM unnest(c.reloptions) AS x
          WHERE starts_with(x, 'security_invoker='))
      ) END), '{}')
    FROM json_array_elements_text(%(views)s::json) AS v (name)
    LEFT JOIN pg_class c ON c.oid = to_regclass(format('%%I.%%I', %(schema)s, v.name))),
  'functions', (
    SELECT coalesce(json_agg(json_build_object(
        'name', f.proname, 'identity', pg_get_function_identity_arguments(f.oid),
        'types', (SELECT coalesce(json_agg(format_type(t.type, NULL) ORDER BY t.place), '[]')
                  FROM unnest(f.proargtypes) WITH ORDINALITY AS t (type, place)),
        'language', l.lanname, 'returns', pg_get_function_result(f.oid),
        -- The names of the input arguments in order. The name of an unnamed argument is an empty string.
        'names', (SELECT coalesce(json_agg(coalesce(f.proargnames[t.place], '') ORDER BY t.place), '[]')
                  FROM unnest(coalesce(f.proargmodes, array_fill('i'::"char", ARRAY[f.pronargs::int]))) WITH
                    ORDINALITY AS t (mode, place)
                  WHERE t.mode IN ('i', 'b', 'v')),
        'body', f.prosrc, 'definition', pg_get_functiondef(f.oid), 'owner', pg_get_userbyid(f.proowner),
        -- False only if the application role can execute the function through PUBLIC or another role, but not directly.
        -- A trigger function needs no privilege. A role that does not exist yet gets its privileges when it is created.
        'granted', pg_get_userbyid(f.proowner) = %(application_role)s OR f.prorettype = 'trigger'::regtype
          OR NOT (SELECT has_function_privilege(r.oid, f.oid, 'EXECUTE') FROM pg_roles r
            WHERE r.rolname = %(application_role)s)
          OR NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %(application_role)s) OR EXISTS (
          SELECT FROM aclexplode(f.proacl) AS x JOIN pg_roles r ON r.oid = x.grantee
          WHERE r.rolname = %(application_role)s AND x.privilege_type = 'EXECUTE'))
        ORDER BY f.proname, f.oid), '[]')
    FROM pg_proc f
    JOIN pg_namespace n ON n.oid = f.pronamespace AND n.nspname = %(schema)s
    JOIN pg_language l ON l.oid = f.prolang AND l.lanname IN ('plpgsql', 'sql')
    WHERE f.prokind IN ('f', 'p')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass
                      AND d.objid = f.oid AND d.deptype = 'e')),
  -- Code of ordinary roles, which runs with the privileges of the role that restores a definition or adds a foreign
  -- key.
  'code', json_build_object(
    'types', (
      SELECT coalesce(json_agg(json_build_object('schema', n.nspname, 'name', t.typname)
        ORDER BY n.nspname, t.typname), '[]')
      FROM domain d JOIN pg_type t ON t.oid = d.oid JOIN pg_namespace n ON n.oid = t.typnamespace),
    -- An index can only call immutable functions.
    'functions', (
      SELECT coalesce(json_agg(DISTINCT jsonb_build_object('schema', n.nspname, 'name', p.proname)), '[]')
      FROM pg_proc p JOIN ordinary o ON o.oid = p.proowner JOIN pg_namespace n ON n.oid = p.pronamespace
      WHERE p.provolatile = 'i'),
    'operators', (
      SELECT coalesce(json_agg(DISTINCT jsonb_build_object('schema', n.nspname, 'name', x.oprname)), '[]')
      FROM pg_operator x
      JOIN pg_proc p ON p.oid = x.oprcode AND p.provolatile = 'i'
      JOIN ordinary o ON o.oid = p.proowner
      JOIN pg_namespace n ON n.oid = x.oprnamespace),
    'casts', (SELECT coalesce(json_agg(DISTINCT function), '[]') FROM converted),
    -- The columns that PostgreSQL converts with one of these functions to compare them with a column of another type.
    'converted', (
      SELECT coalesce(json_agg(DISTINCT jsonb_build_object(
          'schema', n.nspname, 'table', c.relname, 'column', a.attname, 'type', format_type(a.atttypid, NULL),
            'function', v.function)), '[]')
      FROM converted v
      JOIN pg_attribute a ON a.atttypid = v.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE v.implicit)),
  'application_role', (
    SELECT json_build_object(
        'name', r.rolname, 'superuser', r.rolsuper, 'bypassrls', r.rolbypassrls, 'login', r.rolcanlogin,
        'bypassing_memberships', (
          SELECT coalesce(json_agg(b.rolname ORDER BY b.rolname), '[]') FROM pg_roles b
          WHERE (b.rolsuper OR b.rolbypassrls) AND b.oid <> r.oid AND NOT r.rolsuper
            -- Since PostgreSQL 16, a member may lack the SET option. A member with ADMIN OPTION can grant it to itself.
            AND (pg_has_role(r.oid, b.oid, 'USAGE') OR pg_has_role(r.oid, b.oid, 'MEMBER WITH ADMIN OPTION')
              OR pg_has_role(r.oid, b.oid, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET'
                ELSE 'MEMBER' END))))
    FROM pg_roles r WHERE r.rolname = %(application_role)s),
  -- The tenant that each role's setting gives to the sessions of the role.
  'bridges', (
    SELECT coalesce(json_object_agg(r.rolname, substr(entry, length(%(setting)s) + 2)), '{}')
    FROM pg_db_role_setting s
    JOIN pg_roles r ON r.oid = s.setrole
    JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = current_database()
    CROSS JOIN LATERAL unnest(s.setconfig) AS entry
    WHERE starts_with(lower(entry), lower(%(setting)s) || '=')),
  -- The usage record: the time when a session last used the bridge, in seconds since 1970. Each sequence contains the
  -- time for one kind of statement. The plan determines which sequences with such a name belong to the record.
  'bridge_watch', (
    SELECT json_build_object(
        'exists', count(s.relid) > 0,
        'used_at', max(pg_sequence_last_value(s.relid)),
        'sequences', coalesce(json_object_agg(s.relname, json_build_object(
            'granted', coalesce(has_sequence_privilege(r.oid, s.relid, 'UPDATE'), false)) ORDER BY s.relname)
          FILTER (WHERE s.relid IS NOT NULL), '{}'),
        -- Policies of the usage record on relations that are no longer tenant tables, such as a detached partition.
        'strays', (
          SELECT coalesce(json_agg(p.document || jsonb_build_object('schema', n.nspname, 'table', c.relname)
                          ORDER BY n.nspname, c.relname, p.document ->> 'name'), '[]')
          FROM pg_depend d
          JOIN policy_document p ON p.oid = d.objid
          JOIN pg_class c ON c.oid = p.relid
          JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE d.classid = 'pg_policy'::regclass AND d.refclassid = 'pg_proc'::regclass
            AND d.refobjid IN (to_regprocedure(format('%%I.tenancy_bridge_note()', %(schema)s)),
                               to_regprocedure(format('%%I.tenancy_bridge_note(text)', %(schema)s)))
            AND p.relid NOT IN (SELECT relid FROM relation)))
    FROM (SELECT) AS one
    LEFT JOIN (
      SELECT c.oid::regclass AS relid, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname = %(schema)s AND c.relkind = 'S' AND starts_with(c.relname, 'tenancy_bridge_used')) AS s ON true
    LEFT JOIN pg_roles r ON r.rolname = %(application_role)s)
) AS state
