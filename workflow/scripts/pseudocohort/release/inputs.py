"""What a release is made from: a pure function of the configuration, so that a mistake shows before anything runs."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ..core.errors import UserError
from ..experiments.fidelity.plan import FIRST as TRAINING_SET
from ..plan.training_sets import batches, generators_of

#: Columns of the dataset sheet that the card quotes; ``licence`` is one that users may add.
SHEET_COLUMNS = ("kind", "technology", "citation", "licence")


def synthetic_file(config: dict[str, Any]) -> str:
    """File (with the path variable ``<results>``) that holds the released profiles.

    Raises
    ------
    UserError
        If the study does not train the released generator, or has no training set of its own to release.
    """
    generator = config["release"]["generator"]
    if generator not in config["generators"]:
        raise UserError(
            f"generator {generator!r} is not among the study's generators",
            where="release.generator",
            remedy=f"add it to generators, or choose from: {', '.join(config['generators'])}",
        )
    for batch, sets in batches(config, "fidelity", generator).items():
        if TRAINING_SET in sets:
            return f"<results>/synthetic/fidelity/{generator}/{batch}.h5ad"
    raise UserError(
        "fidelity is not evaluated, and its synthetic profiles are the ones released",
        where="experiments",
        remedy="add fidelity to experiments",
    )


def not_audited(generator: str) -> UserError:
    """The error for a generator that no attack was run on."""
    return UserError(
        f"privacy was not evaluated for generator {generator!r}, so there is no evidence to release it on",
        where="release.generator",
        remedy="add privacy to experiments (and the generator to privacy.generators), or give the reason for a release "
        "without evidence in release.override; it is printed on the card",
    )


def privacy_files(config: dict[str, Any]) -> list[str]:
    """The privacy table (with the path variable ``<results>``); none if the study overrides its absence.

    Raises
    ------
    UserError
        If privacy is not evaluated for the released generator and no reason is given in ``release.override``.
    """
    generator = config["release"]["generator"]
    if "privacy" in config["experiments"]:
        if generator in generators_of(config, "privacy") or config["release"]["override"].strip():
            return ["<results>/tables/privacy.tsv"]
    elif config["release"]["override"].strip():
        return []
    raise not_audited(generator)


def shown_source(source: str, data_root: str = "") -> str:
    """A dataset's source as strangers may see it: no folder of this machine, no key of a download.

    Parameters
    ----------
    source : str
        Path, ``file://`` or http(s) address, as in the resolved dataset sheet.
    data_root : str
        What ``{data_root}`` was replaced with; it is put back.
    """
    if source.startswith(("http://", "https://")):
        parts = urlsplit(source)
        port = f":{parts.port}" if parts.port else ""
        return f"{parts.scheme}://{parts.hostname}{port}{parts.path}"
    path = PurePosixPath(source.removeprefix("file://"))
    if data_root and path.is_relative_to(data_root):
        return f"{{data_root}}/{path.relative_to(data_root)}"
    return path.name if path.is_absolute() or ".." in path.parts else str(path)


def sources(datasets: dict[str, dict[str, Any]], data_root: str = "") -> list[dict[str, str]]:
    """What the card says of each dataset: ``dataset``, ``source`` and those of :data:`SHEET_COLUMNS` that are given."""
    return [
        {"dataset": name, "source": shown_source(str(row["source"]), data_root)}
        | {c: str(row[c]) for c in SHEET_COLUMNS if row.get(c)}
        for name, row in datasets.items()
    ]
