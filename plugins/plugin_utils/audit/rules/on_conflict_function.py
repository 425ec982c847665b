"""A function names a key that is to hold the tenant column in INSERT … ON CONFLICT."""

from __future__ import annotations

from .. import upserts
from ..rule import ERROR, Rule, Sql, named_functions

# The table's name as a body writes it.
TITLE = r"""format('(only\s+)?("?\w+"?\.)?"?%s"?', k.pattern)"""


RULE = Rule(
    severity=ERROR,
    why="Once the key holds the tenant column, PostgreSQL finds no key of these columns: the function fails (42P10).",
    remedy="Name the key instead (ON CONFLICT ON CONSTRAINT), or name the function in tenancy_functions.",
    sql=f"""
SELECT DISTINCT f.title FROM routine f, natural_key k, given
WHERE {upserts.condition("f.body", TITLE, "k", "given.tenant_column").strip()}
""",
    fixed_by_plan=named_functions,
    # The key, as it is before the migration.
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
