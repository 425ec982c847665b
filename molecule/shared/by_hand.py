"""Manual changes to AI-Memory's database: the variants of their parts, and the changes made in production."""

from __future__ import annotations

import dataclasses

from ansible_collections.aimemory.tenancy.plugins.module_utils.quoting import dollar_quoted
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from lab import OWNER, TABLES
from production import production_source

MODEL = model.parse(production_source())

COLUMNS = {
    "none": [],
    "nullable": [
        f"ALTER TABLE {table} ADD COLUMN customer_id integer" for table in TABLES
    ] + [f"UPDATE {table} SET customer_id = 1 WHERE user_id = '+1'" for table in TABLES],
    "nullable DEFAULT 1": [f"ALTER TABLE {table} ADD COLUMN customer_id integer DEFAULT 1" for table in TABLES],
    "NOT NULL": [
        f"ALTER TABLE {table} ADD COLUMN customer_id integer NOT NULL DEFAULT 1" for table in TABLES
    ] + [f"ALTER TABLE {table} ALTER COLUMN customer_id DROP DEFAULT" for table in TABLES],
}  # fmt: skip

HALF = [
    *(f"CREATE INDEX idx_{table}_customer_user ON {table} (customer_id, user_id)" for table in TABLES),
    "CREATE INDEX idx_call_summaries_customer_date ON call_summaries (customer_id, call_date DESC)",
    "CREATE INDEX idx_memories_customer ON memories (customer_id)",
    "ALTER TABLE caller_profiles DROP CONSTRAINT caller_profiles_user_id_key",
    "ALTER TABLE caller_profiles ADD CONSTRAINT caller_profiles_customer_user_key UNIQUE (customer_id, user_id)",
    "ALTER TABLE personality_averages DROP CONSTRAINT personality_averages_pkey",
    "UPDATE personality_averages SET customer_id = 1",
    "ALTER TABLE personality_averages ADD PRIMARY KEY (customer_id, user_id)",
]
KEYS = {
    "old": [],
    "half": HALF,
    "new": [
        *HALF,
        "ALTER TABLE call_summaries DROP CONSTRAINT call_summaries_call_id_key, ADD UNIQUE (customer_id, call_id)",
    ],
}


def isolated(predicate: str, tables: tuple[str, ...] = TABLES, role: str = "PUBLIC") -> list[str]:
    """Return the statements that enable row security, and create policies with this predicate and the usual names."""
    return [
        sql
        for table in tables
        for sql in (
            f"CREATE POLICY tenant_isolation_{table} ON {table} TO {role} USING ({predicate}) WITH CHECK ({predicate})",
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
        )
    ]


# The predicates of the two-phase variant after its first phase and after both phases, and of the one-phase variant.
TWO_PHASE = "customer_id = 1 OR customer_id = current_setting('app.current_tenant', true)::int"
BOTH_PHASES = "customer_id = current_setting('app.current_tenant', true)::int"
ONE_PHASE = "customer_id = current_setting('app.current_tenant')::int"
POLICIES = {
    "none": [],
    "ours": isolated(MODEL.predicate, role=OWNER),
    "first of two phases": isolated(TWO_PHASE),
    "both phases": isolated(BOTH_PHASES),
    "one phase": isolated(ONE_PHASE),
    "of some tables": isolated(TWO_PHASE, TABLES[:2]),
}


def replaced(function: model.Function) -> str:
    """Return the statement that creates the function with the model's body."""
    return (
        f"CREATE OR REPLACE FUNCTION {function.name}({function.arguments}) RETURNS {function.returns} "
        f"LANGUAGE plpgsql AS {dollar_quoted(function.body)}"
    )


FUNCTIONS = {
    "old": [],
    "half": [replaced(function) for function in MODEL.functions if function.returns == "trigger"],
    "ours": [replaced(function) for function in MODEL.functions],
}
BRIDGES = {"off": [], "on": ["ALTER ROLE {role} IN DATABASE {database} SET app.current_tenant = '01'"]}


@dataclasses.dataclass(frozen=True)
class Made:
    """A manual change. Each field names the variant of one part."""

    column: str
    keys: str
    functions: str
    policies: str
    bridge: str

    def sql(self, database: str) -> str:
        """Return the change as SQL for a superuser's session, in a realistic order."""
        by_owner = [
            *COLUMNS[self.column], *KEYS[self.keys], *FUNCTIONS[self.functions], *POLICIES[self.policies],
        ]  # fmt: skip
        bridge = [sql.format(role=OWNER, database=database) for sql in BRIDGES[self.bridge]]
        return "; ".join([f"SET ROLE {OWNER}", *by_owner, "RESET ROLE", *bridge])

    def __str__(self) -> str:
        """Return the names of the variants."""
        return ", ".join(f"{name} {value}" for name, value in dataclasses.asdict(self).items())


# The changes in production: the first phase of the two-phase variant, both phases, and the one-phase variant.
FIRST_HALF = Made("nullable DEFAULT 1", "half", "old", "first of two phases", "off")
KNOWN = (
    FIRST_HALF, Made("NOT NULL", "half", "old", "both phases", "off"),
    Made("NOT NULL", "half", "old", "one phase", "off"),
)  # fmt: skip
