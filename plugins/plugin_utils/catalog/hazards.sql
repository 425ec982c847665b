-- Objects and rows in and around the tenant tables that can make the migration fail, as one JSON document. The query
-- writes nothing. Named arguments:
-- * schema, column, application_role, backfill_role.
-- * default_tenant, as PostgreSQL prints it.
-- * tables and functions: JSON lists of names.
-- * keys (JSON): the keys that must be unique per tenant, each {table, columns}.
-- * shared_keys (JSON): the keys whose values several tenants may share after the migration, in the same form.
-- * links (JSON): foreign keys between tables whose rows have tenants, each {table, columns, other, key, taken}. If
--   taken is true, the table takes its tenant from the other table.
-- (Percent signs are doubled because the query has named arguments.)
WITH RECURSIVE wanted AS (
  SELECT name, to_regclass(format('%%I.%%I', %(schema)s, name)) AS relid
  FROM json_array_elements_text(%(tables)s::json) AS name
),
-- The tables and their partitions at every depth.
tree (root, relid) AS (
  SELECT relid, relid FROM wanted WHERE relid IS NOT NULL
  UNION ALL
  SELECT t.root, i.inhrelid::regclass
  FROM tree t
  JOIN pg_inherits i ON i.inhparent = t.relid
  JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
),
relation AS (
  SELECT DISTINCT c.oid, n.nspname AS schema, c.relname AS name, c.relnatts, c.relpersistence, c.relreplident
  FROM tree t
  JOIN pg_class c ON c.oid = t.relid
  JOIN pg_namespace n ON n.oid = c.relnamespace
),
-- The settings of a new session of the application role. If several have the same name, the lowest rank takes effect.
preset AS (
  SELECT lower(split_part(x.entry, '=', 1)) AS name, substr(x.entry, strpos(x.entry, '=') + 1) AS value,
         CASE WHEN s.setrole <> 0 AND s.setdatabase <> 0 THEN 1 WHEN s.setrole <> 0 THEN 2 WHEN s.setdatabase <> 0
           THEN 3 ELSE 4 END AS rank,
         coalesce(nullif(concat_ws(' in ', CASE WHEN s.setrole <> 0
           THEN format('role %%I', pg_get_userbyid(s.setrole)) END,
           CASE WHEN s.setdatabase <> 0 THEN format('database %%I', current_database()) END), ''), 'ALTER ROLE ALL')
             AS place
  FROM pg_db_role_setting s
  CROSS JOIN LATERAL unnest(s.setconfig) AS x (entry)
  WHERE s.setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = %(application_role)s))
    AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
  UNION ALL
  SELECT lower(name), setting, 5, format('%%s, line %%s', sourcefile, sourceline) FROM pg_file_settings WHERE applied
),
wanted_key AS (
  SELECT k.entry ->> 'table' AS name, w.relid, ARRAY(SELECT json_array_elements_text(k.entry -> 'columns')) AS columns
  FROM json_array_elements(%(keys)s::json) AS k (entry)
  JOIN wanted w ON w.name = k.entry ->> 'table'
),
-- Keys that no unique index enforces yet.
doubtful AS (
  SELECT k.*, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = k.relid AND a.attname = %(column)s
    AND NOT a.attisdropped) AS has_tenant
  FROM wanted_key k
  WHERE NOT EXISTS (SELECT FROM tree t JOIN pg_class c ON c.oid = t.relid WHERE t.root = k.relid
    AND c.relkind NOT IN ('r', 'p'))
    AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = k.relid AND a.attname = ANY (k.columns)
      AND NOT a.attisdropped) = cardinality(k.columns)
    AND NOT EXISTS (
      SELECT FROM pg_index i
      WHERE i.indrelid = k.relid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
        AND (SELECT array_agg(a.attname::text) FROM generate_series(1, i.indnkeyatts) AS p
             JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p - 1]) <@ (k.columns ||
               %(column)s::text))
),
duplicate AS (
  SELECT d.name, d.columns, x.keys, x.rows
  FROM doubtful d
  CROSS JOIN LATERAL XMLTABLE(
    '/row' PASSING query_to_xml(format(
      'SELECT count(*) AS keys, coalesce(sum(n), 0) AS rows '
      'FROM (SELECT count(*) AS n FROM %%s WHERE %%s GROUP BY %%s HAVING count(*) > 1) AS d',
      d.relid,
      -- NULLs are never equal in a unique key.
      (SELECT string_agg(format('%%I IS NOT NULL', c), ' AND ') FROM unnest(d.columns) AS c),
      -- The new key is created after the backfill, which assigns rows without a tenant to the default tenant.
      (SELECT string_agg(CASE WHEN c = %(column)s
           THEN format('CASE WHEN %%1$I IS NULL THEN %%2$L ELSE format(%%3$L, %%1$I) END', c,
             %(default_tenant)s::text, '%%s') ELSE format('%%I', c) END, ', ')
       FROM unnest(d.columns || CASE WHEN d.has_tenant AND %(column)s <> ALL (d.columns) THEN ARRAY[%(column)s::text]
         ELSE '{}' END) AS c)
    ), false, true, '')
    COLUMNS keys bigint PATH 'keys', rows bigint PATH 'rows') AS x
  WHERE x.keys > 0
),
-- The foreign keys to check. The check counts rows that reference a row of another tenant. If the table has no tenant
-- column yet and takes its tenant from the other table, the check counts rows that reference no row instead.
link AS (
  SELECT e.entry ->> 'table' AS name, e.entry -> 'columns' AS columns, e.entry ->> 'other' AS other,
         (e.entry ->> 'taken')::boolean AS taken, w.relid, o.relid AS pointed,
         ARRAY(SELECT json_array_elements_text(e.entry -> 'columns')) AS own_names,
         ARRAY(SELECT json_array_elements_text(e.entry -> 'key')) AS other_names
  FROM json_array_elements(%(links)s::json) AS e (entry)
  JOIN wanted w ON w.name = e.entry ->> 'table'
  JOIN wanted o ON o.name = e.entry ->> 'other'
  WHERE w.relid IS NOT NULL AND o.relid IS NOT NULL
    AND NOT EXISTS (
      SELECT FROM tree t JOIN pg_class c ON c.oid = t.relid
      WHERE t.root IN (w.relid, o.relid) AND c.relkind NOT IN ('r', 'p'))
),
-- The same foreign keys, with flags that show whether each table has the tenant column, and whether the columns can be
-- compared. A foreign key on columns that do not exist is omitted.
complete_link AS (
  SELECT l.*,
         EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = l.relid AND a.attname = %(column)s
                 AND NOT a.attisdropped) AS has_tenant,
         EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = l.pointed AND a.attname = %(column)s
                 AND NOT a.attisdropped) AS has_other,
         (SELECT string_agg(format('c0.%%I = o0.%%I', own, other), ' AND ')
          FROM unnest(l.own_names, l.other_names) AS u (own, other)) AS pairs,
         -- Casts and operators of a type that is not built in belong to its owner, and would run with the
         -- administrator's privileges. PostgreSQL compares domains by their base types.
         NOT EXISTS (
           SELECT FROM unnest(l.own_names || %(column)s::text, l.other_names || %(column)s::text) AS u (own, other)
           JOIN pg_attribute a ON a.attrelid = l.relid AND a.attname = u.own AND NOT a.attisdropped
           JOIN pg_type d ON d.oid = a.atttypid
           JOIN pg_type t ON t.oid = CASE d.typtype WHEN 'd' THEN d.typbasetype ELSE d.oid END
           JOIN pg_attribute b ON b.attrelid = l.pointed AND b.attname = u.other AND NOT b.attisdropped
           JOIN pg_type f ON f.oid = b.atttypid
           JOIN pg_type v ON v.oid = CASE f.typtype WHEN 'd' THEN f.typbasetype ELSE f.oid END
           WHERE (t.typtype, t.typnamespace) <> ('b', 'pg_catalog'::regnamespace)
             OR (v.typtype, v.typnamespace) <> ('b', 'pg_catalog'::regnamespace)
             OR NOT ((t.typcategory, v.typcategory) = ('S', 'S') OR EXISTS (
               SELECT FROM pg_operator e
               WHERE e.oprname = '=' AND e.oprnamespace = 'pg_catalog'::regnamespace
                 AND (e.oprleft, e.oprright) = (t.oid, v.oid)))) AS is_comparable
  FROM link l
  WHERE (SELECT count(*) FROM pg_attribute a
         WHERE a.attrelid = l.relid AND NOT a.attisdropped AND a.attname = ANY (l.own_names)) = cardinality(l.own_names)
    AND (SELECT count(*) FROM pg_attribute a
         WHERE a.attrelid = l.pointed AND NOT a.attisdropped AND a.attname = ANY (l.other_names))
        = cardinality(l.other_names)
),
-- The joins from each table (alias c0 or o0) to a table with the tenant column. They follow the foreign keys from which
-- tables take their tenant.
path (relid, side, place, reached, joins) AS (
  SELECT w.relid, s.side, 0, w.relid, '' FROM wanted w CROSS JOIN (VALUES ('c'), ('o')) AS s (side)
  WHERE w.relid IS NOT NULL
  UNION ALL
  SELECT p.relid, p.side, p.place + 1, l.pointed, p.joins || format(' JOIN %%s %%s ON %%s', l.pointed::regclass,
    p.side || p.place + 1,
    (SELECT string_agg(format('%%s.%%I = %%s.%%I', p.side || p.place, own, p.side || p.place + 1, other), ' AND ')
     FROM unnest(l.own_names, l.other_names) AS u (own, other)))
  FROM path p
  JOIN complete_link l ON l.relid = p.reached AND l.taken AND NOT l.has_tenant AND l.is_comparable
  -- The limit ends the recursion if the foreign keys form a cycle. The plan rejects the tables of a cycle.
  WHERE p.place < (SELECT count(*) FROM wanted)
),
-- The expression that returns the tenant of a table's rows.
given_tenant AS (
  SELECT p.relid, p.side, p.joins, format('%%s%%s.%%I', p.side, p.place, a.attname) AS tenant
  FROM path p
  JOIN pg_attribute a ON a.attrelid = p.reached AND a.attname = %(column)s AND NOT a.attisdropped
  JOIN pg_type d ON d.oid = a.atttypid
  JOIN pg_type t ON t.oid = CASE d.typtype WHEN 'd' THEN d.typbasetype ELSE d.oid END
  WHERE (t.typtype, t.typnamespace) = ('b', 'pg_catalog'::regnamespace)
),
crossing AS (
  SELECT l.name, l.columns, l.other, l.taken, x.rows
  FROM complete_link l
  LEFT JOIN given_tenant c ON c.relid = l.relid AND c.side = 'c'
  LEFT JOIN given_tenant o ON o.relid = l.pointed AND o.side = 'o'
  CROSS JOIN LATERAL XMLTABLE(
    '/row' PASSING query_to_xml(CASE
      WHEN NOT l.is_comparable THEN 'SELECT NULL AS rows'
      WHEN l.taken AND NOT l.has_tenant THEN format(
        'SELECT count(*) AS rows FROM %%s c0 WHERE NOT EXISTS (SELECT FROM %%s o0 WHERE %%s)',
        l.relid::regclass, l.pointed::regclass, l.pairs)
      WHEN c.relid IS NOT NULL AND o.relid IS NOT NULL THEN format(
        'SELECT count(*) AS rows FROM %%s c0 JOIN %%s o0 ON %%s%%s%%s WHERE %%s <> %%s',
        l.relid::regclass, l.pointed::regclass, l.pairs, c.joins, o.joins, c.tenant, o.tenant)
      ELSE 'SELECT 0 AS rows' END, false, true, '')
    COLUMNS rows bigint PATH 'rows') AS x
  -- The number is null if the columns cannot be compared.
  WHERE x.rows IS DISTINCT FROM 0
),
-- Keys whose values several tenants may share. If tenants share values, a rollback cannot restore a key that is unique
-- across all tenants.
shared_key AS (
  SELECT k.entry ->> 'table' AS name, w.relid,
         ARRAY(SELECT json_array_elements_text(k.entry -> 'columns')) AS columns
  FROM json_array_elements(%(shared_keys)s::json) AS k (entry)
  JOIN wanted w ON w.name = k.entry ->> 'table'
  WHERE w.relid IS NOT NULL
    AND NOT EXISTS (
      SELECT FROM tree t JOIN pg_class c ON c.oid = t.relid WHERE t.root = w.relid AND c.relkind NOT IN ('r', 'p'))
),
shared AS (
  SELECT k.name, k.columns, x.keys, x.rows
  FROM shared_key k
  CROSS JOIN LATERAL XMLTABLE(
    '/row' PASSING query_to_xml(CASE
      WHEN (SELECT count(*) FROM pg_attribute a
            WHERE a.attrelid = k.relid AND a.attname = ANY (k.columns) AND NOT a.attisdropped) = cardinality(k.columns)
      THEN format(
        'SELECT count(*) AS keys, coalesce(sum(n), 0) AS rows FROM '
        '(SELECT count(*) AS n FROM %%s WHERE %%s GROUP BY %%s HAVING count(*) > 1) AS d',
        k.relid::regclass,
        (SELECT string_agg(format('%%I IS NOT NULL', c), ' AND ') FROM unnest(k.columns) AS c),
        (SELECT string_agg(format('%%I', c), ', ') FROM unnest(k.columns) AS c))
      ELSE 'SELECT 0 AS keys, 0 AS rows' END, false, true, '')
    COLUMNS keys bigint PATH 'keys', rows bigint PATH 'rows') AS x
  WHERE x.keys > 0
),
-- The types that contain the row type of a table. PostgreSQL cannot add a column with a default to a table if a column
-- of another table has one of these types.
row_type (relid, type) AS (
  SELECT c.oid, c.reltype FROM relation r JOIN pg_class c ON c.oid = r.oid
  UNION
  SELECT u.relid, CASE WHEN d.classid = 'pg_type'::regclass THEN d.objid ELSE c.reltype END
  FROM row_type u
  JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = u.type
    AND d.classid IN ('pg_type'::regclass, 'pg_class'::regclass)
  LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
  WHERE d.classid = 'pg_type'::regclass OR (c.relkind IN ('v', 'c', 'f') AND c.reltype <> 0)
),
published AS (
  SELECT p.oid, p.pubname, p.pubupdate, p.pubdelete, r.oid AS relid
  FROM pg_publication p
  CROSS JOIN LATERAL pg_get_publication_tables(p.pubname::text) AS g
  JOIN relation r ON r.oid = g.relid
),
-- Privileges to use the rows of the tables: on whole tables, on columns, and through PostgreSQL's predefined roles.
granted (relid, grantee, privilege, attname) AS (
  SELECT r.oid, x.grantee, x.privilege_type, NULL::name
  FROM relation r
  JOIN pg_class c ON c.oid = r.oid
  CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS x
  UNION ALL
  SELECT r.oid, x.grantee, x.privilege_type, a.attname
  FROM relation r
  JOIN pg_attribute a ON a.attrelid = r.oid AND NOT a.attisdropped
  CROSS JOIN LATERAL aclexplode(a.attacl) AS x
  UNION ALL
  SELECT r.oid, p.oid, v.privilege, NULL::name
  FROM relation r
  CROSS JOIN (VALUES ('pg_read_all_data', 'SELECT'), ('pg_write_all_data', 'INSERT'), ('pg_write_all_data', 'UPDATE'),
              ('pg_write_all_data', 'DELETE')) AS v (role, privilege)
  JOIN pg_roles p ON p.rolname = v.role
),
-- Since PostgreSQL 16, a member may lack the SET option, which SET ROLE requires.
becoming (privilege) AS (
  SELECT CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END
),
open_sessions AS (
  SELECT usesysid AS role, count(*) AS sessions FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type IN ('client backend', 'walsender') GROUP BY usesysid
),
-- Other roles with privileges on the rows, if policies apply to the roles. PostgreSQL's predefined roles are omitted,
-- but their members are included. Every role has the privileges of PUBLIC. Therefore a role that has only these
-- privileges is listed only if it has open sessions.
other_role AS (
  SELECT h.oid, h.rolname AS name, h.rolcanlogin AS login, h.rolreplication AS replication, coalesce(s.sessions, 0) AS
    sessions,
         g.relid, g.privilege, g.attname, CASE WHEN g.grantee = 0 THEN 'PUBLIC'
           ELSE pg_get_userbyid(g.grantee) END AS through
  FROM pg_roles h
  LEFT JOIN open_sessions s ON s.role = h.oid
  CROSS JOIN becoming b
  JOIN granted g ON CASE WHEN g.grantee = 0 THEN s.role IS NOT NULL
    ELSE pg_has_role(h.oid, g.grantee, 'USAGE') OR (s.role IS NOT NULL
      AND pg_has_role(h.oid, g.grantee, b.privilege)) END
  WHERE NOT h.rolsuper AND NOT h.rolbypassrls AND h.rolname <> %(application_role)s
    AND NOT starts_with(h.rolname, 'pg_')
  UNION ALL
  SELECT 0, 'PUBLIC', false, false, 0, g.relid, g.privilege, g.attname, 'PUBLIC' FROM granted g WHERE g.grantee = 0
)
SELECT json_build_object(
  -- The roles whose privileges the application role has or can get with SET ROLE. Policies for these roles also apply
  -- to the application role.
  'service_roles', (
    SELECT coalesce(json_agg(r.rolname ORDER BY r.rolname), '[]')
    FROM pg_roles a
    CROSS JOIN becoming b
    JOIN pg_roles r ON r.oid <> a.oid AND (pg_has_role(a.oid, r.oid, 'USAGE') OR pg_has_role(a.oid, r.oid, b.privilege)
      OR pg_has_role(a.oid, r.oid, 'MEMBER WITH ADMIN OPTION'))
    WHERE a.rolname = %(application_role)s AND NOT a.rolsuper),
  -- In each entry, "roles" contains the roles whose privileges the role has. In "grants", "columns" is null for the
  -- whole table, and "through" is the grantee.
  'other_roles', (
    SELECT coalesce(json_agg(json_build_object('name', o.name, 'login', o.login, 'replication', o.replication,
      'sessions', o.sessions,
        'roles', (SELECT coalesce(json_agg(r.rolname ORDER BY r.rolname), '[]') FROM pg_roles r
                  WHERE o.oid <> 0 AND pg_has_role(o.oid, r.oid, 'USAGE')),
        'grants', o.grants) ORDER BY o.name), '[]')
    FROM (
      SELECT oid, name, login, replication, sessions,
             json_agg(json_build_object('schema', schema, 'table', "table", 'privilege', privilege, 'columns',
               columns, 'through', through)
                      ORDER BY schema, "table", privilege, through) AS grants
      FROM (
        SELECT o.oid, o.name, o.login, o.replication, o.sessions, r.schema, r.name AS "table", o.privilege, o.through,
               CASE WHEN bool_and(o.attname IS NOT NULL) THEN json_agg(o.attname ORDER BY o.attname) END AS columns
        FROM other_role o
        JOIN relation r ON r.oid = o.relid
        WHERE o.privilege IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9) AS one
      GROUP BY oid, name, login, replication, sessions) AS o),
  'settings', (
    SELECT coalesce(json_agg(json_build_object('name', name, 'value', value, 'place', place) ORDER BY rank), '[]')
    FROM preset WHERE name = 'default_transaction_read_only'),
  'event_triggers', (
    SELECT coalesce(json_agg(json_build_object(
        'name', e.evtname, 'event', e.evtevent, 'function', format('%%I.%%I', n.nspname, f.proname),
        'owner', pg_get_userbyid(f.proowner), 'owner_superuser', o.rolsuper, 'definer', f.prosecdef,
        -- With 'R', an event trigger fires only if session_replication_role is replica. With 'D', it never fires.
        'enabled', e.evtenabled IN ('O', 'A'), 'tags', e.evttags) ORDER BY e.evtname), '[]')
    FROM pg_event_trigger e
    JOIN pg_proc f ON f.oid = e.evtfoid
    JOIN pg_namespace n ON n.oid = f.pronamespace
    JOIN pg_roles o ON o.oid = f.proowner),
  'publications', (
    SELECT coalesce(json_agg(json_build_object(
        'name', p.pubname, 'schema', r.schema, 'table', r.name, 'update', p.pubupdate, 'delete', p.pubdelete,
        -- The columns in the column list (null if the publication has none), and further columns that the row filter
        -- uses. Both exist since PostgreSQL 15.
        'columns', c.listed,
        'filter', (SELECT coalesce(json_agg(DISTINCT a.attname), '[]') FROM pg_depend d
                   JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                   WHERE d.classid = 'pg_publication_rel'::regclass AND d.objid = m.oid
                     AND d.refclassid = 'pg_class'::regclass
                     AND d.refobjid = r.oid AND d.refobjsubid > 0
                       AND a.attname <> ALL (coalesce(ARRAY(SELECT json_array_elements_text(c.listed)), '{}'))),
        'identity', r.relreplident,
        'identity_columns', (
          SELECT coalesce(json_agg(a.attname ORDER BY k), '[]') FROM pg_index i
          CROSS JOIN generate_series(1, i.indnkeyatts) AS k
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k - 1]
          WHERE i.indrelid = r.oid AND ((r.relreplident = 'd' AND i.indisprimary AND i.indimmediate)
            OR (r.relreplident = 'i' AND i.indisreplident)))
      ) ORDER BY p.pubname, r.schema, r.name), '[]')
    FROM published p
    JOIN relation r ON r.oid = p.relid
    LEFT JOIN pg_publication_rel m ON m.prpubid = p.oid AND m.prrelid = r.oid
    LEFT JOIN LATERAL (
      SELECT json_agg(a.attname ORDER BY a.attnum) AS listed
      FROM jsonb_array_elements_text(nullif(to_jsonb(m) -> 'prattrs', 'null')) AS u (attnum)
      JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = u.attnum::smallint) AS c ON true),
  'subscriptions', (
    SELECT coalesce(json_agg(json_build_object('name', s.subname, 'enabled', s.subenabled, 'schema', r.schema,
      'table', r.name)
                    ORDER BY s.subname, r.schema, r.name), '[]')
    FROM pg_subscription_rel m
    JOIN pg_subscription s ON s.oid = m.srsubid
    JOIN relation r ON r.oid = m.srrelid),
  'prepared', (
    SELECT coalesce(json_agg(json_build_object('gid', gid, 'owner', owner, 'prepared', prepared, 'tables', tables)
      ORDER BY gid), '[]')
    FROM (
      SELECT p.gid, p.owner, date_trunc('second', p.prepared) AS prepared, json_agg(DISTINCT format('%%s.%%s',
        r.schema, r.name)) AS tables
      FROM pg_prepared_xacts p
      -- The locks of a prepared transaction have no process. Their virtual transaction ID changes when the server
      -- restarts.
      JOIN pg_locks x ON x.locktype = 'transactionid' AND x.transactionid = p.transaction AND x.pid IS NULL
      JOIN pg_locks l ON l.virtualtransaction = x.virtualtransaction AND l.pid IS NULL AND l.locktype = 'relation'
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      JOIN relation r ON r.oid = l.relation
      GROUP BY 1, 2, 3) AS held),
  'building', (
    SELECT coalesce(json_agg(json_build_object('pid', b.pid, 'command', b.command, 'schema', r.schema, 'table',
      r.name) ORDER BY b.pid), '[]')
    FROM (
      SELECT pid, command, relid FROM pg_stat_progress_create_index WHERE datname = current_database()
      UNION ALL
      SELECT pid, command, relid FROM pg_stat_progress_cluster WHERE datname = current_database()
    ) AS b
    JOIN relation r ON r.oid = b.relid),
  -- Whether pg_stat_statements records statements. If it does, the audit can read earlier statements of the service.
  'records_statements', EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_stat_statements')
    AND coalesce(current_setting('pg_stat_statements.track', true), 'none') <> 'none',
  -- Whether an interrupted run left its backfill login behind. A later step rejects any other role with this name.
  'backfill_login', EXISTS (SELECT FROM pg_roles WHERE rolname = %(backfill_role)s),
  'duplicates', (
    SELECT coalesce(json_agg(json_build_object('table', name, 'columns', columns, 'keys', keys, 'rows', rows)
      ORDER BY name, columns), '[]')
    FROM duplicate),
  'shared', (
    SELECT coalesce(json_agg(json_build_object(
      'table', name, 'columns', columns, 'keys', keys, 'rows', rows) ORDER BY name, columns), '[]')
    FROM shared),
  'links', (
    SELECT coalesce(json_agg(json_build_object(
      'table', name, 'columns', columns, 'other', other, 'taken', taken, 'rows', rows) ORDER BY name, other), '[]')
    FROM crossing),
  'relations', (
    SELECT coalesce(json_agg(json_build_object('schema', schema, 'name', name, 'attributes', relnatts, 'persistence',
      relpersistence)
                    ORDER BY schema, name), '[]')
    FROM relation),
  -- Unique keys and foreign keys on the tenant column alone, which show that the column already has a meaning. A unique
  -- constraint is listed as its index.
  'meanings', (
    SELECT coalesce(json_agg(json_build_object('table', w.name, 'constraint', k.name, 'type', k.contype,
        'other', CASE WHEN k.contype = 'f' THEN format('%%s.%%s', n.nspname, f.relname) END, 'own', k.conrelid =
          w.relid) ORDER BY w.name, k.name), '[]')
    FROM wanted w
    JOIN pg_attribute a ON a.attrelid = w.relid AND a.attname = %(column)s AND NOT a.attisdropped
    CROSS JOIN LATERAL (
      SELECT conname AS name, contype, conrelid, confrelid FROM pg_constraint
      WHERE contype = 'f' AND conparentid = 0
        AND ((conrelid = w.relid AND conkey = ARRAY[a.attnum]) OR (confrelid = w.relid AND confkey = ARRAY[a.attnum]))
      UNION ALL
      SELECT c.relname, 'u', i.indrelid, 0 FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
      WHERE i.indrelid = w.relid AND i.indisunique AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
    ) AS k
    LEFT JOIN pg_class f ON f.oid = CASE WHEN k.conrelid = w.relid THEN k.confrelid ELSE k.conrelid END
    LEFT JOIN pg_namespace n ON n.oid = f.relnamespace),
  -- Other named objects in the schemas of the tenant tables: {schema, name, kind, table}.
  'names', (
    SELECT coalesce(json_agg(json_build_object('schema', schema, 'name', name, 'kind', kind, 'table', "table")
      ORDER BY schema, name, kind), '[]')
    FROM (
      SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, t.relname AS "table"
      FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_index i ON i.indexrelid = c.oid
      LEFT JOIN pg_class t ON t.oid = i.indrelid
      WHERE c.oid NOT IN (SELECT oid FROM relation) AND coalesce(i.indrelid, 0) NOT IN (SELECT oid FROM relation)
      UNION ALL
      -- A sequence cannot have the name of an existing type.
      SELECT n.nspname, y.typname, 'type', NULL
      FROM pg_type y JOIN pg_namespace n ON n.oid = y.typnamespace WHERE y.typrelid = 0
        AND starts_with(y.typname, 'tenancy_bridge_used')
    ) AS named
    WHERE schema = %(schema)s OR schema IN (SELECT schema FROM relation)),
  -- The tenant tables' constraints that are not part of the state.
  'constraints', (
    SELECT coalesce(json_agg(json_build_object('schema', r.schema, 'table', r.name, 'name', k.conname)
      ORDER BY r.schema, r.name, k.conname), '[]')
    FROM pg_constraint k JOIN relation r ON r.oid = k.conrelid WHERE k.contype IN ('c', 't')),
  -- Columns that store the row type of a table: {schema, name, used_by}. The schema and the name are those of the
  -- table.
  'row_types', (
    SELECT coalesce(json_agg(DISTINCT jsonb_build_object('schema', r.schema, 'name', r.name,
        'used_by', format('%%s.%%s.%%s', n.nspname, c.relname, a.attname))), '[]')
    FROM row_type u
    JOIN relation r ON r.oid = u.relid
    JOIN pg_depend d ON d.refclassid = 'pg_type'::regclass AND d.refobjid = u.type AND d.classid = 'pg_class'::regclass
    JOIN pg_class c ON c.oid = d.objid AND c.relkind NOT IN ('v', 'c', 'f')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.atttypid = u.type AND NOT a.attisdropped),
  -- Since PostgreSQL 18, a NOT NULL constraint may be NOT VALID.
  'unvalidated', (
    SELECT coalesce(json_agg(json_build_object('schema', r.schema, 'name', r.name, 'constraint', k.conname)
                             ORDER BY r.schema, r.name), '[]')
    FROM relation r
    JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'n' AND NOT k.convalidated
    JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum = k.conkey[1] AND a.attname = %(column)s),
  -- Routines that have the name of a function in the model, but that the plan cannot replace: {name, types, kind,
  -- language}.
  'routines', (
    SELECT coalesce(json_agg(json_build_object(
        'name', f.proname, 'kind', f.prokind, 'language', l.lanname,
        'types', (SELECT coalesce(json_agg(format_type(t.type, NULL) ORDER BY t.place), '[]')
                  FROM unnest(f.proargtypes) WITH ORDINALITY AS t (type, place))) ORDER BY f.proname, f.oid), '[]')
    FROM pg_proc f
    JOIN pg_namespace n ON n.oid = f.pronamespace AND n.nspname = %(schema)s
    JOIN pg_language l ON l.oid = f.prolang
    WHERE (f.proname IN (SELECT json_array_elements_text(%(functions)s::json)) OR f.proname = 'tenancy_bridge_note')
      AND (f.prokind NOT IN ('f', 'p') OR l.lanname NOT IN ('plpgsql', 'sql')
        OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid
          AND d.deptype = 'e')))
) AS hazards
