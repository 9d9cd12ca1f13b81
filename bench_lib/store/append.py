"""How a run is written to a store, whether one can be, and how what is damaged is moved out of the way."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from uuid import uuid4

from bench_lib.core.record import RunRecord
from bench_lib.store import weights
from bench_lib.store.damage import Unstorable, Unwritable, writing
from bench_lib.store.files import put_newer, stage
from bench_lib.store.identity import contradictions
from bench_lib.store.listing import check_inside, leftovers
from bench_lib.store.objects import Address, Location
from bench_lib.store.schema import PREDICTIONS, RUNS, predictions_table, to_table

ABANDONED = 5.0
"""Seconds after which a file that is not renamed has lost its writer."""

PROBE = bytes(2**16)
"""What is written to see whether there is room for anything."""


def append(root: Location, record: RunRecord, kept: Location, sidecar: Location, path: Location) -> None:
    """Write one run: first its weights and predictions, then its row, each whole or not at all.

    The paths are those of the weights, the predictions and the row.
    """
    for place in (kept, sidecar, path):
        check_inside(root, place)
    row = to_table([record])
    predicted = None if record.predictions is None else predictions_table(record)
    for why in contradictions(vars(record)):
        raise Unstorable(why)
    if record.weights is not None:
        weights.put(kept, record.weights)
    with writing(root):
        if predicted is not None:
            put_newer(stage(sidecar.parent, [predicted], PREDICTIONS), sidecar, PREDICTIONS, record.attempts)
        stands = put_newer(stage(path.parent, [row], RUNS), path, RUNS, record.attempts)
        if predicted is None and stands:
            sidecar.unlink(missing_ok=True)


def move_aside(root: Location, path: Location) -> bool:
    """Move a file of a store to its quarantine, keeping its relative name; False where it is no longer there."""
    target = first = root / "quarantine" / path.relative_to(root)
    check_inside(root, path)
    check_inside(root, target)
    with writing(target.parent):
        for number in count(2):
            if not target.exists() and not target.is_symlink():
                break
            target = first.with_name(f"{first.name}.{number}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _move(path, target)
        except FileNotFoundError:
            return False
    return True


def _move(path: Location, target: Location) -> None:
    if isinstance(path, Path):
        path.replace(target)
        return
    # By a fresh address: what another machine has put there since it was read is not moved unread.
    state = path.stat()
    now = type(path)(*path.parts)
    if now.stat().tag != state.tag:
        raise FileNotFoundError(path)
    target.write_bytes(now.read_bytes())
    path.unlink()


def tidy(root: Location) -> None:
    """Remove what killed writers left; a file that some process writes at this moment is younger than that."""
    for top in (root / "runs", root / "predictions", root / "weights"):
        if not top.is_symlink():
            for path in leftovers(top, age=ABANDONED):
                with suppress(OSError):
                    path.unlink()


def check_writable(root: Location) -> None:
    """Raise `BadStore` with the reason unless files can be made, filled, renamed and removed where runs go."""
    if isinstance(root, Address):
        _probe_bucket(root)
        return
    for name in (".", "runs", "predictions"):
        folder = root / name
        check_inside(root, folder / name)
        if name == "." or folder.exists():
            _probe(folder)


def _probe(folder: Path) -> None:
    path = folder / f".{uuid4().hex}.tmp"
    with writing(folder):
        made = [one for one in (folder, *folder.parents) if not one.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                file.write(PROBE)
                file.flush()
                os.fsync(file.fileno())
            path = path.rename(path.with_suffix(".probe"))
        finally:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            for one in made:
                with suppress(OSError):
                    one.rmdir()


def _probe_bucket(root: Address) -> None:
    """Refuse a bucket that takes no object, or that puts one where another is though it was told not to."""
    path = root / f".{uuid4().hex}.probe"
    with writing(root):
        path.create(PROBE)
        try:
            path.create(b"")
        except FileExistsError:
            return
        finally:
            path.unlink()
    raise Unwritable(
        f"{root} cannot be written: its server ignores If-None-Match, by which several machines can share a store"
    )
