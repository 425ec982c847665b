"""Order tables by their foreign keys: a table comes after the tables that it references."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def referenced_first(links: Mapping[str, Collection[str]], nullable: Collection[tuple[str, str]]) -> list[str]:
    """Return the tables so that each comes after the tables that it references.

    Tables whose order no foreign key determines keep their given order. ``links`` contains the tables that each table
    references, which may include the table itself. ``nullable`` contains the pairs of tables whose foreign key may be
    NULL. In a cycle, the table with the fewest NOT NULL foreign keys comes first.
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
    """Return those remaining tables that are part of a cycle, ordered by the number of NOT NULL foreign keys."""
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
