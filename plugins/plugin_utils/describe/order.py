"""The order of tables: a table comes after the tables to which it points."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def referenced_first(links: Mapping[str, Collection[str]], nullable: Collection[tuple[str, str]]) -> list[str]:
    """Return the tables in the order of their foreign keys, and otherwise in their given order.

    ``links`` holds the tables that each table references, perhaps itself. In a circle the table with the fewest foreign
    keys outside of ``nullable`` comes first: its row can be stored before the others.
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
    """Return the tables of circles. The one with the fewest NOT NULL foreign keys comes first."""
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
