"""What the experiment on interventions asks of a configuration."""

from __future__ import annotations

from typing import Any

from ...core.errors import UserError


def check(config: dict[str, Any], datasets: dict[str, dict[str, Any]]) -> None:
    """Refuse a study without a graph or without known effects."""
    own = config["interventions"]
    if not (own["graph"] and own["truth"]):
        raise UserError(
            "graph or truth is not given",
            where="interventions",
            remedy="give both files, or leave interventions out of experiments",
        )
