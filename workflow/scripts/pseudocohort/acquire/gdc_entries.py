"""Entries of a GDC listing: which sample and donor a file is of, and which files of a sample are taken."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..core.errors import UserError

log = logging.getLogger(__name__)

SAMPLE_TYPES = {
    "01": "Primary Tumor",
    "02": "Recurrent Tumor",
    "03": "Primary Blood Derived Cancer - Peripheral Blood",
    "04": "Recurrent Blood Derived Cancer - Bone Marrow",
    "05": "Additional - New Primary",
    "06": "Metastatic",
    "07": "Additional Metastatic",
    "09": "Primary Blood Derived Cancer - Bone Marrow",
    "10": "Blood Derived Normal",
    "11": "Solid Tissue Normal",
    "12": "Buccal Cell Normal",
    "14": "Bone Marrow Normal",
    "40": "Recurrent Blood Derived Cancer - Peripheral Blood",
    "50": "Cell Lines",
    "60": "Primary Xenograft Tissue",
    "61": "Cell Line Derived Xenograft Tissue",
    "85": "Next Generation Cancer Model",
    "86": "Expanded Next Generation Cancer Model",
}
_CODES = {name: code for code, name in SAMPLE_TYPES.items()}
#: Fields that are asked for. What a release does not know it leaves out, with a warning.
FIELDS = (
    "file_id", "file_name", "md5sum", "file_size", "access", "data_type", "analysis.workflow_type",
    "associated_entities.entity_submitter_id", "cases.submitter_id", "cases.project.project_id",
    # The sample type is deprecated, and the sex is a gender in older releases.
    "cases.samples.submitter_id", "cases.samples.sample_type", "cases.samples.preservation_method",
    "cases.samples.portions.is_ffpe",
    "cases.demographic.sex_at_birth", "cases.demographic.gender", "cases.demographic.age_at_index",
)  # fmt: skip
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
#: TCGA-A6-6650-01A-11R-1774-07 and TARGET-20-PABHET-09A-01R: project, two parts of the donor, sample type and vial.
_BARCODE = re.compile(r"^[A-Z]+-[A-Z0-9]+-[A-Z0-9]+-([0-9]{2})[A-Z]?(?:-|$)")
#: Portion and analyte of an aliquot, 11R, and the plate that follows.
_ANALYTE = re.compile(r"-[0-9]{2}([A-Z])-([A-Z0-9]{4})-")
#: Analytes of RNA in the order of preference of the Broad Institute's Firehose.
_PREFERRED = {"H": 0, "R": 1, "T": 2}
FFPE, FURTHER, POOLED = "fixed in formalin (FFPE)", "further aliquot of a sample", "pooled of samples of several kinds"


def sample_type_of(barcode: str) -> str:
    """Code of the sample type in a TCGA or TARGET barcode; empty where it is no such barcode."""
    match = _BARCODE.match(barcode)
    return match[1] if match else ""


def entry_of(hit: dict[str, Any], api: str) -> dict[str, Any]:
    """A hit of the listing with the fields that are used, flat.

    An aliquot belongs to the sample whose barcode it begins with. One that was pooled of several samples belongs to
    all of them: their ids are joined by ``+``, and it is left out if they are of several types or donors.

    Returns
    -------
    dict
        ``file_id file_name bytes md5 project patient sample sample_type sample_type_name aliquot preservation sex age
        left_out``; `sample_type` is a code (empty where it is unknown), `sex` ``female`` or ``male``, `age` in years at
        diagnosis, both empty where they are not given.

    Raises
    ------
    UserError
        If the hit lacks what is needed.
    """
    try:
        file_id, case = str(hit["file_id"]), hit["cases"][0]
        aliquots = [str(e["entity_submitter_id"]) for e in hit["associated_entities"]]
        aliquot = aliquots[0]
        listed = [s for c in hit["cases"] for s in c["samples"]]
        samples = [s for s in listed if aliquot.startswith(str(s["submitter_id"]))] or listed
        kinds = dict.fromkeys(_type_of(s, aliquot if len(samples) == 1 else "") for s in samples)
        mixed = len(kinds) > 1 or len(hit["cases"]) > 1 or len(aliquots) > 1
        code, name = next(iter(kinds))
        entry = {
            "file_id": file_id,
            "file_name": str(hit["file_name"]),
            "bytes": int(hit["file_size"]),
            "md5": str(hit["md5sum"]).lower(),
            "project": str(case["project"]["project_id"]),
            "patient": str(case["submitter_id"]),
            "sample": "+".join(sorted(str(s["submitter_id"]) for s in samples)),
            "sample_type": code,
            "sample_type_name": name,
            "aliquot": aliquot,
            "preservation": _preservation(samples),
            **_donor(case.get("demographic") or {}),
            "left_out": POOLED if mixed else "",
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


def _type_of(sample: dict[str, Any], aliquot: str) -> tuple[str, str]:
    """Code and name of a sample's type: the GDC's field, or the barcode where the field is gone or not known."""
    name = str(sample.get("sample_type") or "")
    code = _CODES.get(name) or sample_type_of(str(sample["submitter_id"])) or sample_type_of(aliquot)
    return code, name or SAMPLE_TYPES.get(code, "")


def _preservation(samples: Sequence[dict[str, Any]]) -> str:
    """How the samples were preserved, as the GDC writes it; ``FFPE`` too where only their portions say so."""
    words = {str(s.get("preservation_method") or "") for s in samples} - {""}
    fixed = any(p.get("is_ffpe") is True for s in samples for p in s.get("portions") or [])
    if fixed or any(word.upper() == "FFPE" for word in words):
        return "FFPE"
    return "+".join(sorted(words))


def _donor(demographic: dict[str, Any]) -> dict[str, Any]:
    """Sex and age of a case, empty where they are "not reported" or missing."""
    sex = str(demographic.get("sex_at_birth") or demographic.get("gender") or "").lower()
    age = demographic.get("age_at_index")
    return {"sex": sex if sex in ("female", "male") else "", "age": "" if age is None else int(age)}


def preference(entry: dict[str, Any]) -> tuple[Any, ...]:
    """Key that sorts the files of a sample, the one to keep first.

    As in the Broad Institute's Firehose: frozen before FFPE, analyte H before R before T, then the highest plate and
    barcode; of one aliquot's files the lowest id.
    """
    match = _ANALYTE.search(entry["aliquot"])
    analyte = _PREFERRED.get(match[1], len(_PREFERRED)) if match else len(_PREFERRED)
    descending = tuple(-ord(c) for c in f"{match[2] if match else ''} {entry['aliquot']}")
    return entry["preservation"] == "FFPE", analyte, descending, entry["file_id"]


def select(entries: Sequence[dict[str, Any]], keep_ffpe: bool, all_aliquots: bool) -> list[dict[str, Any]]:
    """`entries` with ``replicate`` (number of a file among those of its sample, 1 the preferred) and ``left_out``."""
    out = [dict(entry) for entry in entries]
    seen: Counter[tuple[str, str]] = Counter()
    for entry in sorted(out, key=preference):
        if not keep_ffpe and entry["preservation"] == "FFPE":
            entry["left_out"] = entry["left_out"] or FFPE
        key = (entry["project"], entry["sample"])
        if not entry["left_out"]:
            seen[key] += 1
        entry["replicate"] = seen[key]
        if not all_aliquots and not entry["left_out"] and seen[key] > 1:
            entry["left_out"] = FURTHER
    for reason, count in Counter(e["left_out"] for e in out if e["left_out"]).items():
        log.warning("%d of %d files are left out: %s", count, len(out), reason)
    return out
