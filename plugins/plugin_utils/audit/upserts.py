"""The SQL that finds statements with INSERT … ON CONFLICT (columns) for a key that the plan replaces.

After the replacement, no key matches these columns. ON CONFLICT ON CONSTRAINT still works, because the key keeps its
name. ON CONFLICT with the tenant column in the list also works.
"""

from __future__ import annotations

# A pattern that matches a column's name, but not as a part of a longer name.
_NAME = r"""'(^|[^\w$])' || regexp_replace(a.attname, '([][!$()*+.:<=>?\\^{|}-])', '\\\1', 'g') || '($|[^\w$])'"""


def condition(text: str, title: str, key: str, column: str) -> str:
    r"""Return an SQL condition: ``text`` uses ON CONFLICT with the columns of a key that lacks the tenant column.

    All arguments are SQL expressions. ``title`` is a pattern that matches the table's name. ``key`` is a row with the
    fields relid and columns (a text array) of a natural key. ``column`` is the tenant column.
    """
    names = "SELECT array_agg(a.attname::text ORDER BY a.attname::text) FROM pg_catalog.pg_attribute a"
    of_table = f"a.attrelid = {key}.relid AND a.attnum > 0 AND NOT a.attisdropped"
    return rf"""
{text} ~* ('\minto\s+' || {title} || '(\s|\(|$)')
AND EXISTS (
  SELECT FROM regexp_matches({text}, 'on\s+?conflict\s*?\((.*?)\)\s*?(?:\mdo|\mwhere)\M', 'gi') AS t (found)
  WHERE ({names} WHERE {of_table} AND t.found[1] ~* ({_NAME}))
    = (SELECT array_agg(c ORDER BY c) FROM unnest({key}.columns) AS c))
AND EXISTS (
  SELECT FROM pg_catalog.pg_index i
  WHERE i.indrelid = {key}.relid AND i.indisunique
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
                    WHERE {of_table} AND a.attname = {column} AND a.attnum = ANY (i.indkey))
    AND (i.indexprs IS NOT NULL
      OR ({names} WHERE {of_table} AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
        = (SELECT array_agg(c ORDER BY c) FROM unnest({key}.columns) AS c)))
"""
