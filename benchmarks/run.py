"""Run the measurements, print the results, and write their sections and plots for results.md."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import report
from callers import BEFORE, HOST, RATES, WAYS, WORKERS, Cell, Felt, callers, cells
from callers import SIZES as CELL_SIZES
from changes import CUTOVER, EXPAND
from cluster import running
from databases import SIZES, seed
from hosts import hosts
from lab import Host
from queries import VARIANTS, queries
from recall import recall
from runs import BY_HAND, backups, runs
from stalls import COLUMNS, stalls

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.md"
RATIOS = ("enforced", "guide")
Results = list[dict[str, Any]]
# The title and the text of each section.
Sections = Iterator[tuple[str, str]]


def stall_sections(rounds: int, sizes: list[int], found: dict[str, Results]) -> Sections:
    """Yield the section about changes to a database under load, again after each measured size.

    This function stores the results in ``found``, under the name of the part.
    """
    felt = found["stalls"] = []
    with running() as cluster:
        made_by = f"Medians of {rounds} rounds. {_machine(cluster.sql('postgres', 'SHOW server_version'))}"
        for of_size in stalls(cluster, sizes, rounds):
            felt += of_size
            report.plot(felt, HERE / "stalls.svg")
            yield (
                "What callers notice while the database changes",
                f"{made_by}\n\n![Worst stall of an INSERT](stalls.svg)\n\n"
                + report.table(
                    ["rows", "change", *COLUMNS.values(), "rounds"],
                    [
                        [item["rows"], item["change"], *(item[name] for name in COLUMNS), item["rounds"]]
                        for item in felt
                    ],
                ),
            )


def query_sections(rounds: int, sizes: list[int], found: dict[str, Results]) -> Sections:
    """Yield the sections about the service's queries, their plans and the search for the nearest memories."""
    with running() as cluster:
        made_by = _machine(cluster.sql("postgres", "SHOW server_version"))
        costs = found["queries"] = queries(cluster, seed(cluster, 100_000))
        yield (
            "The service's queries (100,000 memories), ms",
            f"{made_by}\n\n"
            + report.table(
                ["query", *VARIANTS, *(f"{variant} / no_rls" for variant in RATIOS)],
                [
                    [item["query"], *item["times"].values(), *(_ratio(item, variant) for variant in RATIOS)]
                    for item in costs
                ],
            ),
        )
        yield (
            "Their plans",
            report.table(
                ["query", "before", *RATIOS],
                [[item["query"], *(item["plans"][variant] for variant in ("before", *RATIOS))] for item in costs],
            ),
        )
        yield (
            "Approximate search for a small tenant with 1% of the rows",
            report.table(
                ["tenant", "settings", "recall at 10", "rows of 10", "ms"],
                [list(item.values()) for item in recall(cluster, "enforced")],
            ),
        )


def run_sections(rounds: int, sizes: list[int], found: dict[str, Results]) -> Sections:
    """Yield the sections about whole runs and backups on a lab host."""
    made = found["runs"] = runs(rounds)
    yield (
        "A run on a lab host (5,755 memories)",
        f"Medians of {rounds} rounds. {_machine_of_host()}\n\n"
        + report.table(
            ["run", "downtime, s", "wall time, s", "tasks"],
            [[item["run"], item.get("downtime", "-"), item["seconds"], item["tasks"]] for item in made],
        ),
    )
    yield "Backup", report.table(["way", "seconds"], [list(item.values()) for item in backups(rounds)])


def host_sections(rounds: int, sizes: list[int], found: dict[str, Results]) -> Sections:
    """Yield the section about runs on several hosts."""
    fleet = found["hosts"] = hosts()
    yield (
        "One run on several hosts",
        f"{_machine_of_host()}\n\n" + report.table(["hosts", "wall time, s"], [[*item.values()] for item in fleet]),
    )


def goal_sections(rounds: int, sizes: list[int], found: dict[str, Results]) -> Sections:
    """Yield the section that compares the results of the parts in PARTS with their goals."""
    yield (
        "Goals",
        report.table(
            ["what", "goal", "measured"],
            goals(found["stalls"], found["queries"], found["runs"], found["hosts"]),
        ),
    )


# The parts, in the order of measurement. The goals follow if all parts are measured.
PARTS = {"stalls": stall_sections, "queries": query_sections, "runs": run_sections, "hosts": host_sections}
LOAD = "load"


def _machine_of_host() -> str:
    with contextlib.closing(Host(HOST)) as host:
        return _machine(host.sql("SHOW server_version", database="postgres"))


def _machine(found: list[Any]) -> str:
    ((server,),) = found
    return f"Machine: {report.machine(server)}"


def loaded_sections(selected: list[Cell]) -> Sections:
    """Yield the section about the service under load, again after each measured cell.

    Cells that are not measured keep the rows of earlier measurements.
    """
    title, heads = "What callers of the service notice during a migration", [*KEY, *FELT]
    made_by, commit = _machine_of_host(), report.commit()
    known = {tuple(row[: len(KEY)]): row for row in report.rows(RESULTS.read_text(), title, len(heads))}
    measured = []
    for felt in callers(selected):
        # A refused run changed nothing, so the plot omits it.
        if not felt.refused:
            measured.append(felt)
            report.plot_latency(measured, HERE / "latency.svg")
        known[_key(felt.cell)] = [*_key(felt.cell), *map(report.text, [*_numbers(felt), commit])]
        found = [known[key] for key in map(_key, ALL_CELLS) if key in known]
        yield (
            title,
            f"One round of {len(found)} of {len(ALL_CELLS)} cells. {made_by} A request fails if it is not answered "
            f"correctly within 10 s. The latencies are those of correct answers. *Without* is the same load in the "
            f"{BEFORE} s before the change. With 1,000,000 rows, embeddings have 3 dimensions instead of 768. "
            "There is an index of memories on user_id and created_at, without which the service cannot carry the load. "
            "A run is *refused* if the service does not work under its load: the run ended before it changed anything."
            "\n\n![Latency over time](latency.svg)\n\n" + report.table(heads, found),
        )


KEY = ("rows", "workers", "requests/s", "way")
FELT = (
    "change, s", "sent", "failed", "wrong", "p99, ms", "worst, ms", "longest gap, ms", "lock, ms",
    "without: failed", "without: p99, ms", "without: worst, ms", "commit",
)  # fmt: skip
ALL_CELLS = cells(CELL_SIZES, WORKERS, RATES, list(WAYS))


def _key(cell: Cell) -> tuple[str, ...]:
    return tuple(map(report.text, vars(cell).values()))


def _numbers(felt: Felt) -> list[Any]:
    """Return the values of the columns in FELT, except the commit. For a refused run, the change has no values."""
    during, before = felt.during, felt.before
    gap = during["longest_gap_s"]
    of_change = [
        felt.ended - felt.began, during["sent"], during["failed"], during["wrong"], _cell(during["p99_ms"]),
        _cell(during["worst_ms"]), _cell(gap and gap * 1000), _cell(felt.locked and felt.locked * 1000),
    ]  # fmt: skip
    if felt.refused:
        of_change = [f"refused: {felt.refused}", *("-" for _ in of_change[1:])]
    return [*of_change, before["failed"] + before["wrong"], _cell(before["p99_ms"]), _cell(before["worst_ms"])]


def _cell(value: float | None) -> float | str:
    return "-" if value is None else value


def _ratio(item: dict[str, Any], variant: str) -> float:
    return float(item["times"][variant] / item["times"]["no_rls"])


def _enforced(item: dict[str, Any]) -> float:
    return _ratio(item, "enforced")


def goals(felt: Results, costs: Results, made: Results, fleet: Results) -> list[list[Any]]:
    """Return a row for each goal, with the measured value."""
    stall = {item["rows"]: item["write"] for item in felt if item["change"] == EXPAND}
    lock = {item["rows"]: item["locked"] for item in felt if item["change"] == CUTOVER}
    run = {item["run"]: item for item in made}
    first, second, *_ = sizes = sorted(stall)
    return [
        ["worst write stall of live before its transaction, ms", "<= 50", max(stall.values())],
        [f"the same at {sizes[-1]:,} rows / at {second:,}", "<= 2", stall[sizes[-1]] / stall[second]],
        ["longest lock of live, ms", "<= 100", max(lock.values())],
        [f"the same at {sizes[-1]:,} rows / at {first:,}", "<= 1.5", lock[sizes[-1]] / lock[first]],
        ["downtime of atomic / of the shell script", "<= 1.5", run["atomic"]["downtime"] / run[BY_HAND]["downtime"]],
        ["the query that row security slows most, with / without", "<= 1.05", max(map(_enforced, costs))],
        ["a second run, s", "<= 12", run["second run"]["seconds"]],
        ["--check, s", "<= 12", run["--check"]["seconds"]],
        ["a whole run, s", "<= 40", run["atomic"]["seconds"]],
        [f"{fleet[-1]['hosts']} hosts / one", "<= 3", fleet[-1]["seconds"] / fleet[0]["seconds"]],
    ]


def main() -> None:
    """Measure the parts that the arguments select, and write the results after each section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds of each measurement")
    parser.add_argument(
        "--sizes", type=int, nargs="+", choices=list(SIZES), default=list(SIZES), help="rows of memories, two or more"
    )
    parts = [*PARTS, LOAD]
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="the parts to measure; all by default")
    for name, values in (("rows", CELL_SIZES), ("workers", WORKERS), ("rates", RATES), ("ways", list(WAYS))):
        parser.add_argument(
            f"--{name}",
            type=type(values[0]),
            nargs="+",
            choices=values,
            default=list(values),
            help=f"{name} of the load",
        )
    given = parser.parse_args()
    found: dict[str, Results] = {}
    made = [PARTS[part](given.rounds, given.sizes, found) for part in PARTS if part in given.only]
    if set(PARTS) <= set(given.only):
        made.append(goal_sections(given.rounds, given.sizes, found))
    if LOAD in given.only:
        made.append(loaded_sections(cells(given.rows, given.workers, given.rates, given.ways)))
    for title, text in itertools.chain(*made):
        sys.stdout.write(f"## {title}\n\n{text}\n\n")
        sys.stdout.flush()
        RESULTS.write_text(report.merged(RESULTS.read_text(), {title: text}))


if __name__ == "__main__":
    main()
