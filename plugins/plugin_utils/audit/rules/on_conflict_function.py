"""A function uses INSERT … ON CONFLICT with the columns of a key to which the migration adds the tenant column."""

from __future__ import annotations

from .. import upserts
from ..rule import ERROR, Rule, Sql, named_functions

# An SQL expression: a pattern for the table's name in the body of a function.
TITLE = r"""format('(only\s+)?("?\w+"?\.)?"?%s"?', k.pattern)"""


RULE = Rule(
    severity=ERROR,
    why="After the migration, no unique key has exactly these columns, and the function fails (42P10).",
    remedy="Name the key in the function (ON CONFLICT ON CONSTRAINT), or add the function to tenancy_functions.",
    sql=f"""
SELECT DISTINCT f.title FROM routine f, natural_key k, given
WHERE {upserts.condition("f.body", TITLE, "k", "given.tenant_column").strip()}
""",
    fixed_by_plan=named_functions,
    # Restore the original key, without the tenant column.
    setup="""
ALTER TABLE caller_profiles DROP CONSTRAINT caller_profiles_user_id_key;
ALTER TABLE caller_profiles ADD CONSTRAINT caller_profiles_user_id_key UNIQUE (user_id);
""",
    bad=Sql("""
CREATE FUNCTION seen(caller text, tenant integer) RETURNS void LANGUAGE sql BEGIN ATOMIC
  INSERT INTO caller_profiles (customer_id, user_id, first_call_date, last_call_date)
  VALUES (tenant, caller, now(), now())
  ON CONFLICT (user_id) DO UPDATE SET last_call_date = now();
END;
"""),
    good=Sql("""
DROP FUNCTION seen(text, integer);
CREATE FUNCTION seen(caller text, tenant integer) RETURNS void LANGUAGE sql BEGIN ATOMIC
  INSERT INTO caller_profiles (customer_id, user_id, first_call_date, last_call_date)
  VALUES (tenant, caller, now(), now())
  ON CONFLICT ON CONSTRAINT caller_profiles_user_id_key DO UPDATE SET last_call_date = now();
END;
"""),
    found="public.seen(text,integer)",
)
