"""TensorBoard: a folder of event files for each run."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench_lib.core.errors import require
from bench_lib.integrations.trackers.runs import TrackedRun

PARTIAL = ".partial"
HELD = re.compile(r"seed-\d+-(?P<run_id>[A-Za-z0-9_-]+)-attempt-(?P<attempts>\d+)")


@contextmanager
def open_tracker(place: str, project: str) -> Iterator[TensorBoard]:
    """The runs of a project in a folder."""
    require(bool(place), "--out", place, "a folder for the event files")
    yield TensorBoard(Path(place) / _safe(project))


class TensorBoard:
    """One folder a run, `TASK/TECHNIQUE/seed-N-ID-attempt-K`, which is whole once it has that name."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def held(self) -> dict[str, int]:
        named = (HELD.fullmatch(path.name) for path in self.root.glob("*/*/seed-*") if path.is_dir())
        return {found["run_id"]: int(found["attempts"]) for found in named if found}

    def put(self, run: TrackedRun) -> None:
        from torch.utils.tensorboard import SummaryWriter

        cell = self.root / _safe(run.task) / _safe(run.technique)
        for old in cell.glob(f"seed-{run.seed}-{run.run_id}-*"):
            shutil.rmtree(old)
        target = cell / f"seed-{run.seed}-{run.run_id}-attempt-{run.attempts}"
        partial = target.with_name(f"{target.name}{PARTIAL}")
        with SummaryWriter(str(partial)) as writer:
            for name, points in run.series.items():
                for step, value in points:
                    writer.add_scalar(name, value, step, walltime=run.started)
            texts = "\n".join(f"| {name} | {value} |" for name, value in run.tags.items())
            writer.add_text("tags", f"| tag | value |\n| --- | --- |\n{texts}", walltime=run.started)
            final = {f"final/{name}": value for name, value in run.summary.items()}
            writer.add_hparams(dict(run.settings) | {"status": run.tags["status"]}, final, run_name=".")
        partial.rename(target)


def _safe(name: str) -> str:
    """A name as a folder's: other characters than letters, digits and `_+.=@-` become `_`."""
    return re.sub(r"[^\w+.=@\[\]-]", "_", name)
