"""Create databases with the original schema, in several sizes."""

from __future__ import annotations

from pathlib import Path

from cluster import Cluster

HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent / "lab/database/schema.sql"
# The dimensions of an embedding, by number of rows in memories. Production has 768 dimensions. The large databases have
# only 3, because copies with 768 take hours.
SIZES = {5_755: 768, 100_000: 768, 1_000_000: 3, 10_000_000: 3}


def seed(cluster: Cluster, rows: int) -> str:
    """Create a database with ``rows`` memories and proportionate numbers of other rows. Return its name."""
    name = f"rows_{rows}"
    cluster.sql("postgres", f"CREATE DATABASE {name} OWNER alice")
    for extension in ("vector", '"uuid-ossp"'):
        cluster.sql(name, f"CREATE EXTENSION {extension}")
    cluster.script(name, "alice", SCHEMA, embedding=f"vector({SIZES[rows]})")
    cluster.script(name, "alice", HERE / "seed.sql", rows=rows, dimensions=SIZES[rows])
    cluster.sql(name, "VACUUM (ANALYZE)")
    return name
