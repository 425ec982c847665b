"""The properties of a database that a dump does not contain, as statements that restore them in another database.

CREATE DATABASE sets the owner, the encoding and the locale. Further statements set the privileges, the connection
limit, the comment and the settings.
"""

from __future__ import annotations

from typing import Any

# An assignment in the syntax of ALTER ... SET, from the columns name and value.
ASSIGNED = r"""
  concat((SELECT string_agg(quote_ident(part), '.') FROM unnest(string_to_array(name, '.')) AS part), ' TO ',
    -- These settings are lists of names (GUC_LIST_QUOTE). SET quotes the names, but SET FROM CURRENT keeps any text
    -- that an ordinary role has set. Therefore, each name is parsed and quoted again.
    CASE WHEN lower(name) IN ('search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries',
                              'shared_preload_libraries', 'unix_socket_directories') AND value <> ''
         THEN (SELECT coalesce(string_agg(quote_ident(coalesce(replace(found[1], '""', '"'), lower(found[2]))), ', '
                                          ORDER BY n), quote_literal(''))
               FROM regexp_matches(value, '\s*(?:"((?:[^"]|"")*)"|([^,"\s]+))\s*(?:,|$)', 'g')
                    WITH ORDINALITY AS m (found, n))
         ELSE quote_literal(value) END)"""
# Named arguments: source and target (databases), and setting (the bridge's). Percent signs are doubled because the
# query has arguments.
QUERY = rf"""
WITH source AS (
  SELECT d.*, to_jsonb(d) AS document, pg_get_userbyid(d.datdba) AS owner, t.spcname AS tablespace
  FROM pg_database d
  JOIN pg_tablespace t ON t.oid = d.dattablespace
  WHERE d.datname = %(source)s
),
settings AS (
  SELECT s.setrole, r.rolname, x.place,
         split_part(x.entry, '=', 1) AS name, substr(x.entry, strpos(x.entry, '=') + 1) AS value
  FROM pg_db_role_setting s
  JOIN source ON source.oid = s.setdatabase
  LEFT JOIN pg_roles r ON r.oid = s.setrole
  CROSS JOIN LATERAL unnest(s.setconfig) WITH ORDINALITY AS x (entry, place)
),
created AS (
  SELECT concat_ws(' ',
      format('CREATE DATABASE %%I TEMPLATE template0 OWNER %%I ENCODING %%L LC_COLLATE %%L LC_CTYPE %%L',
        %(target)s, owner, pg_encoding_to_char(encoding), datcollate, datctype),
      -- PostgreSQL 15 and later have locale providers. Without this clause, the database gets the template's provider.
      CASE document ->> 'datlocprovider'
        WHEN 'c' THEN 'LOCALE_PROVIDER libc'
        WHEN 'i' THEN format('LOCALE_PROVIDER icu ICU_LOCALE %%L',
                        coalesce(document ->> 'datlocale', document ->> 'daticulocale'))
        WHEN 'b' THEN format('LOCALE_PROVIDER builtin BUILTIN_LOCALE %%L', document ->> 'datlocale')
      END,
      'ICU_RULES ' || quote_literal(document ->> 'daticurules')) AS statement, tablespace
  FROM source
),
replayed AS (
  SELECT 1 AS step, 0 AS place, NULL AS name,
         format('ALTER DATABASE %%I CONNECTION LIMIT %%s', %(target)s, datconnlimit) AS statement
  FROM source WHERE datconnlimit <> -1
  UNION ALL
  SELECT 2, 0, NULL, format('COMMENT ON DATABASE %%I IS %%L', %(target)s, shobj_description(oid, 'pg_database'))
  FROM source WHERE shobj_description(oid, 'pg_database') IS NOT NULL
  UNION ALL
  SELECT 3, 0, NULL, format('REVOKE ALL ON DATABASE %%I FROM PUBLIC, %%I', %(target)s, owner)
  FROM source WHERE datacl IS NOT NULL
  UNION ALL
  SELECT 4, row_number() OVER (), NULL, format('GRANT %%s ON DATABASE %%I TO %%s%%s', a.privilege_type, %(target)s,
    CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
    CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
  FROM source CROSS JOIN LATERAL aclexplode(datacl) AS a
  UNION ALL
  SELECT 5, place, name, format('%%s SET %%s',
    CASE WHEN setrole = 0 THEN format('ALTER DATABASE %%I', %(target)s)
         ELSE format('ALTER ROLE %%I IN DATABASE %%I', rolname, %(target)s) END, {ASSIGNED})
  FROM settings
)
SELECT json_build_object(
  'create', (SELECT concat(statement, ' TABLESPACE ', quote_ident(tablespace)) FROM created),
  -- For another server, which does not have these tablespaces.
  'elsewhere', (SELECT statement FROM created),
  'replay', (SELECT coalesce(json_agg(statement ORDER BY step, place), '[]') FROM replayed),
  'bridge', (SELECT coalesce(json_agg(statement), '[]') FROM replayed
             WHERE lower(name) = lower(%(setting)s))
) AS database
"""


def read(cursor: Any, source: str, target: str, setting: str | None = None) -> dict[str, Any]:
    """Return the statements that give ``target`` the properties of ``source``.

    ``create`` creates the database on the same server. ``elsewhere`` creates it on another server, which does not have
    the tablespaces. ``replay`` lists the statements to run next, and ``bridge`` lists those that set ``setting``.
    Raises psycopg2.Error.
    """
    cursor.execute(QUERY, {"source": source, "target": target, "setting": setting})
    found: dict[str, Any] = cursor.fetchone()[0]
    return found
