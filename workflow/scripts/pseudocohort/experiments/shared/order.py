"""The order of generators in figures and tables; apart from the figures' style, for tables that draw nothing."""

from __future__ import annotations

from ...generators.base.registry import generators


def order_of(names: list[str]) -> list[str]:
    """Real first, then controls, then trained generators, each in a fixed order."""
    controls = [name for name, kind in generators().items() if kind.control]
    rank = {name: i for i, name in enumerate(("real", *controls))}
    return sorted(dict.fromkeys(names), key=lambda g: (rank.get(g, len(rank)), g))
