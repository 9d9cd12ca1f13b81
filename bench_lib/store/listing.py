"""The files of a store as they lie in its folders; what is no regular file is named and neither opened nor followed."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from bench_lib.core.errors import BadStore
from bench_lib.store.damage import irregular, reason
from bench_lib.store.objects import Address, Location

SUFFIX = ".parquet"
_AGAIN = 100
_SINGLE = re.compile("task=[^/]*/technique=[^/]*")


class Listing(NamedTuple):
    """Compacted files, then single ones, each in the order of their names; and what cannot be one, with the reason."""

    files: list[Location]
    odd: dict[Location, str]


def listed(top: Location, run_id: str | None = None, place: Location | None = None) -> Listing:
    """The files of `runs` or `predictions`, of one run only if given, whole at some moment while it is compacted.

    Compacting writes what is new before it removes what is old: what stands in the top folder before and after the
    single files were listed, unchanged, holds every run that they do not. Where the place of the run's single file is
    given, no others are listed, and what stands in the top folder afterwards holds the run if that file does not.
    """
    odd: dict[Location, str] = {}
    if place is not None:
        alone = [place] if _is_there(place, top, odd) else []
        return Listing([*_files(top, None, odd), *alone], odd)
    for _ in range(_AGAIN):
        before = [*_files(top, None, odd)]
        single = _single(top, run_id, odd)
        if before == [*_files(top, None, odd)]:
            return Listing(before + sorted(single), odd)
    raise BadStore(f"{top} changes all the time while it is listed; try again when nothing writes to it")


@contextmanager
def listing(top: Location) -> Iterator[None]:
    """Errors of the system while something is listed become `BadStore`, with the place and the reason."""
    try:
        yield
    except OSError as error:
        raise BadStore(f"{top} cannot be listed: {reason(error)}") from error


def is_there(root: Location) -> bool:
    """Whether a folder exists, or any object below an address."""
    with listing(root):
        return root.is_dir()


def leftovers(top: Location, age: float = 0.0) -> list[Path]:
    """Files under a folder whose writer was killed before the rename, not written to for so many seconds."""
    found: list[Path] = []
    if isinstance(top, Address):
        return found  # an object is there whole or not at all
    for folder, _, names in os.walk(top):
        for path in (Path(folder, name) for name in names if name.startswith(".") and name.endswith(".tmp")):
            # A writer may rename it at this moment.
            with suppress(FileNotFoundError):
                if irregular(path) is None and time.time() - path.stat().st_mtime >= age:
                    found.append(path)
    return found


def emptied(top: Location) -> Iterator[Path]:
    """The folders of single files, each after those in it."""
    odd: dict[Location, str] = {}
    if isinstance(top, Address):
        return
    for task in _below(top, "task=", odd):
        yield from _below(task, "technique=", odd)
        yield task


def check_inside(root: Location, path: Location) -> None:
    """Raise `BadStore` where a symbolic link on the way from the root leads elsewhere: nothing there is ours."""
    way = path.relative_to(root).parts[:-1]
    for depth in range(len(way)):
        folder = root.joinpath(*way[: depth + 1])
        if folder.is_symlink():
            raise BadStore(f"{folder} is a symbolic link, which a store may not hold; move what it leads to here")


def _folders(top: Path, odd: dict[Location, str]) -> list[Path]:
    return [folder for task in _below(top, "task=", odd) for folder in _below(task, "technique=", odd)]


def _below(folder: Path, prefix: str, odd: dict[Location, str]) -> list[Path]:
    found = []
    for entry in _entries(folder, odd):
        if entry.name.startswith(prefix):
            if entry.is_dir(follow_symlinks=False):
                found.append(Path(entry.path))
            else:
                odd[Path(entry.path)] = "no folder, and nothing behind it is read"
    return sorted(found)


def _single(top: Location, run_id: str | None, odd: dict[Location, str]) -> list[Location]:
    if isinstance(top, Address):
        # One listing of all is fewer requests than one for each folder.
        pattern = f"{run_id or '*'}{SUFFIX}"
        with listing(top):
            return [path for path in top.rglob(pattern) if _SINGLE.fullmatch(path.relative_to(top).parent.as_posix())]
    return [path for folder in _folders(top, odd) for path in _files(folder, run_id, odd)]


def _files(folder: Location, run_id: str | None, odd: dict[Location, str]) -> list[Location]:
    if isinstance(folder, Address):
        with listing(folder):
            return sorted(path for path in folder.glob(f"*{SUFFIX}") if path.listed)
    if run_id is not None:
        return [path for path in [folder / f"{run_id}{SUFFIX}"] if _is_file(path, odd)]
    found: list[Location] = []
    for entry in _entries(folder, odd):
        if entry.name.endswith(SUFFIX):
            path = Path(entry.path)
            if entry.is_file(follow_symlinks=False) or _is_file(path, odd):
                found.append(path)
    return sorted(found)


def _is_there(path: Location, top: Location, odd: dict[Location, str]) -> bool:
    """Whether a single file stands where it belongs; behind a symbolic link nothing is looked for."""
    if isinstance(path, Address):
        with listing(path):
            return path.is_file()
    folders = [folder for folder in path.parents if folder.is_relative_to(top)]
    return not any(map(Path.is_symlink, folders)) and _is_file(path, odd)


def _is_file(path: Path, odd: dict[Location, str]) -> bool:
    try:
        why = irregular(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    if why is not None:
        odd[path] = why
    return why is None


def _entries(folder: Path, odd: dict[Location, str]) -> list[os.DirEntry[str]]:
    try:
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            odd[folder] = "no folder, and nothing behind it is read"
            return []
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadStore(f"{folder} cannot be listed: {reason(error)}") from error
