"""The order of tables, in which a table comes after the tables that it references."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def referenced_first(links: Mapping[str, Collection[str]], nullable: Collection[tuple[str, str]]) -> list[str]:
    """Return the tables in the order of their foreign keys. Tables without such an order keep the given one.

    ``links`` contains the tables that each table references, which may include the table itself. In a cycle, the table
    with the fewest foreign keys outside ``nullable`` comes first, because its row can be stored before the others.
    """
    left = {title: set(others) - {title} for title, others in links.items()}
    found: list[str] = []
    while left:
        ready = [title for title, others in left.items() if not others & left.keys()]
        if not ready:
            ready = _least_bound(left, nullable)[:1]
        for title in ready:
            del left[title]
        found += ready
    return found


def _least_bound(left: Mapping[str, set[str]], nullable: Collection[tuple[str, str]]) -> list[str]:
    """Return the remaining tables, which are in cycles, ordered by the number of NOT NULL foreign keys."""
    waiting = {title: others & left.keys() for title, others in left.items()}
    circular = [title for title in left if title in _reached(title, waiting)]
    return sorted(circular, key=lambda title: sum((title, other) not in nullable for other in waiting[title]))


def _reached(start: str, links: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    left = [start]
    while left:
        for other in links[left.pop()]:
            if other not in found:
                found.add(other)
                left.append(other)
    return found
