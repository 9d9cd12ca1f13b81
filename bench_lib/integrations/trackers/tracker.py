"""What a tracker can do for an export, and the registry of trackers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from bench_lib.core.errors import BenchError
from bench_lib.core.extras import optional
from bench_lib.core.registry import Registry
from bench_lib.integrations.trackers.runs import TrackedRun


class Tracker(Protocol):
    """A place that takes runs one by one."""

    def held(self) -> Mapping[str, int]:
        """The attempts of each run that it has whole, by run id."""

    def put(self, run: TrackedRun) -> None:
        """Add a run, in place of what there is of it."""


Open = Callable[[str, str], AbstractContextManager[Tracker]]
"""Opens a tracker at a place, which may be empty, for a project."""


@dataclass(frozen=True)
class TrackerKind:
    """A tracker by name: its package, how it is opened, and the command that shows what is in a place."""

    name: str
    package: str
    open_at: Open
    shown_by: str

    def opened(self, place: str, project: str) -> AbstractContextManager[Tracker]:
        """Open it; `Unavailable` names the command that installs a missing package."""
        with optional(self.package):
            import_module(self.package)
        return self.open_at(place, project)

    def shown(self, place: str, project: str) -> str:
        """The command that shows what was exported; empty for what is elsewhere than on this machine."""
        return "" if "://" in place else self.shown_by.format(place=place, project=project)


def _check(entry: object, where: str) -> None:
    if not isinstance(entry, TrackerKind):
        raise BenchError(f"the tracker {where} is of the type {type(entry).__name__}; it must be a TrackerKind")


def _own(name: str) -> Open:
    """What opens one of the trackers here, whose module imports the package."""

    def opened(place: str, project: str) -> AbstractContextManager[Tracker]:
        module = import_module(f"bench_lib.integrations.trackers.{name}_tracker")
        return cast(Open, module.open_tracker)(place, project)

    return opened


TRACKERS: Registry[TrackerKind] = Registry("tracker", "stabbench.trackers", _check)
for _name, _shown_by in (
    ("trackio", "trackio show --project {project}"),
    ("tensorboard", "tensorboard --logdir {place}"),
    ("wandb", "wandb sync {place}/wandb/offline-run-*"),
    ("mlflow", "mlflow ui --backend-store-uri sqlite:///{place}/mlflow.db"),
):
    TRACKERS.add(_name, TrackerKind(_name, _name, _own(_name), _shown_by))
