"""How a run is written to a store, whether one can be, and how what is damaged is moved out of the way."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path
from uuid import uuid4

from bench_lib.core.record import RunRecord
from bench_lib.store import weights
from bench_lib.store.damage import Unstorable, writing
from bench_lib.store.files import stage
from bench_lib.store.identity import contradictions
from bench_lib.store.listing import check_inside, leftovers
from bench_lib.store.schema import PREDICTIONS, RUNS, predictions_table, to_table

ABANDONED = 5.0
"""Seconds after which a file that is not renamed has lost its writer."""

PROBE = bytes(2**16)
"""What is written to see whether there is room for anything."""


def append(root: Path, record: RunRecord, kept: Path, sidecar: Path, path: Path) -> None:
    """Write one run: first its weights and predictions, then its row, each to a temporary name, then renamed.

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
            stage(sidecar.parent, [predicted], PREDICTIONS).replace(sidecar)
        stage(path.parent, [row], RUNS).replace(path)
        if predicted is None:
            sidecar.unlink(missing_ok=True)


def move_aside(root: Path, path: Path) -> bool:
    """Move a file of a store to its quarantine, keeping its relative name; False where it is no longer there."""
    target = first = root / "quarantine" / path.relative_to(root)
    check_inside(root, path)
    check_inside(root, target)
    with writing(target.parent):
        for number in count(2):
            if not os.path.lexists(target):
                break
            target = first.with_name(f"{first.name}.{number}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.replace(target)
        except FileNotFoundError:
            return False
    return True


def tidy(root: Path) -> None:
    """Remove what killed writers left; a file that some process writes at this moment is younger than that."""
    for top in (root / "runs", root / "predictions", root / "weights"):
        if not top.is_symlink():
            for path in leftovers(top, age=ABANDONED):
                with suppress(OSError):
                    path.unlink()


def check_writable(root: Path) -> None:
    """Raise `BadStore` with the reason unless files can be made, filled, renamed and removed where runs go."""
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
