"""Stand-in of the GDC's API on loopback: its listing, its archives and its files, and what goes wrong with them.

Used by the tests and by tools/rehearse.py; it answers what pseudocohort.acquire asks.
"""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import sys
import tarfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow/scripts"))

from pseudocohort.acquire.gdc_api import Client
from pseudocohort.acquire.gdc_entries import SAMPLE_TYPES

GENES = ("ENSG00000000003.15", "ENSG00000000005.6", "ENSG00000002586.20_PAR_Y")


def star_file(counts: Sequence[int], genes: Sequence[str] = GENES) -> bytes:
    """A file of STAR counts as the GDC writes it; the other columns hold values that must not be taken."""
    lines = ["# gene-model: GENCODE v36"]
    lines.append(
        "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\t"
        "tpm_unstranded\tfpkm_unstranded\tfpkm_uq_unstranded"
    )
    for name in ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous"):
        lines.append(f"{name}\t\t\t777\t777\t777\t\t\t")
    for gene, count in zip(genes, counts, strict=True):
        lines.append(f"{gene}\tNAME\tprotein_coding\t{count}\t900\t901\t0.5\t0.6\t0.7")
    return "\n".join(lines).encode() + b"\n"


def hit(barcode: str, content: bytes, *, project: str, name: str = "", **case: Any) -> dict[str, Any]:
    """A file as the listing has it.

    Parameters
    ----------
    barcode : str
        Of the aliquot.
    content : bytes
        Of the file.
    project : str
        The case's.
    name : str
        The file's id is made from it; the barcode if it is empty.
    **case
        Further fields of the case, such as ``demographic``.
    """
    file_id = str(uuid.uuid5(uuid.NAMESPACE_URL, name or barcode))
    sample = {"submitter_id": barcode[:16], "sample_type": SAMPLE_TYPES[barcode[13:15]]}
    return {
        "file_id": file_id,
        "file_name": f"{file_id[:8]}.rna_seq.augmented_star_gene_counts.tsv",
        "md5sum": hashlib.md5(content).hexdigest(),
        "file_size": len(content),
        "access": "open",
        "data_type": "Gene Expression Quantification",
        "analysis": {"workflow_type": "STAR - Counts"},
        "associated_entities": [{"entity_submitter_id": barcode}],
        "cases": [{"submitter_id": barcode[:12], "project": {"project_id": project}, "samples": [sample], **case}],
    }


class Gdc(http.server.ThreadingHTTPServer):
    """Stand-in of the API: its files, what goes wrong next, and what it was asked."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.hits: list[dict[str, Any]] = []
        self.content: Mapping[str, bytes] = {}
        self.statuses: list[tuple[int, bytes]] = []  # answered first, one per request
        self.cut_at: list[int] = []  # bodies of /data are broken off after so many bytes, one entry per request
        self.spoilt: set[str] = set()  # files sent damaged once
        self.always_spoilt: set[str] = set()
        self.extra: list[tarfile.TarInfo] = []  # put first into archives
        self.ignore_access = False
        self.requests: list[tuple[str, Any]] = []

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def client(self, attempts: int = 3) -> Client:
        return Client(self.api, pause=0, attempts=attempts)

    def add(self, barcode: str, counts: Sequence[int], *, project: str = "TCGA-AAAA", **changes: Any) -> str:
        """Add a file of one aliquot; its id."""
        content = star_file(counts, changes.pop("genes", GENES))
        entry = hit(barcode, content, project=project, name=f"{barcode}{counts}") | changes
        self.content[entry["file_id"]] = content
        self.hits.append(entry)
        return entry["file_id"]

    def selected(self, filters: dict[str, Any]) -> list[dict[str, Any]]:
        """Hits that pass the filters, in the order of their ids."""
        asked = {part["content"]["field"]: part["content"]["value"] for part in filters["content"]}
        assert filters["op"] == "and" and all(part["op"] == "in" for part in filters["content"])

        def passes(hit: dict[str, Any]) -> bool:
            values = {
                "cases.project.project_id": hit.get("listed_in") or [hit["cases"][0]["project"]["project_id"]],
                "data_type": [hit["data_type"]],
                "analysis.workflow_type": [hit["analysis"]["workflow_type"]],
                "access": [hit["access"]],
                "cases.samples.sample_type": [hit["cases"][0]["samples"][0].get("sample_type")],
            }
            if self.ignore_access:
                values["access"] = ["open"]
            return all(set(values[field]) & set(wanted) for field, wanted in asked.items())

        return sorted(filter(passes, self.hits), key=lambda hit: hit["file_id"])

    def asked_ids(self) -> list[list[str]]:
        """Ids of each request for data."""
        return [
            body["ids"] if path == "/data" else [path.removeprefix("/data/")]
            for path, body in self.requests
            if path.startswith("/data")
        ]

    def asked(self, path: str) -> int:
        return sum(p == path for p, _ in self.requests)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Gdc

    def do_GET(self) -> None:
        self.answer(None)

    def do_POST(self) -> None:
        self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def answer(self, asked: Any) -> None:
        server = self.server
        server.requests.append((self.path, asked))
        if server.statuses:
            self.send(*server.statuses.pop(0))
        elif self.path == "/status":
            self.send(200, json.dumps({"data_release": "Data Release 0.0", "status": "OK"}).encode())
        elif self.path == "/files":
            hits = server.selected(asked["filters"])
            page = hits[asked["from"] : asked["from"] + asked["size"]]
            data = {"hits": page, "pagination": {"total": len(hits), "from": asked["from"], "size": asked["size"]}}
            self.send(200, json.dumps({"data": data, "warnings": {}}).encode())
        elif self.path == "/data":
            self.send(200, self.archive(asked["ids"]), server.cut_at.pop(0) if server.cut_at else None)
        elif self.path.removeprefix("/data/") in server.content:
            content = self.content(self.path.removeprefix("/data/"))
            self.send(200, content, server.cut_at.pop(0) if server.cut_at else None)
        else:
            self.send(404, b"")

    def content(self, file_id: str) -> bytes:
        content = self.server.content[file_id]
        if file_id in self.server.spoilt | self.server.always_spoilt:
            self.server.spoilt.discard(file_id)
            return content.replace(b"900", b"901")
        return content

    def archive(self, ids: list[str]) -> bytes:
        names = {hit["file_id"]: hit["file_name"] for hit in self.server.hits}
        packed = io.BytesIO()
        # Stored, not compressed: where a cut falls does not depend on the compression.
        with (
            gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=0, mtime=0) as stream,
            tarfile.open(fileobj=stream, mode="w") as archive,
        ):
            for member in self.server.extra:
                archive.addfile(member, io.BytesIO(b"x" * member.size))
            for name, content in [
                ("MANIFEST.txt", b"id\n"),
                *((f"{file_id}/{names[file_id]}", self.content(file_id)) for file_id in ids),
                (f"{ids[0]}/annotations.txt", b"note\n"),
            ]:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return packed.getvalue()

    def send(self, status: int, body: bytes, cut: int | None = None) -> None:
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])

    def log_message(self, *_: object) -> None:
        pass
