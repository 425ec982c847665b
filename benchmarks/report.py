"""Format the results as tables for the terminal and results.md, and as plots."""

from __future__ import annotations

import math
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pygal
from pygal.style import Style

from callers import LIVE, Felt
from load import PATIENCE

HERE = Path(__file__).resolve().parent


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table in Markdown, with numbers rounded to three significant digits."""
    lines = [[text(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    )


def text(cell: Any) -> str:
    """Return a value as the text of a table cell."""
    if isinstance(cell, int):
        return f"{cell:,}"
    if not isinstance(cell, float):
        return str(cell)
    return f"{cell:,.0f}" if cell >= 100 else f"{cell:.3g}"


def commit() -> str:
    """Return the short hash of the commit, with "-dirty" if files other than the results differ from it."""
    shown = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", ":/", ":!*.svg", ":!results.md")
    return f"{shown}-dirty" if changed else shown


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=True).stdout.strip()


def machine(server: str) -> str:
    """Return a description of the machine, the versions and the commit. ``server`` is PostgreSQL's version."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), {memory:.0f} GiB of memory, Linux {platform.release()},"
        f" PostgreSQL {server}, ansible-core {version('ansible-core')}, Python {platform.python_version()}. Commit"
        f" {commit()}."
    )


def rows(document: str, title: str, columns: int) -> list[list[str]]:
    """Return the rows of the table in a section of results.md, as lists of cells.

    Rows with another number of columns are omitted.
    """
    _, _, section = document.partition(f"\n## {title}\n")
    lines = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells[2:] if len(row) == columns]


def merged(document: str, measured: Mapping[str, str]) -> str:
    """Return results.md (``document``) with the measured sections. They replace the sections with the same titles.

    Sections that were not measured remain.
    """
    parts = re.split(r"^## (.+)\n", document, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], (text.strip() for text in parts[2::2]), strict=True)) | dict(measured)
    return "\n\n".join([parts[0].strip(), *(f"## {title}\n\n{text}" for title, text in sections.items())]) + "\n"


def plot(stalls: Sequence[dict[str, Any]], path: Path) -> None:
    """Plot the worst stall of an INSERT during each change, by number of rows."""
    sizes = list(dict.fromkeys(item["rows"] for item in stalls))
    chart = pygal.Line(
        logarithmic=True, js=[], width=800, height=440, x_title="rows of memories", title="Worst stall of an INSERT, ms"
    )
    chart.x_labels = [f"{size:,}" for size in sizes]
    for change in dict.fromkeys(item["change"] for item in stalls):
        chart.add(change, [item["write"] for item in stalls if item["change"] == change])
    chart.render_to_file(str(path))


# Each point of the plot shows the worst latency in an interval of this number of seconds.
POINT = 0.5
COLORS = (
    "#8c564b", "#c49c94", "#d62728", "#ff9896", "#1f77b4", "#2ca02c", "#98df8a", "#9467bd", "#e377c2", "#bcbd22",
    "#17becf", "#7f7f7f",
)  # fmt: skip
# The phases that the plot shows. Earlier phases change nothing.
SHOWN = ("expand", "stop", "bridge", "renew", "apply", "start", "answer", "written")


def plot_latency(found: Sequence[Felt], path: Path) -> None:
    """Plot the latency of requests over time, for each kind of change under the load of the first cell.

    The time starts with the change. A failed request appears at the client's timeout. The phases are those of the run
    with the live strategy or, if it was not measured, of the last run that recorded phases.
    """
    chosen = [felt for felt in found if _load_of(felt) == _load_of(found[0])]
    limit = PATIENCE * 1000
    chart = pygal.XY(
        js=[], width=1000, height=520, show_dots=False, x_title="seconds since the change began", legend_box_size=10,
        title=f"Worst latency, ms: {found[0].cell.load}", range=(0, math.log10(limit)),
        style=Style(colors=COLORS),
    )  # fmt: skip
    # pygal applies a logarithmic scale to both axes, but the seconds need a linear one.
    chart.y_labels = [{"value": power, "label": f"{10**power:,}"} for power in range(int(math.log10(limit)) + 1)]
    for felt in chosen:
        chart.add(felt.cell.way, [(at, math.log10(latency)) for at, latency in _points(felt)])
        failed = [(request["due"] - felt.began, math.log10(limit)) for request in felt.requests if request["failed"]]
        if failed:
            chart.add(f"{felt.cell.way}: failed", failed, stroke=False, show_dots=True, dots_size=2.5)
    with_phases = [felt for felt in chosen if felt.phases]
    live = [felt for felt in with_phases if felt.cell.way == LIVE] or with_phases
    for name, at in live[-1].phases if live else ():
        if name in SHOWN:
            place = at - live[-1].began
            chart.add(f"{live[-1].cell.way}: {name}", [(place, 0), (place, math.log10(limit))])
    chart.render_to_file(str(path))


def _load_of(felt: Felt) -> tuple[int, int, int]:
    return felt.cell.rows, felt.cell.workers, felt.cell.rate


def _points(felt: Felt) -> list[tuple[float, float]]:
    """Return the worst latency of successful requests in each interval of POINT seconds."""
    worst: dict[int, float] = {}
    for request in felt.requests:
        if not request["failed"]:
            part = int((request["due"] - felt.began) // POINT)
            worst[part] = max(worst.get(part, 1.0), request["latency_ms"])
    return [(part * POINT, latency) for part, latency in sorted(worst.items())]
