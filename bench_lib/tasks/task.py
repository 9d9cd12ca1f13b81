"""What a task is: typed metadata, and the data that a source hands over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench_lib.core.errors import check_name, require
from bench_lib.tasks.fitting import check_columns, check_labels, check_metrics
from bench_lib.tasks.formats.base import Example, Format


@dataclass(frozen=True)
class Task:
    """A data set, its split, and how it is scored; complete and pinned.

    `kind` is the format of its examples. `columns` are the hub's own: the inputs first and the target last. `metrics`
    name what the format computes; the first is the primary one. `judges_wording` says that the labels are of the
    wording itself, so that a text in other words may need another. `version` is raised when parsing or scoring changes.
    Columns, labels or metrics that do not fit each other or the format raise `BenchError`.
    """

    name: str
    kind: Format
    description: str
    hub_id: str
    hub_config: str | None
    revision: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    licence: str
    citation: str
    eval_split: str
    train_split: str = "train"
    judges_wording: bool = False
    version: str = "1"

    def __post_init__(self) -> None:
        check_name("name of a task", self.name)
        # It is the name of a folder, and stands in lists.
        plain = not set(self.name) & set("/\\,:=+ ") and self.name.strip(".") != ""
        require(plain, "name of a task", self.name, "no blank, slash, comma, colon, equals or plus sign")
        require(
            isinstance(self.kind, Format),
            f"kind of task {self.name}",
            self.kind,
            "a task format, such as bench_lib.Kind.SEQUENCE",
        )
        check_columns(self.kind, self.columns, self.name)
        check_labels(self.kind, self.labels, self.name)
        check_metrics(self.kind, self.metrics, self.labels, self.name)
        require(len(self.revision) == 40, f"revision of task {self.name}", self.revision, "a full commit hash")

    @property
    def primary(self) -> str:
        return self.metrics[0]


@dataclass(frozen=True, eq=False)
class Data:
    """A task's examples from one source: `source` is hub, local or embedded; the fingerprint is of the rows' values."""

    task: Task
    source: str
    fingerprint: str
    train: Sequence[Example]
    evaluation: Sequence[Example]
