"""What a tracker can do for an export, and which trackers there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast

from bench_lib.core.errors import UnknownName
from bench_lib.core.extras import optional
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
    """A tracker by name, with its package, and the command that shows what was exported to a place."""

    name: str
    package: str
    shown_by: str

    def opened(self, place: str, project: str) -> AbstractContextManager[Tracker]:
        """Open it; `Unavailable` names the command that installs a missing package."""
        with optional(self.package):
            import_module(self.package)
        module = import_module(f"bench_lib.integrations.trackers.{self.name}_tracker")
        return cast(Open, module.open_tracker)(place, project)


TRACKERS = {
    kind.name: kind
    for kind in (
        TrackerKind("trackio", "trackio", "trackio show --project {project}"),
        TrackerKind("tensorboard", "tensorboard", "tensorboard --logdir {place}"),
        TrackerKind("wandb", "wandb", "wandb sync {place}/wandb/offline-run-*"),
        TrackerKind("mlflow", "mlflow", "mlflow ui --backend-store-uri sqlite:///{place}/mlflow.db"),
    )
}


def find_tracker(name: str) -> TrackerKind:
    """The tracker with a name; any other raises `UnknownName`."""
    if name not in TRACKERS:
        raise UnknownName("tracker", name, TRACKERS)
    return TRACKERS[name]
