"""Which file is damaged, gone or not to be had, whatever a library raises."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader

from bench_lib.core.errors import BadStore
from bench_lib.store.objects import Address, Location

_SYSTEM = {errno.EIO, errno.EACCES, errno.EPERM, errno.ESTALE, errno.ENODEV, errno.ENXIO, errno.EMFILE, errno.ENFILE}
_ABSURD = 2**10
"""Bytes of memory for a byte of a file, above which a request for memory is taken for damage of the file."""


State = tuple[int, int, int]


class Damaged(BadStore):
    """A file that does not hold, from end to end, what its name and its digests say."""

    def __init__(self, path: Location, why: str) -> None:
        super().__init__(f"{path} is damaged: {why}")
        self.path = path
        self.why = why


class Gone(BadStore):
    """A file that was there when the folder was listed."""

    def __init__(self, path: Location) -> None:
        super().__init__(f"{path} is not there any more: the store changes while it is read")


class Unwritable(BadStore):
    """The system does not let a store be written; another attempt may do."""


class Unstorable(BadStore):
    """A record that is no row of the schema; no other attempt would do."""


@contextmanager
def writing(place: Location) -> Iterator[None]:
    """Errors of the system while something is written become `Unwritable`, with the place and the reason."""
    try:
        yield
    except OSError as error:
        raise Unwritable(f"{place} cannot be written: {reason(error)}") from error


@contextmanager
def reading(path: Location) -> Iterator[BufferedReader]:
    """A regular file opened; one that is gone, not regular or not to be read raises `BadStore`."""
    try:
        if why := irregular(path):
            raise BadStore(f"{path} is {why}; it is not opened")
        file = path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        raise Gone(path) from None
    except OSError as error:
        raise BadStore(f"{path} cannot be read: {reason(error)}") from error
    with file:
        yield file


@contextmanager
def damage_named(path: Location) -> Iterator[None]:
    """Whatever is raised while a file is decoded is damage of that file, but for what the system refuses."""
    try:
        yield
    except BadStore:
        raise
    except MemoryError as error:
        asked = re.search(r"size (\d+)", str(error))
        if asked is None or int(asked[1]) < _ABSURD * path.stat().st_size:
            raise BadStore(f"there is not enough memory to read {path}") from error
        raise Damaged(path, reason(error)) from error
    except OSError as error:
        if error.errno in _SYSTEM:
            raise BadStore(f"{path} cannot be read: {reason(error)}") from error
        raise Damaged(path, reason(error)) from error
    except Exception as error:
        raise Damaged(path, reason(error)) from error


def state(path: Location) -> State:
    """What changes when a file is replaced: its inode, size and time of change."""
    try:
        now = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise Gone(path) from None
    except OSError as error:
        raise BadStore(f"{path} cannot be read: {reason(error)}") from error
    return now.st_ino, now.st_size, now.st_mtime_ns


def irregular(path: Location) -> str | None:
    """What a path is that is no regular file, without opening it or following it; None for one that is."""
    if isinstance(path, Address):
        return None  # an object is nothing else
    mode = os.lstat(path).st_mode
    if stat.S_ISREG(mode):
        return None
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe"}
    return f"{kinds.get(stat.S_IFMT(mode), 'a socket or a device')} and no regular file"


def reason(error: BaseException) -> str:
    """The first line of an error, without its path where the system raised it."""
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return error.strerror
    lines = str(error).splitlines() or [""]
    says_enough = isinstance(error, (OSError, ValueError, BadStore)) and lines[0]
    return lines[0] if says_enough else f"{type(error).__name__} {lines[0]}".strip()
