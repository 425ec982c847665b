"""A function writes to a tenant table but does not use the tenant column."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql, named_functions

RULE = Rule(
    severity=ERROR,
    why="The function can change the rows of another tenant.",
    remedy="Add the function to tenancy_functions, or change its statements to use the tenant column.",
    sql=r"""
SELECT f.title FROM routine f, given
-- A column name in a comment does not count as a use of the column.
WHERE regexp_replace(f.body, '--[^\n]*|/\*.*?\*/', '', 'g')
  !~* format('(\m|")%s(\M|")', given.column_pattern) AND EXISTS (
  SELECT FROM wanted w
  WHERE f.body ~* format(
    '\m(insert\s+into|update|delete\s+from|merge\s+into)\s+(only\s+)?(("[^"]+"|\w+)\s*\.\s*)?"?%s(\M|")', w.pattern))
""",
    fixed_by_plan=named_functions,
    bad=Sql("""
CREATE FUNCTION forget(caller text) RETURNS void LANGUAGE sql
  AS 'DELETE FROM ONLY public.memories WHERE user_id = caller';
"""),
    good=Sql("""
CREATE OR REPLACE FUNCTION forget(caller text) RETURNS void LANGUAGE sql
  AS 'DELETE FROM ONLY public.memories WHERE user_id = caller
      AND customer_id = current_setting(''app.current_tenant'')::integer';
"""),
    found="public.forget(text)",
)
