"""A sample AI-Memory service, as faulty as the real one: SQL errors are answered with HTTP 200 or with nothing."""

from __future__ import annotations

import json
import logging
import os
from typing import Any

import psycopg2
import psycopg2.extras
from fastapi import FastAPI, Request

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
log = logging.getLogger("ai-memory")
TENANT_AWARE = os.environ.get("AI_MEMORY_RELEASE", "legacy") == "tenant_aware"

app = FastAPI()


class Database:
    """One autocommit connection, opened again when it broke."""

    def __init__(self) -> None:
        """Connect at the first statement, not before."""
        self._connection: Any = None

    def run(self, sql: str, values: tuple[Any, ...] = (), tenant: int | None = None) -> list[dict[str, Any]]:
        """Run one statement; the tenant-aware release names the tenant first."""
        if self._connection is None or self._connection.closed:
            url = os.environ["DATABASE_URL"]
            self._connection = psycopg2.connect(url + ("&" if "?" in url else "?") + "sslmode=require")
            self._connection.autocommit = True
        try:
            with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                if TENANT_AWARE and tenant is not None:
                    cursor.execute("SELECT set_config('app.current_tenant', %s, false)", (str(tenant),))
                cursor.execute(sql, values)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        except psycopg2.OperationalError:
            self._connection = None
            raise


database = Database()


@app.on_event("startup")
def delete_expired_memories() -> None:
    """Delete what outlived its ttl_days; an error is logged and swallowed."""
    log.error("language model connection refused: embeddings are computed later")
    try:
        gone = database.run(
            "DELETE FROM memories WHERE ttl_days IS NOT NULL"
            " AND created_at + ttl_days * interval '1 day' < now() RETURNING id",
            tenant=1,
        )
        log.info("deleted %s expired memories", len(gone))
    except Exception:
        log.exception("deleting expired memories failed")


def _answer(work: Any) -> dict[str, Any]:
    try:
        return {"success": True, **work()}
    except Exception as error:
        log.exception("request failed")
        return {"success": False, "error": str(error)}


def _touch_profile(user_id: str, tenant: int) -> None:
    found = database.run("SELECT id FROM caller_profiles WHERE user_id = %s", (user_id,), tenant)
    if found:
        database.run(
            "UPDATE caller_profiles SET total_calls = total_calls + 1, last_call_date = now(), updated_at = now()"
            " WHERE user_id = %s",
            (user_id,), tenant,
        )  # fmt: skip
    else:
        # Even the tenant-aware release does not name customer_id here.
        database.run("INSERT INTO caller_profiles (user_id) VALUES (%s)", (user_id,), tenant)


@app.get("/health")
def health() -> dict[str, Any]:
    """Say whether the database answers."""
    database.run("SELECT 1 AS one")
    return {"status": "healthy", "release": "tenant_aware" if TENANT_AWARE else "legacy"}


@app.post("/memory/store")
async def store(request: Request) -> dict[str, Any]:
    """Store one memory and touch the caller's profile."""
    body = await request.json()
    tenant = int(body.get("customer_id", 1))

    def work() -> dict[str, Any]:
        values = (
            body.get("type", "fact"), body.get("k", "note"), json.dumps({"text": body["content"]}), "api",
            body["user_id"],
        )  # fmt: skip
        columns, marks = "type, k, value_json, source, user_id", "%s, %s, %s, %s, %s"
        if TENANT_AWARE:
            columns, marks, values = f"customer_id, {columns}", f"%s, {marks}", (tenant, *values)
        rows = database.run(f"INSERT INTO memories ({columns}) VALUES ({marks}) RETURNING id", values, tenant)
        _touch_profile(body["user_id"], tenant)
        return {"id": str(rows[0]["id"])}

    return _answer(work)


@app.post("/memory/retrieve")
async def retrieve(request: Request) -> dict[str, Any]:
    """Return the caller's newest memories; an SQL error looks like a caller without any."""
    body = await request.json()
    try:
        rows = database.run(
            "SELECT id, type, k, value_json, created_at FROM memories WHERE user_id = %s"
            " ORDER BY created_at DESC LIMIT %s",
            (body["user_id"], int(body.get("limit", 10))), int(body.get("customer_id", 1)),
        )  # fmt: skip
    except Exception:
        log.exception("retrieving memories failed")
        rows = []
    memories = [
        {"id": str(row["id"]), "type": row["type"], "k": row["k"], "content": row["value_json"].get("text")}
        for row in rows
    ]
    return {"success": True, "memories": memories}


@app.post("/call/summary")
async def call_summary(request: Request) -> dict[str, Any]:
    """Store the summary of one call."""
    body = await request.json()
    tenant = int(body.get("customer_id", 1))

    def work() -> dict[str, Any]:
        _touch_profile(body["user_id"], tenant)
        rows = database.run(
            "INSERT INTO call_summaries (call_id, user_id, summary) VALUES (%s, %s, %s) RETURNING id",
            (body["call_id"], body["user_id"], body["summary"]), tenant,
        )  # fmt: skip
        return {"id": str(rows[0]["id"])}

    return _answer(work)


@app.post("/personality/record")
async def record_personality(request: Request) -> dict[str, Any]:
    """Store the personality scores of one call; the trigger updates the caller's averages."""
    body = await request.json()
    tenant = int(body.get("customer_id", 1))

    def work() -> dict[str, Any]:
        database.run(
            "INSERT INTO personality_metrics (user_id, call_id, openness, frustration_level, satisfaction_level,"
            " urgency_level) VALUES (%s, %s, %s, %s, %s, %s)",
            (body["user_id"], body["call_id"], *(body.get(name, 50) for name in
             ("openness", "frustration_level", "satisfaction_level", "urgency_level"))), tenant,
        )  # fmt: skip
        rows = database.run(
            "SELECT call_count FROM personality_averages WHERE user_id = %s", (body["user_id"],), tenant
        )
        return {"call_count": rows[0]["call_count"]}

    return _answer(work)
