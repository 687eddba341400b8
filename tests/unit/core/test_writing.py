"""Paths that cannot be written are said, before the work where there is work, and nothing is left behind."""

from __future__ import annotations

import pytest

from pseudocohort.core.errors import UserError
from pseudocohort.core.io import atomic, check_writable


@pytest.mark.parametrize("name", ["file/a.tsv", "file/folder/a.tsv", "x" * 300])
def test_a_path_that_cannot_be_written_is_said(tmp_path, name):
    (tmp_path / "file").write_text("x")
    for write in (check_writable, lambda path: atomic(path).__enter__()):
        with pytest.raises(UserError, match="cannot be written") as caught:
            write(tmp_path / name)
        assert name in caught.value.where and caught.value.remedy
    assert [f.name for f in tmp_path.iterdir()] == ["file"]


def test_a_folder_is_not_replaced_by_a_file_nor_a_file_by_a_folder(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    with pytest.raises(UserError, match="cannot be written: Is a directory"), atomic(tmp_path / "folder") as path:
        path.write_text("y")
    with pytest.raises(UserError, match="cannot be written: Not a directory"), atomic(tmp_path / "file") as path:
        path.mkdir()
    assert sorted(f.name for f in tmp_path.iterdir()) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "x"


def test_a_folder_that_is_read_only_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere
    with pytest.raises(UserError, match="cannot be written: Permission denied"):
        check_writable(tmp_path / "a.tsv")
