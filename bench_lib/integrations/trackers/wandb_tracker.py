"""W&B, offline: a folder for each run, which `wandb sync` sends to a server."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench_lib.core.errors import require
from bench_lib.integrations.trackers.runs import TrackedRun

LEDGER = "exported-by-stabbench.tsv"
"""Run ids and attempts that are written whole, a line for each: after a sync their folders may be gone."""

SETTLED_AT_ONCE = 50
"""Runs after which the process of W&B is ended and begun anew, which takes a second."""


@contextmanager
def open_tracker(place: str, project: str) -> Iterator[WandB]:
    """The runs of a project in a folder."""
    require(bool(place), "--out", place, "a folder for the offline runs")
    tracker = WandB(Path(place), project)
    try:
        yield tracker
    finally:
        tracker.settle()


class WandB:
    """Offline runs of a project, each with the id of its run."""

    def __init__(self, root: Path, project: str) -> None:
        self.root, self.project = root, project
        self.ledger = root / "wandb" / f"{project}-{LEDGER}"
        self.unsettled: list[str] = []

    def held(self) -> dict[str, int]:
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        named = (line.partition("\t") for line in lines)
        return {run_id: int(attempts) for run_id, tab, attempts in named if tab and attempts.isdigit()}

    def put(self, run: TrackedRun) -> None:
        import wandb

        for old in (self.root / "wandb").glob(f"offline-run-*-{run.run_id}"):
            shutil.rmtree(old)
        self.root.mkdir(parents=True, exist_ok=True)
        settings = wandb.Settings(
            mode="offline", silent=True, console="off", save_code=False, x_disable_stats=True, x_disable_meta=True
        )
        tags = {f"stabbench.{name}": value for name, value in run.tags.items()}
        logged = wandb.init(
            project=self.project,
            dir=str(self.root),
            id=run.run_id,
            name=run.name,
            group=run.group,
            job_type=run.technique,
            config=dict(run.settings) | tags,
            settings=settings,
            reinit="create_new",
        )
        for step, values in run.rows():
            logged.log(values, step=step)
        logged.summary.update(dict(run.summary) | {"status": run.tags["status"]})
        logged.finish()
        self.unsettled.append(f"{run.run_id}\t{run.attempts}\n")
        if len(self.unsettled) == SETTLED_AT_ONCE:
            self.settle()

    def settle(self) -> None:
        """Wait until the process of W&B has written its runs, which `finish` does not, and list them."""
        import wandb

        if self.unsettled:
            wandb.teardown()
            with self.ledger.open("a") as file:
                file.writelines(self.unsettled)
            self.unsettled.clear()
