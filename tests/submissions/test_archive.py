from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.core.errors import BadData, BenchError
from bench_lib.submissions import archive
from bench_lib.submissions.archive import MANIFEST, empty_folder, unpack, write_archive
from bench_lib.submissions.submission import FILE

CONTENT = {MANIFEST: b"{}\n", FILE: b"x = 1\n"}


def packed(path: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    """An archive of any entries, after those that have to be there."""
    needed = [(tarfile.TarInfo(name), text) for name, text in CONTENT.items()]
    with tarfile.open(path, "w:gz") as tar:
        for entry, text in (*needed, *entries):
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


def parquet(rows: int) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table({"a": [0] * rows}), file)
    return file.getvalue()


def test_the_same_content_has_the_same_bytes_and_comes_out_again(tmp_path: Path) -> None:
    content = {**CONTENT, "results/runs/sst2-0.parquet": parquet(3)}
    one, other = tmp_path / "one.tar.gz", tmp_path / "other.tar.gz"
    digest = write_archive(one, content)
    assert digest == write_archive(other, dict(reversed(content.items())))
    assert one.read_bytes() == other.read_bytes()
    folder = empty_folder(tmp_path / "out")
    assert unpack(one, folder) == digest
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == content


@pytest.mark.parametrize(
    "name",
    [
        "../outside.py",
        "/tmp/outside.py",
        "results/runs/../../../outside.parquet",
        "results/runs/deep/er.parquet",
        "results/runs/.hidden.parquet",
        "results/weights/a.safetensors",
        "results/runs/a.parquet\n",
        "./technique.py",
        "helper.py",
        "results/runs/a\\b.parquet",
    ],
)
def test_a_name_that_no_submission_has_is_refused(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / "bad.tar.gz", (entry(name), b"x"))
    folder = empty_folder(tmp_path / "deep" / "out")
    with pytest.raises(
        BadData, match=r"the archive holds .*; allowed: submission.json, technique.py, and results/runs"
    ):
        unpack(path, folder)
    assert {p.name for p in tmp_path.rglob("*") if p.is_file()} == {"bad.tar.gz", *CONTENT}


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.LNKTYPE, MANIFEST),
        (tarfile.FIFOTYPE, ""),
        (tarfile.CHRTYPE, ""),
        (tarfile.DIRTYPE, ""),
    ],
)
def test_what_is_no_regular_file_is_refused(tmp_path: Path, kind: bytes, target: str) -> None:
    path = packed(tmp_path / "bad.tar.gz", (entry("results/runs/a.parquet", kind, target), b""))
    folder = empty_folder(tmp_path / "out")
    with pytest.raises(BadData, match="which is no regular file"):
        unpack(path, folder)
    assert not (folder / "results").exists()


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "bad.tar.gz", (entry(FILE), b"other"))
    with pytest.raises(BadData, match=r"holds 'technique\.py' twice"):
        unpack(path, empty_folder(tmp_path / "out"))


@pytest.mark.parametrize(
    ("limit", "value"), [("LARGEST_TABLE", 10), ("LARGEST_TOTAL", 28), ("MOST_FILES", 2), ("LARGEST", {FILE: 3})]
)
def test_what_is_too_large_is_refused_before_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: object
) -> None:
    monkeypatch.setattr(archive, limit, value if isinstance(value, int) else archive.LARGEST | {FILE: 3})
    path = packed(tmp_path / "bad.tar.gz", (entry("results/runs/a.parquet"), bytes(20)))
    with pytest.raises(BadData, match="the archive is too large at"):
        unpack(path, empty_folder(tmp_path / "out"))


def test_an_archive_that_expands_without_end_stops_at_the_limit(tmp_path: Path) -> None:
    """A header may claim any size: what is claimed counts, and not what is there."""
    huge = entry("results/runs/a.parquet")
    huge.size = archive.LARGEST_TABLE + 1
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(huge.tobuf(tarfile.USTAR_FORMAT) + bytes(10_000)))
    with pytest.raises(BadData, match=r"too large at 'results/runs/a\.parquet'"):
        unpack(path, empty_folder(tmp_path / "out"))


def test_a_header_that_expands_without_end_stops_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "LARGEST_TOTAL", 10_000)
    header = entry("comment", tarfile.XHDTYPE)
    header.size = 10_000_000
    path = tmp_path / "bomb.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf(tarfile.USTAR_FORMAT) + bytes(3_000_000)))
    with pytest.raises(BadData, match="too large once decompressed; allowed: 10,000 bytes"):
        unpack(path, empty_folder(tmp_path / "out"))


@pytest.mark.parametrize(("limit", "value"), [("MOST_ROWS", 4), ("LARGEST_DECODED", 4)])
def test_a_table_that_is_too_large_once_decoded_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(archive, limit, value)
    path = packed(tmp_path / "bad.tar.gz", (entry("results/runs/a.parquet"), parquet(5)))
    with pytest.raises(BadData, match=r"a\.parquet has 5 rows and [\d,]+ bytes once decoded; allowed"):
        unpack(path, empty_folder(tmp_path / "out"))


@pytest.mark.parametrize("name", [MANIFEST, FILE])
def test_what_a_submission_must_hold_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.tar.gz"
    write_archive(path, {other: text for other, text in CONTENT.items() if other != name})
    with pytest.raises(BadData, match=f"it holds no {name}"):
        unpack(path, empty_folder(tmp_path / "out"))


@pytest.mark.parametrize("cut", [0, 5, 60])
def test_what_is_no_whole_archive_is_said_to_be(tmp_path: Path, cut: int) -> None:
    path = packed(tmp_path / "bad.tar.gz")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(BadData, match="is no archive of a submission"):
        unpack(path, empty_folder(tmp_path / "out"))


def test_other_files_are_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    with pytest.raises(BadData, match="is no archive of a submission"):
        unpack(tmp_path / "text", empty_folder(tmp_path / "out"))
    with pytest.raises(BadData, match="nowhere cannot be read: No such file"):
        unpack(tmp_path / "nowhere", empty_folder(tmp_path / "other"))
    bad = packed(tmp_path / "bad.tar.gz", (entry("results/runs/a.parquet"), b"no table"))
    with pytest.raises(BadData, match=r"results/runs/a\.parquet is no Parquet file"):
        unpack(bad, empty_folder(tmp_path / "third"))


def test_a_folder_that_is_in_use_is_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(BenchError, match="is there already; name an empty folder"):
        empty_folder(tmp_path)
    assert empty_folder(tmp_path / "new") == empty_folder(tmp_path / "new")


def test_an_archive_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"cannot be written to .*: No such file"):
        write_archive(tmp_path / "nowhere" / "a.tar.gz", CONTENT)
