from __future__ import annotations

from pathlib import Path

import pytest

from bench_lib.core.atomic import replace_file


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    for content in (b"first", b"", b"second\r\n"):
        replace_file(path, content)
        assert path.read_bytes() == content
    assert [*tmp_path.iterdir()] == [path]


def test_what_cannot_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "page.html"
    (folder / "kept").mkdir(parents=True)
    with pytest.raises(OSError, match=r"page\.html"):
        replace_file(folder, b"content")
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "missing" / "page.html", b"content")
    assert [*tmp_path.rglob("*")] == [folder, folder / "kept"]
