"""Addresses of objects in a bucket, with the part of `pathlib.Path` that a store reads and writes by.

Below the verbs of paths are four of object stores: put, unless or only if an object is there; get; list; delete.
What a server refuses is an `OSError`, as it is of a disk.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Container, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from functools import cached_property
from hashlib import sha256
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bench_lib.core.errors import BadValue
from bench_lib.store.connection import FORMS, SCHEMES, Bucket, connected, refusals

AHEAD = 16
"""Objects that are fetched at a time before they are read."""
IN_MEMORY = 2**20
"""Bytes up to which an object is fetched whole; of a larger one the parts that are read."""


class Status(NamedTuple):
    """What is known of an object without its content, named as `os.stat_result` names it; the tag is of its content."""

    st_mode: int
    st_ino: int
    st_size: int
    st_mtime: float
    st_mtime_ns: int
    tag: str


class Address(PurePosixPath):
    """An object of a bucket, or the beginning of the names of several as a folder: `s3://bucket/results/runs`.

    One that a listing gave knows the object's status of that time, and asks for no other.
    """

    listed: Status | None = None
    fetched: bytes | None = None

    def __str__(self) -> str:
        return super().__str__().replace(":/", "://", 1)

    def __fspath__(self) -> str:
        raise TypeError(f"{self} is no path of a file")

    @cached_property
    def bucket(self) -> Bucket:
        """The bucket, as it is reached from this process; BenchError where it cannot be."""
        return connected(f"{self.parts[0]}//{self.parts[1]}")

    @property
    def key(self) -> str:
        """The name of the object in its bucket."""
        return "/".join(self.parts[2:])

    def create(self, content: bytes) -> None:
        """Put an object where none is; `FileExistsError` where another stands, with other content."""
        try:
            self._put(content, "create")
        except FileExistsError:
            # A request that was answered too late for its sender, and sent again, meets its own object.
            if self._content() != content:
                raise

    def swap(self, content: bytes, tag: str) -> bool:
        """Put an object in place of the one with a tag; False where that is not there any more."""
        try:
            self._put(content, {"e_tag": tag})
        except FileExistsError:
            return self._content() == content
        return True

    def write_bytes(self, content: bytes) -> None:
        """Put an object, in place of what stands there."""
        self._put(content, "overwrite")

    def read_bytes(self) -> bytes:
        """The content of an object."""
        with self.open("rb") as file:
            return file.read()

    def read_text(self, errors: str = "strict") -> str:
        """The content of an object as UTF-8."""
        return self.read_bytes().decode(errors=errors)

    def open(self, mode: str) -> io.BufferedReader:
        """The content of an object as a file to be read, as it is now."""
        if mode != "rb":
            raise ValueError(f"mode is {mode!r}; allowed: 'rb'")
        content, self.fetched = self.fetched, None
        if content is None:
            with refusals():
                found = self.bucket.get(self.key)
                status = _status(found.meta)
                if status.st_size > IN_MEMORY:
                    return io.BufferedReader(_Parts(self, status), IN_MEMORY)
                content = bytes(found.bytes())
        return io.BufferedReader(io.BytesIO(content))

    def unlink(self, missing_ok: bool = False) -> None:
        """Delete an object; a server need not say whether it was there."""
        try:
            self.delete([self])
        except FileNotFoundError:
            if not missing_ok:
                raise

    def delete(self, paths: Iterable[PurePosixPath]) -> None:
        """Delete objects of the same bucket, many with a request."""
        with refusals():
            self.bucket.delete(["/".join(path.parts[2:]) for path in paths])

    def stat(self) -> Status:
        """The status of an object; that of the listing which named it, if one did."""
        if self.listed is not None:
            return self.listed
        with refusals():
            return _status(self.bucket.head(self.key))

    def is_symlink(self) -> bool:
        return False

    def is_file(self) -> bool:
        try:
            return bool(self.stat())
        except FileNotFoundError:
            return False

    def is_dir(self) -> bool:
        """Whether any object is below this address."""
        return any(True for _ in self.rglob())

    def exists(self) -> bool:
        return self.is_file() or self.is_dir()

    def touch(self) -> None:
        """Put an empty object."""
        self.write_bytes(b"")

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing: a folder of a bucket is there with the first object in it, and gone with the last."""

    def rmdir(self) -> None:
        """Nothing, as `mkdir`."""

    def iterdir(self) -> Iterator[Address]:
        """The objects and folders right below this address."""
        with refusals():
            folders, objects = self.bucket.children(self._prefix)
        yield from (self / name.rpartition("/")[2] for name in folders)
        yield from map(self._found, objects)

    def glob(self, pattern: str) -> Iterator[Address]:
        """What is right below this address and has a name like the pattern."""
        return (one for one in self.iterdir() if fnmatchcase(one.name, pattern))

    def rglob(self, pattern: str = "*") -> Iterator[Address]:
        """All objects below this address with a name like the pattern, in the order of their keys."""
        parts = self.bucket.below(self._prefix)
        while True:
            with refusals():
                part = next(parts, None)
            if part is None:
                return
            yield from (one for one in map(self._found, part) if fnmatchcase(one.name, pattern))

    @property
    def _prefix(self) -> str | None:
        return self.key or None

    def _found(self, meta: dict[str, object]) -> Address:
        one = type(self)(*self.parts[:2], str(meta["path"]))
        one.listed = _status(meta)
        return one

    def _put(self, content: bytes, mode: str | dict[str, str]) -> None:
        with refusals():
            self.bucket.put(self.key, content, mode)

    def _content(self) -> bytes | None:
        try:
            return type(self)(*self.parts).read_bytes()
        except FileNotFoundError:
            return None


Location = Path | Address
"""Where a store is: a folder, or an address in a bucket."""


def located(place: str | Location) -> Location:
    """A folder or an address as it is written; `BadValue` for the address of no bucket."""
    text = str(place)
    scheme, separator, rest = text.partition("://")
    if not separator or not re.fullmatch("[A-Za-z][A-Za-z0-9+.-]*", scheme):
        return Path(place) if isinstance(place, str) else place
    if scheme not in SCHEMES or not re.fullmatch(r"[^/\s?#]+(/[^\0?#]*)?", rest) or ".." in rest.split("/"):
        raise BadValue("store", text, f"a folder, or {FORMS}")
    return Address(text)


def ahead(paths: Iterable[Location], known: Container[Location] = ()) -> Iterator[Location]:
    """The same paths, with the content of small objects that are not known fetched by threads before they are read."""
    waiting = iter(paths)
    with ThreadPoolExecutor(AHEAD, "fetch") as pool:
        while part := list(islice(waiting, AHEAD)):
            list(pool.map(_fetch, [path for path in part if isinstance(path, Address) and path not in known]))
            yield from part


def _fetch(path: Address) -> None:
    if path.listed is not None and path.listed.st_size <= IN_MEMORY:
        try:
            path.fetched = path.read_bytes()
        except OSError:
            path.fetched = None  # told when it is read


class _Parts(io.RawIOBase):
    """A large object, of which only what is read is fetched."""

    def __init__(self, address: Address, status: Status) -> None:
        self.address = address
        self.status = status
        self.place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.place, os.SEEK_END: self.status.st_size}[whence]
        self.place = start + offset
        return self.place

    def readinto(self, into: memoryview) -> int:  # type: ignore[override]  # what BufferedReader gives
        end = min(self.place + len(into), self.status.st_size)
        if end <= self.place:
            return 0
        options = {"range": (self.place, end), "if_match": self.status.tag}
        try:
            with refusals():
                content = bytes(self.address.bucket.get(self.address.key, options).bytes())
        except FileExistsError as error:
            # Another object has taken its place since it was opened.
            raise FileNotFoundError(*error.args) from error
        into[: len(content)] = content
        self.place += len(content)
        return len(content)


def _status(meta: dict[str, object]) -> Status:
    tag, date = str(meta["e_tag"]), meta["last_modified"].timestamp()  # type: ignore[attr-defined]  # a datetime
    number = int.from_bytes(sha256(tag.encode()).digest()[:6])
    size = int(meta["size"])  # type: ignore[call-overload]  # an int
    return Status(stat.S_IFREG, number, size, date, int(date * 1e9), tag)
