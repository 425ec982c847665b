"""Run all measurements, print the results, and write results.md with its plot."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import report
from changes import CUTOVER, ONLINE
from cluster import running
from databases import SIZES, seed
from hosts import hosts
from queries import VARIANTS, queries
from recall import recall
from runs import BY_HAND, backups, runs
from stalls import COLUMNS, stalls

HERE = Path(__file__).resolve().parent
RATIOS = ("enforced", "guide")
Results = list[dict[str, Any]]


def sections(rounds: int, sizes: list[int]) -> Iterator[str]:
    """Yield the sections of the results in the order of the measurements."""
    with running() as cluster:
        yield f"# Results\n\n`make bench`, medians of {rounds} rounds. Machine: {report.machine(cluster)}."
        felt = stalls(cluster, sizes, rounds)
        report.plot(felt, HERE / "stalls.svg")
        yield report.section(
            "What callers notice while the database changes\n\n![Worst stall of an INSERT](stalls.svg)",
            ["rows", "change", *COLUMNS.values(), "rounds"],
            [[item["rows"], item["change"], *(item[name] for name in COLUMNS), item["rounds"]] for item in felt],
        )
        costs = queries(cluster, seed(cluster, 100_000))
        yield report.section(
            "The service's queries (100,000 memories), ms",
            ["query", *VARIANTS, *(f"{variant} / no_rls" for variant in RATIOS)],
            [
                [item["query"], *item["times"].values(), *(_ratio(item, variant) for variant in RATIOS)]
                for item in costs
            ],
        )
        yield report.section(
            "Their plans",
            ["query", "before", *RATIOS],
            [[item["query"], *(item["plans"][variant] for variant in ("before", *RATIOS))] for item in costs],
        )
        yield report.section(
            "Approximate search for a small tenant with 1% of the rows",
            ["tenant", "settings", "recall at 10", "rows of 10", "ms"],
            [list(item.values()) for item in recall(cluster, "enforced")],
        )
    made = runs(rounds)
    yield report.section(
        "A run on a lab host (5,755 memories)",
        ["run", "downtime, s", "wall time, s", "tasks"],
        [[item["run"], item.get("downtime", "-"), item["seconds"], item["tasks"]] for item in made],
    )
    yield report.section("Backup", ["way", "seconds"], [list(item.values()) for item in backups(rounds)])
    fleet = hosts()
    yield report.section("One run on several hosts", ["hosts", "wall time, s"], [[*item.values()] for item in fleet])
    yield report.section("Goals", ["what", "goal", "measured"], goals(felt, costs, made, fleet))


def _ratio(item: dict[str, Any], variant: str) -> float:
    return float(item["times"][variant] / item["times"]["no_rls"])


def _enforced(item: dict[str, Any]) -> float:
    return _ratio(item, "enforced")


def goals(felt: Results, costs: Results, made: Results, fleet: Results) -> list[list[Any]]:
    """Return the goals with the measured values."""
    stall = {item["rows"]: item["write"] for item in felt if item["change"] == ONLINE}
    # The stop and the start take the same time at any size. Only the duration of the transaction between them grows.
    cutover = {item["rows"]: item["locked"] for item in felt if item["change"] == CUTOVER}
    run = {item["run"]: item for item in made}
    first, second, *_ = sizes = sorted(stall)
    return [
        ["worst write stall of online, ms", "<= 50", max(stall.values())],
        [f"the same at {sizes[-1]:,} rows / at {second:,}", "<= 2", stall[sizes[-1]] / stall[second]],
        [f"cutover of online at {sizes[-1]:,} rows / at {first:,}", "<= 1.5", cutover[sizes[-1]] / cutover[first]],
        ["downtime of atomic / of the shell script", "<= 1.5", run["atomic"]["downtime"] / run[BY_HAND]["downtime"]],
        ["the query that row security slows most, with / without", "<= 1.05", max(map(_enforced, costs))],
        ["a second run, s", "<= 12", run["second run"]["seconds"]],
        ["--check, s", "<= 12", run["--check"]["seconds"]],
        ["a whole run, s", "<= 40", run["atomic"]["seconds"]],
        [f"{fleet[-1]['hosts']} hosts / one", "<= 3", fleet[-1]["seconds"] / fleet[0]["seconds"]],
    ]


def main() -> None:
    """Read the arguments, and write the results after each section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds of each measurement")
    parser.add_argument(
        "--sizes", type=int, nargs="+", choices=list(SIZES), default=list(SIZES), help="rows of memories, two or more"
    )
    given = parser.parse_args()
    parts = []
    for part in sections(given.rounds, given.sizes):
        sys.stdout.write(f"{part}\n\n")
        sys.stdout.flush()
        parts.append(part)
        (HERE / "results.md").write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
