"""A project's open-access STAR counts from the GDC: listed, downloaded file by file, assembled into one matrix.

A source is written ``gdc:TCGA-BRCA``; several projects as ``gdc:TCGA-COAD+TCGA-READ``, or by the name of one of
Firehose's unions (``gdc:COADREAD``). Sample types are chosen by their TCGA codes, ``gdc:TCGA-SKCM?samples=01,06``;
without them primary tumours (01) and solid normal tissue (11) are taken.
"""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..core.errors import UserError
from ..core.io import read_json, write_json, write_table
from .fetch import OFFLINE_VARIABLE, file_sha256, provenance_path
from .gdc_api import Client
from .gdc_counts import assemble, sample_table
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
SAMPLE_TYPES = {
    "01": "Primary Tumor",
    "02": "Recurrent Tumor",
    "03": "Primary Blood Derived Cancer - Peripheral Blood",
    "04": "Recurrent Blood Derived Cancer - Bone Marrow",
    "05": "Additional - New Primary",
    "06": "Metastatic",
    "07": "Additional Metastatic",
    "09": "Primary Blood Derived Cancer - Bone Marrow",
    "11": "Solid Tissue Normal",
    "14": "Bone Marrow Normal",
    "40": "Recurrent Blood Derived Cancer - Peripheral Blood",
    "50": "Cell Lines",
}
_CODES = {name: code for code, name in SAMPLE_TYPES.items()}
_FIELDS = (
    "file_id", "file_name", "md5sum", "file_size", "access", "data_type", "analysis.workflow_type",
    "associated_entities.entity_submitter_id", "cases.submitter_id", "cases.project.project_id",
    "cases.samples.submitter_id", "cases.samples.sample_type",
    # The sex is a gender in older releases; what a release does not know it leaves out, with a warning.
    "cases.demographic.sex_at_birth", "cases.demographic.gender", "cases.demographic.age_at_index",
)  # fmt: skip
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PAGE = 500  # files per page of the listing


@dataclass(frozen=True)
class Query:
    """What a source asks for: projects, and sample types by their names at the GDC."""

    projects: tuple[str, ...]
    sample_types: tuple[str, ...]

    def filters(self, project: str) -> dict[str, Any]:
        """Filters of the listing of one project."""
        wanted = {
            "cases.project.project_id": [project],
            "data_type": [DATA_TYPE],
            "analysis.workflow_type": [WORKFLOW],
            "access": ["open"],
            "cases.samples.sample_type": list(self.sample_types),
        }
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
    match = re.fullmatch(r"gdc:([A-Za-z0-9_.-]+(?:\+[A-Za-z0-9_.-]+)*)(?:\?samples=([0-9]{2}(?:,[0-9]{2})*))?", source)
    if match is None:
        raise UserError(
            f"{source!r} is not of the form gdc:PROJECT+PROJECT?samples=CODE,CODE",
            where="column 'source' of the dataset sheet",
            remedy="e.g. gdc:TCGA-BRCA, gdc:TCGA-COAD+TCGA-READ or gdc:TCGA-SKCM?samples=01,06",
        )
    projects = [p for name in match[1].split("+") for p in UNIONS.get(name, (name,))]
    codes = (match[2] or "01,11").split(",")
    unknown = [code for code in codes if code not in SAMPLE_TYPES]
    if unknown:
        raise UserError(
            f"sample type {unknown[0]!r} is not known",
            where=source,
            remedy="one of: " + ", ".join(f"{code} ({name})" for code, name in SAMPLE_TYPES.items()),
        )
    return Query(tuple(dict.fromkeys(projects)), tuple(SAMPLE_TYPES[code] for code in dict.fromkeys(codes)))


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
        ``file_id file_name bytes md5 project patient sample sample_type sample_type_name aliquot sex age``; sex is
        ``female`` or ``male``, age in years at diagnosis, both empty where they are not given.

    Raises
    ------
    UserError
        If a project has no such file, the listing is incomplete, or an entry lacks what is needed.
    """
    found: dict[str, dict[str, Any]] = {}
    for project in query.projects:
        seen: set[str] = set()
        usable, total, start = 0, 1, 0
        while start < total:
            answer = client.json(
                "files",
                {
                    "filters": query.filters(project), "fields": ",".join(_FIELDS), "format": "JSON",
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
                entry = _entry(hit, client.api)
                usable += 1
                found.setdefault(entry["file_id"], entry)
        if len(seen) != total:
            raise UserError(
                f"the listing of {project} announces {total} files, {len(seen)} came",
                where=f"{client.api}/files",
                remedy="it may have changed meanwhile: run again",
            )
        if not usable:
            raise UserError(
                f"project {project!r} has no open {WORKFLOW} files of type {', '.join(query.sample_types)}",
                where=f"{client.api}/files",
                remedy="check the project's name, or ask for other sample types with ?samples=CODE "
                "(03: leukaemias, 06: metastases)",
            )
        log.info("%s: %d files", project, usable)
    return [found[file_id] for file_id in sorted(found)]


def _page(answer: dict[str, Any], where: str) -> tuple[list[dict[str, Any]], int]:
    try:
        return list(answer["data"]["hits"]), int(answer["data"]["pagination"]["total"])
    except (KeyError, TypeError, ValueError) as error:
        warnings = answer.get("warnings") or answer.get("message") or ""
        raise UserError(
            f"the listing has no hits and pagination {warnings}".rstrip(), where=where, remedy="run again later"
        ) from error


def _entry(hit: dict[str, Any], api: str) -> dict[str, Any]:
    """A hit of the listing with the fields that are used, flat."""
    try:
        file_id, case = str(hit["file_id"]), hit["cases"][0]
        aliquot = str(hit["associated_entities"][0]["entity_submitter_id"])
        of_aliquot = [s for s in case["samples"] if aliquot.startswith(str(s["submitter_id"]))]
        sample = (of_aliquot or case["samples"])[0]
        entry = {
            "file_id": file_id,
            "file_name": str(hit["file_name"]),
            "bytes": int(hit["file_size"]),
            "md5": str(hit["md5sum"]).lower(),
            "project": str(case["project"]["project_id"]),
            "patient": str(case["submitter_id"]),
            "sample": str(sample["submitter_id"]),
            "sample_type": _CODES[sample["sample_type"]],
            "sample_type_name": str(sample["sample_type"]),
            "aliquot": aliquot,
            **_donor(case.get("demographic") or {}),
        }
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise UserError(
            f"file {hit.get('file_id')} is listed without {error}",
            where=f"{api}/files",
            remedy="the API may have changed; report it with this message",
        ) from error
    if not _UUID.fullmatch(file_id):
        raise UserError(f"{file_id!r} is no file id of the GDC", where=f"{api}/files", remedy="check the API's address")
    return entry


def _donor(demographic: dict[str, Any]) -> dict[str, Any]:
    """Sex and age of a case, empty where they are "not reported" or missing."""
    sex = str(demographic.get("sex_at_birth") or demographic.get("gender") or "").lower()
    age = demographic.get("age_at_index")
    return {"sex": sex if sex in ("female", "male") else "", "age": "" if age is None else int(age)}


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
        ``gdc:PROJECT[+PROJECT...][?samples=CODE,...]``.
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
        Provenance: ``source path bytes sha256 mtime samples samples_sha256 api data_release filters files``.

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
    offline = offline or os.environ.get(OFFLINE_VARIABLE) == "1"
    client = client or Client(api)
    manifest = _earlier(source, counts, cache) if offline else _listed(source, query, counts, client)
    if not offline:
        download_files(manifest["files"], cache, client)
    table = sample_table(manifest["files"])
    write_table(table, samples)
    write_table(assemble(table, cache), counts)
    provenance = {
        "source": source,
        "path": str(counts),
        "bytes": counts.stat().st_size,
        "sha256": file_sha256(counts),
        "mtime": datetime.fromtimestamp(counts.stat().st_mtime, UTC).isoformat(timespec="seconds"),
        "samples": str(samples),
        "samples_sha256": file_sha256(samples),
        "api": manifest["api"],
        "data_release": manifest["data_release"],
        "filters": manifest["filters"],
        "files": len(manifest["files"]),
    }
    write_json(provenance, provenance_path(counts))
    return provenance


def _finished(source: str, counts: Path, samples: Path) -> dict[str, Any] | None:
    """Provenance of what is there already, of this source and still with the recorded checksums."""
    if not (counts.is_file() and samples.is_file() and provenance_path(counts).is_file()):
        return None
    known = read_json(provenance_path(counts))
    expected = {"source": source, "sha256": file_sha256(counts), "samples_sha256": file_sha256(samples)}
    return known if all(known.get(key) == value for key, value in expected.items()) else None


def _listed(source: str, query: Query, counts: Path, client: Client) -> dict[str, Any]:
    manifest = {
        "source": source,
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
    missing = [e for e in manifest.get("files", []) if not is_finished(e, cache)]
    if manifest.get("source") != source or missing:
        raise UserError(
            f"{len(missing)} of its files were not downloaded yet" if missing else "it was not downloaded yet",
            where=source,
            remedy=f"the network is not to be used: unset {OFFLINE_VARIABLE}, or give local files in the dataset sheet",
        )
    return manifest
