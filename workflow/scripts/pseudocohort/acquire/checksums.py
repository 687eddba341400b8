"""Checksums that public servers send along: Google's buckets in a header, zenodo in the listing of a record."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

import requests

log = logging.getLogger(__name__)

_ZENODO = re.compile(r"^(https?://(?:www\.)?zenodo\.org)/records?/([0-9]+)/files/([^?#]+)")
_FIGSHARE = re.compile(r"^https?://(?:ndownloader\.figshare\.com|(?:www\.)?figshare\.com/ndownloader)/files/([0-9]+)")
_MD5 = re.compile(r"^[0-9a-f]{32}$")
_TIMEOUT = (20, 60)  # seconds to connect, and for the listing of a record


def file_digest(path: Path, algorithm: str = "sha256") -> str:
    """Checksum of a file, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _hexadecimal(encoded: str) -> str:
    """Hexadecimal MD5 of a base64 one; empty if it is none."""
    try:
        found = base64.b64decode(encoded.strip(), validate=True).hex()
    except ValueError:
        return ""
    return found if _MD5.match(found) else ""


def announced_md5(headers: Mapping[str, str], *, whole: bool) -> str:
    """MD5 (hexadecimal) of a whole file as an answer's headers announce it; empty where they do not.

    ``x-goog-hash: crc32c=…, md5=…`` (Google Cloud Storage; base64, absent for composite objects), ``Content-MD5``
    (RFC 1864; of the part that is sent, so only where that is the whole), ``ETag: "md5:…"`` (Invenio, zenodo's
    software).
    """
    # What Google unpacks on its way out is no longer what was hashed.
    packed = headers.get("x-goog-stored-content-encoding", "identity") != "identity"
    for part in "" if packed else headers.get("x-goog-hash", "").split(","):
        kind, _, value = part.strip().partition("=")
        if kind == "md5" and (found := _hexadecimal(value)):
            return found
    if whole and (found := _hexadecimal(headers.get("Content-MD5", ""))):
        return found
    kind, _, value = headers.get("ETag", "").removeprefix("W/").strip('"').partition(":")
    return value if kind == "md5" and _MD5.match(value) else ""


def zenodo_md5(session: requests.Session, url: str) -> str:
    """MD5 of a file of a zenodo record, from the record's listing; empty for other addresses, or if it has none.

    The listing is a help, not a condition: where it cannot be had, the download goes on without it.
    """
    match = _ZENODO.match(url)
    if match is None:
        return ""
    listing = f"{match[1]}/api/records/{match[2]}"
    try:
        with session.get(listing, timeout=_TIMEOUT) as response:
            files = response.json()["files"] if response.status_code == 200 else []
        checksums = {str(f["key"]): str(f["checksum"]) for f in files}
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        log.warning("%s has no listing of checksums (%s)", listing, type(error).__name__)
        return ""
    found = checksums.get(unquote(match[3]), "").removeprefix("md5:")
    return found if _MD5.match(found) else ""


def figshare_mirror(url: str) -> str:
    """Address of a figshare file at figshare's API, which no bot challenge guards; empty for other addresses."""
    match = _FIGSHARE.match(url)
    return f"https://api.figshare.com/v2/file/download/{match[1]}" if match else ""
