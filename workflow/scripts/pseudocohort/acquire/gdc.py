"""A project's open-access STAR counts from the GDC: listed, downloaded file by file, assembled into one matrix.

A source is written ``gdc:TCGA-BRCA``; several projects as ``gdc:TCGA-COAD+TCGA-READ``, or by the name of one of
Firehose's unions (``gdc:COADREAD``). Sample types are chosen by their TCGA codes, ``gdc:TCGA-SKCM?samples=01,06``;
without them primary tumours (01) and solid normal tissue (11) are taken. Samples fixed in formalin (FFPE) and further
aliquots of a sample are left out, unless ``ffpe=keep`` and ``aliquots=all`` say otherwise
(``gdc:TCGA-COAD?samples=01&ffpe=keep``).
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import UserError
from ..core.io import read_json, write_json, write_table
from .checksums import file_digest
from .fetch import OFFLINE_VARIABLE, describe, is_offline, provenance_path
from .gdc_api import Client
from .gdc_counts import assemble, sample_table
from .gdc_entries import FIELDS, SAMPLE_TYPES, entry_of, select
from .gdc_files import download_files, is_finished

log = logging.getLogger(__name__)

PREFIX = "gdc:"
WORKFLOW = "STAR - Counts"
DATA_TYPE = "Gene Expression Quantification"
UNIONS = {
    "STES": ("TCGA-STAD", "TCGA-ESCA"),
    "COADREAD": ("TCGA-COAD", "TCGA-READ"),
    "KIPAN": ("TCGA-KICH", "TCGA-KIRC", "TCGA-KIRP"),
    "GBMLGG": ("TCGA-GBM", "TCGA-LGG"),
}
_PAGE = 500  # files per page of the listing
#: Counts up when what is taken from a listing changes, so that finished downloads are assembled anew.
_RULES = 2


@dataclass(frozen=True)
class Query:
    """What a source asks for: projects, codes of sample types, and what of a sample is kept."""

    projects: tuple[str, ...]
    sample_types: tuple[str, ...]
    keep_ffpe: bool = False
    all_aliquots: bool = False

    def filters(self, project: str) -> dict[str, Any]:
        """Filters of the listing of one project."""
        wanted = {
            "cases.project.project_id": [project],
            "data_type": [DATA_TYPE],
            "analysis.workflow_type": [WORKFLOW],
            "access": ["open"],
        }  # not the sample type: the GDC has deprecated the field, so it is read here, from the barcode if need be
        return {
            "op": "and",
            "content": [{"op": "in", "content": {"field": k, "value": v}} for k, v in wanted.items()],
        }


def is_gdc(source: str) -> bool:
    """Whether a source is of this kind."""
    return source.startswith(PREFIX)


def parse_source(source: str) -> Query:
    """The query that ``gdc:PROJECT[+PROJECT...][?samples=CODE,...]`` stands for; projects are taken once each.

    Raises
    ------
    UserError
        If it is not of that form, or a sample type is unknown.
    """
    match = re.fullmatch(
        r"gdc:([A-Za-z0-9_.-]+(?:\+[A-Za-z0-9_.-]+)*)(?:\?([a-z]+=[^&=]+(?:&[a-z]+=[^&=]+)*))?", source
    )
    asked = dict(pair.split("=") for pair in (match[2] or "").split("&") if pair) if match else {}
    allowed = {"samples": r"[0-9]{2}(,[0-9]{2})*", "ffpe": "keep|drop", "aliquots": "one|all"}
    if match is None or not all(k in allowed and re.fullmatch(allowed[k], v) for k, v in asked.items()):
        raise UserError(
            f"{source!r} is not of the form gdc:PROJECT+PROJECT?samples=CODE,CODE&ffpe=keep&aliquots=all",
            where="column 'source' of the dataset sheet",
            remedy="e.g. gdc:TCGA-BRCA, gdc:TCGA-COAD+TCGA-READ or gdc:TCGA-SKCM?samples=01,06; "
            "ffpe is keep or drop, aliquots one or all",
        )
    projects = [p for name in match[1].split("+") for p in UNIONS.get(name, (name,))]
    codes = asked.get("samples", "01,11").split(",")
    unknown = [code for code in codes if code not in SAMPLE_TYPES]
    if unknown:
        raise UserError(
            f"sample type {unknown[0]!r} is not known",
            where=source,
            remedy="one of: " + ", ".join(f"{code} ({name})" for code, name in SAMPLE_TYPES.items()),
        )
    return Query(
        tuple(dict.fromkeys(projects)),
        tuple(dict.fromkeys(codes)),
        keep_ffpe=asked.get("ffpe") == "keep",
        all_aliquots=asked.get("aliquots") == "all",
    )


def list_files(query: Query, client: Client, *, page: int = _PAGE) -> list[dict[str, Any]]:
    """Listed files of a query, each once, ordered by file id.

    Parameters
    ----------
    query : Query
        Projects and sample types.
    client : Client
        The GDC's API.
    page : int
        Files per page.

    Returns
    -------
    list of dict
        See :func:`.gdc_entries.entry_of`; ``left_out`` is empty, or says why the file is not taken.

    Raises
    ------
    UserError
        If a project has no such file, the listing is incomplete, or an entry lacks what is needed.
    """
    wanted = [f"{code} ({SAMPLE_TYPES[code]})" for code in query.sample_types]
    found: dict[str, dict[str, Any]] = {}
    for project in query.projects:
        seen: set[str] = set()
        total, start = 1, 0
        entries: list[dict[str, Any]] = []
        while start < total:
            answer = client.json(
                "files",
                {
                    "filters": query.filters(project), "fields": ",".join(FIELDS), "format": "JSON",
                    "sort": "file_id:asc", "size": page, "from": start,
                },
            )  # fmt: skip
            hits, total = _page(answer, f"{client.api}/files, project {project}")
            if not hits and start < total:
                break
            start += len(hits)
            for hit in hits:
                seen.add(str(hit.get("file_id")))
                if hit.get("access") != "open":
                    log.warning("file %s is not open access and is left out", hit.get("file_id"))
                    continue
                entries.append(entry_of(hit, client.api))
        if len(seen) != total:
            raise UserError(
                f"the listing of {project} announces {total} files, {len(seen)} came",
                where=f"{client.api}/files",
                remedy="it may have changed meanwhile: run again",
            )
        of_type = [e for e in entries if e["sample_type"] in query.sample_types]
        if not of_type:
            there = sorted({f"{e['sample_type'] or '??'} ({e['sample_type_name'] or 'unknown'})" for e in entries})
            raise UserError(
                f"project {project!r} has no open {WORKFLOW} files of type {', '.join(wanted)}",
                where=f"{client.api}/files",
                remedy="ask for other sample types with ?samples=CODE; there are: " + ", ".join(there)
                if there
                else "check the project's name",
            )
        for entry in of_type:
            found.setdefault(entry["file_id"], entry)
        log.info("%s: %d files", project, len(of_type))
    listed = select([found[file_id] for file_id in sorted(found)], query.keep_ffpe, query.all_aliquots)
    if all(entry["left_out"] for entry in listed):
        raise UserError(
            f"all {len(listed)} files are left out; the first: {listed[0]['left_out']}",
            where=f"{client.api}/files",
            remedy="add ?ffpe=keep to the source",
        )
    return listed


def _page(answer: dict[str, Any], where: str) -> tuple[list[dict[str, Any]], int]:
    try:
        return list(answer["data"]["hits"]), int(answer["data"]["pagination"]["total"])
    except (KeyError, TypeError, ValueError) as error:
        warnings = answer.get("warnings") or answer.get("message") or ""
        raise UserError(
            f"the listing has no hits and pagination {warnings}".rstrip(), where=where, remedy="run again later"
        ) from error


def manifest_path(counts: Path) -> Path:
    """Listing of the files behind a matrix: ids, names, bytes, MD5 and samples."""
    return counts.with_name("manifest.json")


def acquire(
    source: str,
    counts: Path,
    samples: Path,
    *,
    cache: Path,
    api: str,
    offline: bool = False,
    client: Client | None = None,
) -> dict[str, Any]:
    """Counts and sample table of a ``gdc:`` source, with their manifest and provenance beside `counts`.

    Files are kept in `cache`, so that an interrupted run goes on where it ended. What is finished is not repeated.

    Parameters
    ----------
    source : str
        ``gdc:PROJECT[+PROJECT...][?samples=CODE,...&ffpe=keep&aliquots=all]``.
    counts : Path
        Becomes genes × aliquots (TSV, gzip), counts of reads of both strands; first column ``gene_id``.
    samples : Path
        Becomes the sample table (TSV); see :func:`.gdc_counts.sample_table`.
    cache : Path
        Folder of the single files.
    api : str
        Address of the GDC's API.
    offline : bool
        Never touch the network; so does the environment variable PSEUDOCOHORT_OFFLINE=1. The matrix is still assembled
        when an earlier run has left the manifest and every file.
    client : Client, optional
        Replaces the one made for `api`.

    Returns
    -------
    dict
        Provenance: ``source path bytes sha256 mtime samples samples_sha256 api data_release filters files left_out``
        (how many files, by reason).

    Raises
    ------
    UserError
        If the source is malformed or has no files, offline forbids what is missing, or the download fails.
    """
    counts, samples, cache = Path(counts), Path(samples), Path(cache)
    query = parse_source(source)
    known = _finished(source, counts, samples)
    if known is not None:
        return known
    offline = is_offline(offline)
    client = client or Client(api)
    manifest = _earlier(source, counts, cache) if offline else _listed(source, query, counts, client)
    taken = [entry for entry in manifest["files"] if not entry["left_out"]]
    if not offline:
        download_files(taken, cache, client)
    table = sample_table(taken)
    write_table(table, samples)
    write_table(assemble(table, cache), counts)
    provenance = {
        "source": source,
        **describe(counts),
        "samples": str(samples),
        "samples_sha256": file_digest(samples),
        "api": manifest["api"],
        "data_release": manifest["data_release"],
        "filters": manifest["filters"],
        "files": len(taken),
        "left_out": dict(Counter(e["left_out"] for e in manifest["files"] if e["left_out"])),
        "rules": _RULES,
    }
    write_json(provenance, provenance_path(counts))
    return provenance


def _finished(source: str, counts: Path, samples: Path) -> dict[str, Any] | None:
    """Provenance of what is there already, of this source and still with the recorded checksums."""
    if not (counts.is_file() and samples.is_file() and provenance_path(counts).is_file()):
        return None
    known = read_json(provenance_path(counts))
    expected = {
        "source": source,
        "rules": _RULES,
        "sha256": file_digest(counts),
        "samples_sha256": file_digest(samples),
    }
    return known if all(known.get(key) == value for key, value in expected.items()) else None


def _listed(source: str, query: Query, counts: Path, client: Client) -> dict[str, Any]:
    manifest = {
        "source": source,
        "rules": _RULES,
        "api": client.api,
        "data_release": str(client.json("status").get("data_release", "")),
        "filters": [query.filters(project) for project in query.projects],
        "files": list_files(query, client),
    }
    write_json(manifest, manifest_path(counts))
    return manifest


def _earlier(source: str, counts: Path, cache: Path) -> dict[str, Any]:
    """Manifest that an earlier run left, if every file of it is there."""
    path = manifest_path(counts)
    manifest = read_json(path) if path.is_file() else {}
    missing = [e for e in manifest.get("files", []) if not e.get("left_out") and not is_finished(e, cache)]
    if manifest.get("source") != source or manifest.get("rules") != _RULES or missing:
        raise UserError(
            f"{len(missing)} of its files were not downloaded yet" if missing else "it was not downloaded yet",
            where=source,
            remedy=f"the network is not to be used: unset {OFFLINE_VARIABLE}, or give local files in the dataset sheet",
        )
    return manifest
