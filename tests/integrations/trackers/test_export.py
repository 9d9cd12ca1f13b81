"""Each tracker against its real package, offline: what is read back is what the store holds."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE
from bench_lib.core import registry
from bench_lib.core.errors import BadValue, BenchError, Unavailable, UnknownName
from bench_lib.core.record import RunRecord
from bench_lib.integrations.trackers.export import Exported, Selection, export
from bench_lib.integrations.trackers.runs import TrackedRun
from bench_lib.integrations.trackers.tracker import TRACKERS, TrackerKind
from bench_lib.store import Store

Make = Callable[..., RunRecord]
ALL = Selection()


class Listed:
    """A tracker that keeps runs in a dictionary, and breaks when it is to take some."""

    def __init__(self, breaks_at: int = 99) -> None:
        self.runs: dict[str, TrackedRun] = {}
        self.breaks_at = breaks_at

    def held(self) -> Mapping[str, int]:
        return {run_id: run.attempts for run_id, run in self.runs.items()}

    def put(self, run: TrackedRun) -> None:
        if len(self.runs) == self.breaks_at:
            raise OSError("full")
        self.runs[run.run_id] = run


def exported(store: Store, name: str, place: Path | str = "", project: str = "stabbench") -> Exported:
    with TRACKERS.get(name).opened(str(place), project) as tracker:
        return export(store, tracker, ALL)


def test_only_what_is_new_is_added(store: Store, make: Make) -> None:
    tracker, told = Listed(), []
    assert export(store, tracker, ALL, lambda *counts: told.append(counts)) == (3, 3)
    assert told == [(1, 3), (2, 3), (3, 3)]
    store.append(make(7))
    store.append(make(2, attempts=2))
    assert export(store, tracker, ALL) == (4, 2)
    assert export(store, tracker, ALL) == (4, 0)
    assert {run.seed: run.tags["status"] for run in tracker.runs.values()} == dict.fromkeys((0, 1, 2, 7), "converged")


def test_an_export_that_was_stopped_goes_on(store: Store) -> None:
    tracker = Listed(breaks_at=2)
    with pytest.raises(OSError, match="full"):
        export(store, tracker, ALL)
    tracker.breaks_at = 99
    assert export(store, tracker, ALL) == (3, 1)


def test_runs_are_chosen_by_name(store: Store, make: Make) -> None:
    store.append(make(0, technique="llrd"))
    tracker = Listed()
    assert export(store, tracker, Selection(techniques=("llrd",))) == (1, 1)
    with pytest.raises(UnknownName, match="did you mean 'llrd'"):
        Selection(techniques=("lrd",)).of(store)
    with pytest.raises(UnknownName, match="task of the stored runs"):
        Selection(("sst2",)).of(store)


def test_tensorboard(store: Store, tmp_path: Path, make: Make) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert exported(store, "tensorboard", tmp_path) == (3, 3)
    assert exported(store, "tensorboard", tmp_path) == (3, 0)
    (folder,) = (tmp_path / "stabbench" / "rte" / "mixout").glob("seed-0-*")
    events = EventAccumulator(str(folder)).Reload()
    assert [(e.step, round(e.value, 4)) for e in events.Scalars("train/loss")] == [(1, 0.7), (2, 0.6), (3, 0.5)]
    assert events.Scalars("final/score")[0].value == 0.75
    (folder,) = (tmp_path / "stabbench" / "rte" / "mixout").glob("seed-2-*")
    assert math.isnan(EventAccumulator(str(folder)).Reload().Scalars("train/loss")[-1].value)
    folder.rename(folder.with_name(f"{folder.name}.partial"))
    store.append(make(1, attempts=2))
    assert exported(store, "tensorboard", tmp_path) == (3, 2)
    assert len([*(tmp_path / "stabbench" / "rte" / "mixout").iterdir()]) == 3


def test_mlflow(store: Store, tmp_path: Path, make: Make) -> None:
    pytest.importorskip("mlflow")
    pytest.importorskip("sqlalchemy")
    from mlflow import MlflowClient

    assert exported(store, "mlflow", tmp_path, "sweep") == (3, 3)
    assert exported(store, "mlflow", tmp_path, "sweep") == (3, 0)
    client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
    experiment = client.get_experiment_by_name("sweep").experiment_id
    found = {run.data.params["seed"]: run for run in client.search_runs([experiment])}
    run = found["0"]
    assert run.info.run_name == "rte mixout seed 0"
    assert run.info.start_time == 1767323045000
    assert run.data.metrics["score"] == 0.75
    assert run.data.params["technique.mixout.p"] == "0.9"
    assert run.data.tags["stabbench.status"] == "converged"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    assert sorted((point.step, point.value) for point in history) == [(1, 0.7), (2, 0.6), (3, 0.5)]
    assert found["2"].data.tags["stabbench.status"] == "diverged"
    client.update_run(found["2"].info.run_id, status="RUNNING")
    store.append(make(1, attempts=2))
    assert exported(store, "mlflow", tmp_path, "sweep") == (3, 2)
    assert len(client.search_runs([experiment])) == 3


def test_trackio(store: Store, tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("trackio")
    from trackio import sqlite_storage

    monkeypatch.setattr(sqlite_storage, "TRACKIO_DIR", tmp_path / "trackio")
    assert exported(store, "trackio") == (3, 3)
    assert exported(store, "trackio") == (3, 0)
    store.append(make(1, attempts=2))
    assert exported(store, "trackio") == (3, 1)
    names = sqlite_storage.SQLiteStorage.get_runs("stabbench")
    assert sorted(name[:17] for name in names) == [f"rte mixout seed {seed}" for seed in range(3)]
    (name,) = [name for name in names if "seed 0" in name]
    logs = sqlite_storage.SQLiteStorage.get_logs("stabbench", name)
    assert [(row["step"], row["train/loss"]) for row in logs] == [(1, 0.7), (2, 0.6), (3, 0.5)]
    assert logs[-1]["final/score"] == 0.75
    config = sqlite_storage.SQLiteStorage.get_run_config("stabbench", name)
    assert (config["technique.mixout.p"], config["stabbench.status"]) == (0.9, "converged")


def wandb_records(path: Path) -> Iterator[Any]:
    """The records of an offline run: blocks as in LevelDB's log, after a head of 7 bytes."""
    from wandb.proto import wandb_internal_pb2

    content, place, whole = path.read_bytes(), 7, b""
    while place + 7 <= len(content):
        if (left := 32768 - place % 32768) < 7:
            place += left
            continue
        size, kind = int.from_bytes(content[place + 4 : place + 6], "little"), content[place + 6]
        whole += content[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in (1, 4):
            yield wandb_internal_pb2.Record.FromString(whole)
            whole = b""


def test_wandb(tmp_path: Path, make: Make) -> None:
    pytest.importorskip("wandb")
    store, record = Store(tmp_path / "store"), make(0)
    store.append(record)
    assert exported(store, "wandb", tmp_path) == (1, 1)
    assert exported(store, "wandb", tmp_path) == (1, 0)
    (path,) = (tmp_path / "wandb").glob(f"offline-run-*-{record.run_id}/*.wandb")
    found = [*wandb_records(path)]
    steps = [r.history.item for r in found if r.HasField("history")]
    losses = [float(i.value_json) for items in steps for i in items if "train/loss" in (i.key, *i.nested_key)]
    assert losses == [0.7, 0.6, 0.5]
    (run,) = [r.run for r in found if r.HasField("run")][:1]
    assert (run.run_id, run.display_name, run.run_group) == (record.run_id, "rte mixout seed 0", "rte mixout")
    assert '"converged"' in {item.value_json for item in run.config.update}
    # Without its line in the list a run was not written whole, and is written again.
    next((tmp_path / "wandb").glob("*.tsv")).unlink()
    assert exported(store, "wandb", tmp_path) == (1, 1)
    assert len([*(tmp_path / "wandb").glob("offline-run-*")]) == 1


@pytest.mark.parametrize(("name", "place"), [("tensorboard", ""), ("mlflow", ""), ("wandb", ""), ("trackio", "here")])
def test_a_place_is_asked_for_where_there_has_to_be_one(store: Store, name: str, place: str) -> None:
    pytest.importorskip(TRACKERS.get(name).package)
    with pytest.raises(BadValue, match="--out"):
        exported(store, name, place)


def test_a_missing_package_is_named_with_its_command() -> None:
    with pytest.raises(Unavailable, match="package no_such_tracker is not installed: pip install no_such_tracker"):
        TrackerKind("none", "no_such_tracker", TRACKERS.get("wandb").open_at, "").opened("", "")
    with pytest.raises(UnknownName, match="did you mean 'mlflow'"):
        TRACKERS.get("mlfow")


def test_a_package_may_offer_a_tracker_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("offering")
    module.KIND = TrackerKind("own", "json", TRACKERS.get("wandb").open_at, "look at {place}")  # type: ignore[attr-defined]
    module.WRONG = 3  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "offering", module)
    offered = tuple(
        EntryPoint(n, f"offering:{v}", "stabbench.trackers") for n, v in (("own", "KIND"), ("bad", "WRONG"))
    )
    monkeypatch.setattr(registry, "_points", lambda group: offered)
    assert TRACKERS.names() == ("trackio", "tensorboard", "wandb", "mlflow", "own", "bad")
    assert TRACKERS.get("own").shown("here", "p") == "look at here"
    with pytest.raises(BenchError, match="is of the type int; it must be a TrackerKind"):
        TRACKERS.get("bad")


def test_what_is_on_a_server_has_no_command_here() -> None:
    assert TRACKERS.get("mlflow").shown("http://server", "p") == ""


def test_the_command_exports(capsys: pytest.CaptureFixture[str], store: Store, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    words = ["export", "--to", "tensorboard", "--store", str(store.root), "--out", str(tmp_path / "events")]
    assert main([*words, "--techniques", "mixout"]) == DONE
    assert capsys.readouterr().out.splitlines() == [
        "3 of 3 runs are new in tensorboard, project stabbench",
        f"to look at them: tensorboard --logdir {tmp_path / 'events'}",
    ]
    assert main([*words[:3], "--store", str(tmp_path / "none"), "--out", "x"]) == USAGE
    assert main([*words, "--tasks", "sst2"]) == USAGE
    assert "unknown task of the stored runs 'sst2'" in capsys.readouterr().err


def test_the_command_line_starts_without_any_tracker() -> None:
    script = (
        "import sys, bench_lib.cli; sys.exit(bool({'wandb', 'mlflow', 'trackio', 'tensorboard'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
