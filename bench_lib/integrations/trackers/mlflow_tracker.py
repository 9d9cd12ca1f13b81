"""MLflow: a run for each run, in an experiment of a tracking server or of a local database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench_lib.core.errors import require
from bench_lib.core.extras import check_installed
from bench_lib.integrations.trackers.runs import TrackedRun

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

DATABASE = "mlflow.db"
METRICS_A_CALL, PARAMS_A_CALL = 1000, 100
"""What MLflow takes in one call."""
LONGEST_VALUE = 6000
"""Characters of a parameter; the rest of a longer one is cut."""
RUN_ID, ATTEMPTS = "stabbench.run_id", "stabbench.attempts"


@contextmanager
def open_tracker(place: str, project: str) -> Iterator[MLflow]:
    """An experiment at a tracking URI, or in a database in a folder."""
    require(bool(place), "--out", place, "a folder for the database, or the URI of a tracking server")
    # What users export is theirs; MLflow counts calls otherwise, and reads this when it is imported.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow import MlflowClient

    uri = place
    if "://" not in place:
        check_installed(("sqlalchemy",), "MLflow's local database")
        Path(place).mkdir(parents=True, exist_ok=True)
        uri = f"sqlite:///{Path(place).resolve() / DATABASE}"
    yield MLflow(MlflowClient(uri), project, place)


class MLflow:
    """Runs of an experiment, whole once they have ended."""

    def __init__(self, client: MlflowClient, project: str, place: str) -> None:
        self.client = client
        found = client.get_experiment_by_name(project)
        artifacts = None if "://" in place else (Path(place).resolve() / "artifacts").as_uri()
        self.experiment = found.experiment_id if found else client.create_experiment(project, artifacts)
        self.runs = dict(self._stored())

    def held(self) -> dict[str, int]:
        return {run_id: attempts for run_id, (_, attempts, whole) in self.runs.items() if whole}

    def put(self, run: TrackedRun) -> None:
        if run.run_id in self.runs:
            self.client.delete_run(self.runs[run.run_id][0])
        started = int(1000 * run.started)
        tags = {f"stabbench.{name}": value for name, value in run.tags.items() if value}
        made = self.client.create_run(self.experiment, started, tags, run.name).info.run_id
        self.runs[run.run_id] = (made, run.attempts, False)
        self._log(made, run, started)
        self.client.set_terminated(made, "FINISHED", started + int(1000 * run.summary.get("timing/train_seconds", 0)))
        self.runs[run.run_id] = (made, run.attempts, True)

    def _log(self, made: str, run: TrackedRun, started: int) -> None:
        from mlflow.entities import Param

        metrics = [*_metrics(run, started)]
        params = [Param(name, str(value)[:LONGEST_VALUE]) for name, value in run.settings.items()]
        for start in range(0, len(params), PARAMS_A_CALL):
            self.client.log_batch(made, params=params[start : start + PARAMS_A_CALL])
        for start in range(0, len(metrics), METRICS_A_CALL):
            self.client.log_batch(made, metrics=metrics[start : start + METRICS_A_CALL])

    def _stored(self) -> Iterator[tuple[str, tuple[str, int, bool]]]:
        token = None
        while True:
            page = self.client.search_runs([self.experiment], max_results=1000, page_token=token)
            for found in page:
                tags = found.data.tags
                if RUN_ID in tags:
                    whole = found.info.status == "FINISHED"
                    yield tags[RUN_ID], (found.info.run_id, int(tags[ATTEMPTS]), whole)
            token = page.token
            if not token:
                return


def _metrics(run: TrackedRun, started: int) -> Iterator[Metric]:
    from mlflow.entities import Metric

    for name, points in run.series.items():
        for step, value in points:
            yield Metric(name, value, started, step)
    for name, value in run.summary.items():
        yield Metric(name, value, started, 0)
