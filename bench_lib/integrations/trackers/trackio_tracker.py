"""trackio: a run for each run, in its local database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from bench_lib.core.errors import require
from bench_lib.integrations.trackers.runs import TrackedRun


@contextmanager
def open_tracker(place: str, project: str) -> Iterator[Trackio]:
    """A project of the local database, whose folder is trackio's own."""
    require(not place, "--out", place, "nothing with trackio: its folder is that of the variable TRACKIO_DIR")
    yield Trackio(project)


class Trackio:
    """The runs of a project; each is written by one transaction of `bulk_log`, which trackio's own imports use.

    `trackio.init` would start a server and a thread for every run.
    """

    def __init__(self, project: str) -> None:
        from trackio.sqlite_storage import SQLiteStorage

        self.storage = SQLiteStorage
        self.project = project

    def held(self) -> dict[str, int]:
        configs = self.storage.get_all_run_configs(self.project)
        found = (config for config in configs.values() if config and "stabbench.run_id" in config)
        return {config["stabbench.run_id"]: int(config["stabbench.attempts"]) for config in found}

    def put(self, run: TrackedRun) -> None:
        name = f"{run.name} {run.run_id[:6]}"
        self.storage.delete_run(self.project, name)
        tags = {f"stabbench.{tag}": value for tag, value in run.tags.items()}
        rows = dict(run.rows())
        last = max(rows, default=0)
        rows[last] = rows.get(last, {}) | {f"final/{key}": value for key, value in run.summary.items()}
        when = datetime.fromtimestamp(run.started, UTC).isoformat()
        self.storage.bulk_log(
            self.project,
            name,
            [*rows.values()],
            steps=[*rows],
            timestamps=[when] * len(rows),
            config={**run.settings, **tags, "_Group": run.group, "_Created": when},
        )
