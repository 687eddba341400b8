"""A short run of the fuzz of every reader; `make fuzz-readers` is the long one."""

from __future__ import annotations

import logging
import sys

import pytest

READERS = (
    "delimited", "pandas", "gct", "tenx", "tenx_hdf5", "h5ad", "samples", "series", "sheet", "study", "aliases",
    "ingest",
)  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_every_input_is_read_as_by_others_or_refused_with_a_remedy(name, project_root, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(project_root / "tools"))
    import fuzz_readers

    assert set(fuzz_readers.READERS) == set(READERS)
    try:
        outcomes = fuzz_readers.run(name, 30, 7, tmp_path)
    finally:
        logging.disable(logging.NOTSET)
        sys.modules.pop("fuzz_readers", None)
    assert sum(outcomes.values()) >= 30 and outcomes["read"] > 0
