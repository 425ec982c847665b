"""A sample AI-Memory service in two releases. It has the faults of the real service, each marked FAULT.

AI_MEMORY_RELEASE is ``legacy`` or ``tenant_aware``. The service simulates a language model. LLM_SECONDS delays the
model's responses, and LLM_DOWN makes the model unavailable.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import hmac
import json
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg2
import psycopg2.extras
from fastapi import FastAPI, HTTPException, Request

logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
log = logging.getLogger("ai-memory")
TENANT_AWARE = os.environ.get("AI_MEMORY_RELEASE", "legacy") == "tenant_aware"
DIMENSIONS = int(os.environ.get("EMBEDDING_DIMENSIONS", "768"))
SCORES = (
    "openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism", "formality", "directness",
    "detail_orientation", "patience", "technical_comfort", "frustration_level", "satisfaction_level", "urgency_level",
)  # fmt: skip
PROFILE = "user_id, first_call_date, last_call_date, total_calls, preferred_name, preferences, context"
AVERAGES = "user_id, call_count, last_updated, avg_openness, recent_frustration, recent_satisfaction, recent_urgency"
SUMMARY = "id, call_id, call_date, summary, sentiment, resolution_status"
Row = dict[str, Any]
app = FastAPI()


class Database:
    """FAULT: all requests to a worker share one connection, so a request inherits the tenant of the previous one."""

    def __init__(self) -> None:
        """Prepare the object; the first statement opens the connection."""
        self._connection: Any = None

    def run(self, sql: str, values: tuple[Any, ...] = (), tenant: int | None = None) -> list[Row]:
        """Run one statement and return its rows; the tenant-aware release first sets the tenant, if it is given."""
        if self._connection is None or self._connection.closed:
            url = os.environ["DATABASE_URL"]
            self._connection = psycopg2.connect(url + ("&" if "?" in url else "?") + "sslmode=require")
            self._connection.autocommit = True
        try:
            with self._connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                if TENANT_AWARE and tenant is not None:
                    cursor.execute(f"SET app.current_tenant = '{tenant:d}'")
                cursor.execute(sql, values)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        except psycopg2.OperationalError:
            self._connection = None
            raise


database = Database()


async def embedding(text: str) -> list[float]:
    """Return the language model's embedding of a text, which is always the same for the same text."""
    await asyncio.sleep(float(os.environ.get("LLM_SECONDS", "0")))
    if os.environ.get("LLM_DOWN"):
        raise ConnectionError("the language model refused the connection")
    numbers = random.Random(hashlib.sha256(text.encode()).digest())
    return [numbers.random() for _ in range(DIMENSIONS)]


def _tenant(request: Request) -> int:
    """Return the tenant in a request's token; the older release needs no token and has only tenant 1."""
    if not TENANT_AWARE:
        return 1
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise HTTPException(403, "Not authenticated")
    try:
        tenant = int(_claims(token)["customer_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise HTTPException(401, "Could not validate credentials") from error
    log.info("JWT validated: customer_id=%s", tenant)
    return tenant


def _claims(token: str) -> Row:
    """Return the claims of a token (RFC 7519, HS256); raise ValueError if it has expired or has a wrong signature."""
    signed, _, signature = token.rpartition(".")
    head, _, body = signed.partition(".")
    wanted = hmac.new(os.environ["JWT_SECRET_KEY"].encode(), signed.encode(), hashlib.sha256).digest()
    if json.loads(_decoded(head))["alg"] != "HS256" or not hmac.compare_digest(_decoded(signature), wanted):
        raise ValueError("not signed with our secret")
    claims: Row = json.loads(_decoded(body))
    if claims.get("exp", 0) < time.time():
        raise ValueError("expired")
    return claims


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def answered(endpoint: Callable[..., Awaitable[Row]]) -> Callable[..., Awaitable[Row]]:
    """Wrap an endpoint to report success or an error. FAULT: the response to an error has HTTP status 200."""

    @functools.wraps(endpoint)
    async def call(*arguments: Any, **named: Any) -> Row:
        try:
            return {"success": True, **await endpoint(*arguments, **named)}
        except HTTPException:
            raise
        except Exception as error:
            log.exception("request failed")
            return {"success": False, "error": str(error)}

    return call


# FAULT: some endpoints pass no tenant, and their rows are stored for tenant 1.
async def _store(body: Row, user_id: str | None, customer_id: int = 1) -> Row:
    return {"id": _insert_memory(body, user_id, await embedding(body["content"]), customer_id)}


def _insert_memory(body: Row, user_id: str | None, vector: list[float], customer_id: int) -> str:
    row = {
        "type": body.get("type", "fact"), "k": body.get("k", "note"), "user_id": user_id,
        "value_json": json.dumps({"text": body["content"]}), "scope": "user" if user_id else "shared",
    }  # fmt: skip
    return _insert("memories", row, vector, customer_id)


def _insert_summary(body: Row, vector: list[float], customer_id: int = 1) -> str:
    row = {
        "call_id": body["call_id"], "user_id": body["user_id"], "summary": body["summary"],
        "key_topics": json.dumps(body.get("key_topics", [])), "key_variables": "{}",
        "sentiment": body.get("sentiment", "neutral"), "resolution_status": body.get("resolution_status", "resolved"),
        "duration_seconds": body.get("duration_seconds", 60), "call_date": "now",
    }  # fmt: skip
    return _insert("call_summaries", row, vector, customer_id)


def _insert_metrics(body: Row, customer_id: int = 1) -> str:
    row = {"user_id": body["user_id"], "call_id": body["call_id"], "measured_at": "now"}
    return _insert("personality_metrics", row | {name: body.get(name, 50) for name in SCORES}, None, customer_id)


def _insert(table: str, row: Row, vector: list[float] | None, customer_id: int) -> str:
    """Insert one row and return its id; only the tenant-aware release writes the tenant column."""
    if TENANT_AWARE:
        row = row | {"customer_id": customer_id}
    marks = ["%s"] * len(row) + (["%s::real[]"] if vector else [])
    columns = [*row, *(["embedding"] if vector else [])]
    sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(marks)}) RETURNING id"
    found = database.run(sql, (*row.values(), *([vector] if vector else [])), customer_id)
    log.info("Stored %s %s%s", table, found[0]["id"], f" [customer:{customer_id}]" if TENANT_AWARE else "")
    return str(found[0]["id"])


def _touch_profile(user_id: str, tenant: int) -> None:
    changed = database.run(
        "UPDATE caller_profiles SET total_calls = total_calls + 1, last_call_date = now(), updated_at = now()"
        " WHERE user_id = %s RETURNING id",
        (user_id,), tenant,
    )  # fmt: skip
    if not changed:
        # FAULT: neither release sets the tenant column here.
        database.run(
            "INSERT INTO caller_profiles (user_id, first_call_date, last_call_date, total_calls, preferences, context)"
            " VALUES (%s, now(), now(), 1, '{}', '{}')",
            (user_id,), tenant,
        )  # fmt: skip


def _read(sql: str, values: tuple[Any, ...], tenant: int | None = None) -> list[Row]:
    """Return the rows of a query. FAULT: an error is suppressed, so the caller appears to be unknown."""
    try:
        return database.run(sql, values, tenant)
    except Exception:
        log.exception("reading failed")
        return []


def _memories(where: str, values: tuple[Any, ...], limit: int, tenant: int | None = None) -> list[Row]:
    sql = f"SELECT id, type, k, value_json, created_at FROM memories WHERE {where} ORDER BY created_at DESC LIMIT %s"
    return [
        {"id": str(row["id"]), "type": row["type"], "k": row["k"], "content": row["value_json"].get("text")}
        for row in _read(sql, (*values, limit), tenant)
    ]


@app.on_event("startup")
def delete_expired_memories() -> None:
    """Delete expired memories. FAULT: the statement sets no tenant, and an error is only logged."""
    log.error("language model connection refused: embeddings are computed later")
    try:
        gone = database.run(
            "DELETE FROM memories WHERE ttl_days IS NOT NULL"
            " AND created_at + ttl_days * interval '1 day' < now() RETURNING id"
        )
        log.info("deleted %s expired memories", len(gone))
    except Exception:
        log.exception("deleting expired memories failed")


@app.get("/health")
async def health() -> Row:
    """Return the status. FAULT: it depends only on the language model, and the count of memories sets no tenant."""
    try:
        await embedding("health")
        status = "healthy"
    except Exception:
        status = "degraded"
    counted = _read("SELECT count(*) AS memories FROM memories", ())
    release = "tenant_aware" if TENANT_AWARE else "legacy"
    return {"status": status, "release": release, "memories": counted[0]["memories"] if counted else 0}


@app.post("/memory/store")
@answered
async def store(request: Request) -> Row:
    """Store one memory for the token's tenant and update the caller's profile."""
    tenant, body = _tenant(request), await request.json()
    stored = await _store(body, body["user_id"], tenant)
    _touch_profile(body["user_id"], tenant)
    return stored


@app.post("/memory/retrieve")
@answered
async def retrieve(request: Request) -> Row:
    """Return the caller's newest memories."""
    tenant, body = _tenant(request), await request.json()
    return {"memories": _memories("user_id = %s", (body["user_id"],), int(body.get("limit", 10)), tenant)}


@app.get("/v1/memories")
@answered
async def list_memories(request: Request, limit: int = 50) -> Row:
    """Return the newest memories of all callers."""
    return {"memories": _memories("true", (), limit, _tenant(request))}


@app.post("/v1/memories")
@answered
async def create_memory(request: Request) -> Row:
    """Store one memory for the token's tenant."""
    tenant, body = _tenant(request), await request.json()
    return await _store(body, body["user_id"], tenant)


@app.delete("/v1/memories")
@answered
async def delete_memories(user_id: str) -> Row:
    """Delete a caller's memories. FAULT: it needs no token and uses the tenant of the previous request."""
    return {"deleted": len(database.run("DELETE FROM memories WHERE user_id = %s RETURNING id", (user_id,)))}


@app.get("/v1/memories/user")
@answered
async def list_user_memories(request: Request, user_id: str, limit: int = 50) -> Row:
    """Return one caller's newest memories."""
    return {"memories": _memories("user_id = %s AND scope = 'user'", (user_id,), limit, _tenant(request))}


@app.post("/v1/memories/user")
@answered
async def create_user_memory(request: Request) -> Row:
    """Store one caller's memory. FAULT: it requires a token but ignores the token's tenant."""
    _tenant(request)
    body = await request.json()
    return await _store(body, body["user_id"])


@app.get("/v1/memories/shared")
@answered
async def list_shared_memories(limit: int = 50) -> Row:
    """Return the memories without a caller. FAULT: it needs no token and uses the tenant of the previous request."""
    return {"memories": _memories("user_id IS NULL AND scope = 'shared'", (), limit)}


@app.post("/v1/memories/shared")
@answered
async def create_shared_memory(request: Request) -> Row:
    """Store a memory without a caller. FAULT: it needs no token and always uses tenant 1."""
    return await _store(await request.json(), None)


@app.get("/v2/profile/{user_id}")
@answered
async def profile(request: Request, user_id: str) -> Row:
    """Return a caller's profile, which covers all calls."""
    rows = _read(f"SELECT {PROFILE} FROM caller_profiles WHERE user_id = %s", (user_id,), _tenant(request))
    return {"profile": rows[0] if rows else None}


@app.post("/v2/process-call")
@answered
async def process_call(request: Request) -> Row:
    """Store a call's summary and scores. FAULT: only the profile is stored under the token's tenant."""
    tenant, body = _tenant(request), await request.json()
    summary = _insert_summary(body, await embedding(body["summary"]))
    _insert_metrics(body)
    averages = _read("SELECT call_count FROM personality_averages WHERE user_id = %s", (body["user_id"],))
    _touch_profile(body["user_id"], tenant)
    return {"id": summary, "call_count": averages[0]["call_count"] if averages else 0}


@app.get("/v2/summaries/{user_id}")
@answered
async def summaries(user_id: str, limit: int = 20) -> Row:
    """Return a caller's summaries. FAULT: it needs no token and uses the tenant of the previous request."""
    sql = f"SELECT {SUMMARY} FROM call_summaries WHERE user_id = %s ORDER BY call_date DESC LIMIT %s"
    return {"summaries": _read(sql, (user_id, limit))}


@app.post("/v2/summaries/search")
@answered
async def search(request: Request) -> Row:
    """Return the summaries closest to a query. FAULT: it needs no token and uses the tenant of the previous request."""
    body = await request.json()
    vector = await embedding(body["query"])
    # Without pgvector, as on the lab's PostgreSQL 15, the order is arbitrary.
    known = _read("SELECT FROM pg_type WHERE typname = 'vector'", ())
    order = "embedding <-> %s::real[]::vector" if known else "cardinality(%s::real[])"
    sql = f"SELECT {SUMMARY} FROM call_summaries WHERE embedding IS NOT NULL ORDER BY {order} LIMIT %s"
    return {"summaries": _read(sql, (vector, int(body.get("limit", 5))))}


@app.get("/v2/personality/{user_id}")
@answered
async def personality(user_id: str) -> Row:
    """Return a caller's averages. FAULT: it needs no token and uses the tenant of the previous request."""
    rows = _read(f"SELECT {AVERAGES} FROM personality_averages WHERE user_id = %s", (user_id,))
    return {"personality": rows[0] if rows else None}


@app.post("/v2/context/enriched")
@answered
async def enriched_context(request: Request) -> Row:
    """Return the data about a caller that an agent receives before it responds."""
    tenant, body = _tenant(request), await request.json()
    memories = _memories("user_id = %s", (body["user_id"],), int(body.get("limit", 10)), tenant)
    callers = _read(f"SELECT {PROFILE} FROM caller_profiles WHERE user_id = %s", (body["user_id"],), tenant)
    return {"memories": memories, "profile": callers[0] if callers else None}
