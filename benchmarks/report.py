"""Format the results as tables for the terminal and results.md, and as a plot."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pygal

from cluster import Cluster

HERE = Path(__file__).resolve().parent


def section(title: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a heading and a table in Markdown, with numbers rounded to three significant digits."""
    lines = [[_text(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return f"## {title}\n\n" + "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def _text(cell: Any) -> str:
    if isinstance(cell, int):
        return f"{cell:,}"
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:,.0f}" if cell >= 100 else f"{cell:.3g}"


def machine(cluster: Cluster) -> str:
    """Describe the machine and the versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    ((server,),) = cluster.sql("postgres", "SHOW server_version")
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB of memory, Linux {platform.release()},"
        f" PostgreSQL {server}, ansible-core {version('ansible-core')}, Python {platform.python_version()}"
    )


def plot(stalls: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot the worst write stall of each change against the number of rows."""
    sizes = list(dict.fromkeys(item["rows"] for item in stalls))
    chart = pygal.Line(
        logarithmic=True, js=[], width=800, height=440, x_title="rows of memories", title="Worst stall of an INSERT, ms"
    )
    chart.x_labels = [f"{size:,}" for size in sizes]
    for change in dict.fromkeys(item["change"] for item in stalls):
        chart.add(change, [item["write"] for item in stalls if item["change"] == change])
    chart.render_to_file(str(path))
