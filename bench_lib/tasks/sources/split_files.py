"""The files of a folder that hold each split, as one file or in shards."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench_lib.core.errors import BadData
from bench_lib.tasks.sources.tables import READERS

SHARD = re.compile(r"(?P<split>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})")
"""The name of a shard on the hub, such as `train-00000-of-00002`."""
INNER = "data"
"""The folder in which data sets of the hub have their files."""


def files_by_split(folder: Path) -> dict[str, list[Path]]:
    """The files of a folder, and of its folder `data`, by the split that their names say, in order."""
    found: dict[str, list[Path]] = {}
    for place in (folder, folder / INNER):
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            if path.suffix.lower() in READERS and not path.name.startswith(".") and not path.is_dir():
                shard = SHARD.fullmatch(path.stem)
                found.setdefault(shard["split"] if shard else path.stem, []).append(path)
    return found


def files_of(split: str, found: Mapping[str, Sequence[Path]]) -> tuple[Path, ...]:
    """The files of one split, empty for none; `BadData` for a missing shard, or several files that are no shards."""
    paths = tuple(found.get(split, ()))
    shards = [match for path in paths if (match := SHARD.fullmatch(path.stem))]
    kinds = {(path.parent, path.suffix) for path in paths}
    if len(paths) > 1 and (len(shards) < len(paths) or len(kinds) > 1):
        raise BadData(f"split {split} is there more than once: {', '.join(map(str, paths))}; keep one of them")
    for path in paths:
        if not path.is_file():
            raise BadData(f"{path} is no regular file")
    numbers = [int(match["number"]) for match in shards]
    totals = {int(match["total"]) for match in shards}
    if shards and (len(totals) > 1 or numbers != list(range(max(totals)))):
        names = ", ".join(path.name for path in paths)
        raise BadData(f"split {split} in {paths[0].parent} is incomplete: there are {names}; all shards are needed")
    return paths
