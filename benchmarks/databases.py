"""Create databases with the original schema, in the compared sizes."""

from __future__ import annotations

from pathlib import Path

from cluster import Cluster

HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent / "lab/database/schema.sql"
# The number of rows in memories, and the dimensions of an embedding. Production has 768 dimensions. With so many,
# copies of the large databases take hours.
SIZES = {5_755: 768, 100_000: 768, 1_000_000: 3, 10_000_000: 3}


def seed(cluster: Cluster, rows: int) -> str:
    """Create a database with ``rows`` memories, and with rows of the other tables in proportion. Return its name."""
    name = f"rows_{rows}"
    cluster.sql("postgres", f"CREATE DATABASE {name} OWNER alice")
    for extension in ("vector", '"uuid-ossp"'):
        cluster.sql(name, f"CREATE EXTENSION {extension}")
    cluster.script(name, "alice", SCHEMA, embedding=f"vector({SIZES[rows]})")
    cluster.script(name, "alice", HERE / "seed.sql", rows=rows, dimensions=SIZES[rows])
    cluster.sql(name, "VACUUM (ANALYZE)")
    return name
