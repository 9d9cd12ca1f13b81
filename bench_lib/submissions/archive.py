"""The archive of a submission: the same content has the same bytes, and what is read of one is limited and checked."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from bench_lib.core.atomic import replace_file
from bench_lib.core.errors import BadData, BenchError, one_line, shortened
from bench_lib.submissions.submission import FILE

MANIFEST = "submission.json"
RESULTS = "results"
MIB = 2**20
LARGEST = {MANIFEST: 4 * MIB, FILE: MIB}
"""The most bytes of a file, but for those of the store."""
LARGEST_TABLE, LARGEST_TOTAL = 256 * MIB, 512 * MIB
MOST_FILES, MOST_ROWS, LARGEST_DECODED = 1_000, 100_000, 1024 * MIB
_TABLE = re.compile(rf"{RESULTS}/(runs|predictions)/[A-Za-z0-9_][A-Za-z0-9_.%-]{{0,200}}\.parquet", re.ASCII)


class _Limited(io.BytesIO):
    """A stream of bytes that ends with `BadData` where it expands without end: a tar header may be of any size."""

    def __init__(self, file: gzip.GzipFile) -> None:
        super().__init__()
        self.file = file
        self.left = 2 * LARGEST_TOTAL + MIB

    def read(self, size: int | None = -1) -> bytes:
        part = self.file.read(size)
        self.left -= len(part)
        if self.left < 0:
            raise BadData(f"the archive is too large once decompressed; allowed: {LARGEST_TOTAL:,} bytes in all")
        return part


def write_archive(path: Path, content: Mapping[str, bytes]) -> str:
    """Write files by name into a gzipped tar archive, which has no times and owners; its SHA-256."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in sorted(content):
            entry = tarfile.TarInfo(name)
            entry.size = len(content[name])
            tar.addfile(entry, io.BytesIO(content[name]))
    try:
        replace_file(path, packed.getvalue())
    except OSError as error:
        raise BenchError(f"the submission cannot be written to {path}: {error.strerror}") from error
    return hashlib.sha256(packed.getvalue()).hexdigest()


def unpack(path: Path, folder: Path) -> str:
    """Unpack an archive into an empty folder and give its SHA-256; raises `BadData` for what no submission holds.

    Only regular files of the expected names are written, up to the limits; nothing of them is run.
    """
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            with gzip.GzipFile(fileobj=file) as zipped, tarfile.open(fileobj=_Limited(zipped), mode="r|") as tar:
                names = [_unpacked(tar, entry, folder) for entry in _entries(tar)]
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
        raise BadData(f"{path} is no archive of a submission, or is damaged: {error}") from error
    except OSError as error:
        raise BadData(f"{path} cannot be read: {error.strerror or error}") from error
    for needed in (MANIFEST, FILE):
        if needed not in names:
            raise BadData(f"{path} is no archive of a submission: it holds no {needed}")
    for name in names:
        if _TABLE.fullmatch(name):
            _check_table(folder / name, name)
    return digest


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a store that is compacted, by their names in an archive."""
    files = sorted(path for part in ("runs", "predictions") for path in (folder / part).glob("*.parquet"))
    return {f"{RESULTS}/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in files}


def file_of(folder: Path, name: str) -> bytes:
    """A file of an unpacked archive, or of the submitter."""
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise BenchError(f"{folder / name} cannot be read: {error.strerror}") from error


def empty_folder(path: Path) -> Path:
    """A folder that was made, or is there and empty; raises `BenchError` for any other."""
    if path.is_dir() and not any(path.iterdir()):
        return path
    if os.path.lexists(path):
        raise BenchError(f"{path} is there already; name an empty folder, or one that is to be made")
    path.mkdir(parents=True)
    return path


def _entries(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """The entries, each checked before it is read."""
    seen: set[str] = set()
    total = 0
    for entry in tar:
        shown = repr(shortened(one_line(entry.name), 100))
        if not entry.isreg() or entry.issparse():
            raise BadData(f"the archive holds {shown}, which is no regular file")
        if entry.name not in LARGEST and not _TABLE.fullmatch(entry.name):
            allowed = f"{MANIFEST}, {FILE}, and {RESULTS}/runs and {RESULTS}/predictions with Parquet files"
            raise BadData(f"the archive holds {shown}; allowed: {allowed}")
        if entry.name in seen:
            raise BadData(f"the archive holds {shown} twice")
        seen.add(entry.name)
        total += entry.size
        largest = LARGEST.get(entry.name, LARGEST_TABLE)
        if entry.size > largest or total > LARGEST_TOTAL or len(seen) > MOST_FILES:
            limits = f"{largest:,} bytes for it, {LARGEST_TOTAL:,} and {MOST_FILES:,} files in all"
            raise BadData(f"the archive is too large at {shown}; allowed: {limits}")
        yield entry


def _unpacked(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> str:
    file = tar.extractfile(entry)
    content = file.read(entry.size) if file else b""
    if len(content) != entry.size:
        raise BadData(f"the archive ends within {entry.name!r}")
    target = folder / entry.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as written:
        written.write(content)
    return entry.name


def _check_table(path: Path, name: str) -> None:
    """Raise `BadData` for a table that would be too large once decoded."""
    try:
        with pq.ParquetFile(path) as file:
            metadata = file.metadata
            size = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
            rows = metadata.num_rows
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadData(f"{name} is no Parquet file, or is damaged: {one_line(str(error))}") from error
    if rows > MOST_ROWS or size > LARGEST_DECODED:
        allowed = f"{MOST_ROWS:,} rows and {LARGEST_DECODED:,} bytes"
        raise BadData(f"{name} has {rows:,} rows and {size:,} bytes once decoded; allowed: {allowed}")
