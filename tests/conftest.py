"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Root of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def data_root() -> Path:
    """Folder with the real studies' data: PSEUDOCOHORT_DATA, or ../shared/data beside the checkout."""
    root = Path(os.environ.get("PSEUDOCOHORT_DATA") or ROOT.parent / "shared" / "data")
    if not (root / "tcga-brca").is_dir():
        pytest.skip(f"real data not found at {root}; set PSEUDOCOHORT_DATA to run this test")
    return root
