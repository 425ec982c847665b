"""A function contains a statement that the tenant column cannot restrict to one tenant."""

from __future__ import annotations

from ..rule import WARNING, Rule, Sql

RULE = Rule(
    severity=WARNING,
    why=(
        "The statement may affect more than one tenant. TRUNCATE, COPY and ALTER TABLE affect the whole table, a "
        "changed tenant setting persists after the call, and the catalogs do not show which tables dynamic SQL uses."
    ),
    remedy="Review this line: use DELETE and INSERT, let only the service change the setting, and avoid dynamic SQL.",
    sql=r"""
SELECT format('%s, line %s: %s', f.title, l.number, regexp_replace(m.found, '\s+', ' ', 'g'))
FROM routine f
CROSS JOIN given
JOIN pg_catalog.pg_language g ON g.oid = f.prolang AND g.lanname NOT IN ('c', 'internal')
CROSS JOIN LATERAL regexp_split_to_table(f.body, '\n') WITH ORDINALITY AS l (line, number)
CROSS JOIN LATERAL (
  SELECT (regexp_match(regexp_replace(l.line, '--.*|/\*.*?\*/', '', 'g'), format(
    '\m(truncate\s+(table\s+)?(only\s+)?(("[^"]+"|\w+)\.)?"?(%s)"?|copy\s+(("[^"]+"|\w+)\.)?"?(%1$s)"?'
    '|row\s+level\s+security|set_config\s*\(\s*''%2$s''|set\s+(local\s+|session\s+)?%2$s'
    '|execute\s+(?!function|procedure))',
    (SELECT string_agg(pattern, '|') FROM wanted), replace(given.setting, '.', '\.')), 'i'))[1]) AS m (found)
WHERE m.found IS NOT NULL
""",
    bad=Sql("""
CREATE FUNCTION empty_all() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  TRUNCATE public.memories;
END $$;
"""),
    good=Sql("""
CREATE OR REPLACE FUNCTION empty_all() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM public.memories WHERE customer_id = nullif(current_setting('app.current_tenant', true), '')::integer;
END $$;
"""),
    found="public.empty_all(), line 3: TRUNCATE public.memories",
)
