"""Tasks, as typed metadata, and their data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench_lib.core.errors import check_name, require
from bench_lib.tasks.fitting import check_columns, check_labels, check_metrics
from bench_lib.tasks.formats.base import Example, Format
from bench_lib.tasks.formats.reading import A_TEXT_A_COLUMN, Reading
from bench_lib.tasks.formats.writing import PLAIN, Writing
from bench_lib.tasks.further import FurtherData, GeneralText

OWN_VERSION = "own-"
"""How the version of a user's own task begins; the digest of what decides its results follows."""


@dataclass(frozen=True)
class Task:
    """A data set with its splits and metrics, pinned to a revision if it is on the hub.

    `format` is the format of its examples. `columns` are those of the hub, the inputs first and the target last. The
    first of the `metrics` is the primary one. `judges_wording` says that labels depend on the wording, so that a
    paraphrase may need another label; `language` is that of the texts. `mends_tags` says that an `I-` tag that
    continues no entity is read as its `B-`, as conlleval reads it; otherwise its row is refused. `writing` is for
    formats whose answers are written, and `reading` for texts that are made of several columns. `version` is raised
    when parsing or scoring changes. A task that is read from folders only has neither `hub_id` nor `revision`. `path`
    is the file or folder of a user's own, with its data. Columns, labels or metrics that do not fit each other or the
    format, and one of `hub_id` and `revision` without the other, raise `BenchError`.
    """

    name: str
    format: Format
    description: str
    columns: tuple[str, ...]
    labels: tuple[str, ...]
    metrics: tuple[str, ...]
    licence: str
    citation: str
    eval_split: str
    train_split: str = "train"
    judges_wording: bool = False
    language: str = "English"
    mends_tags: bool = False
    writing: Writing = PLAIN
    reading: Reading = A_TEXT_A_COLUMN
    version: str = "1"
    hub_id: str = ""
    hub_config: str | None = None
    revision: str = ""
    path: str = ""

    def __post_init__(self) -> None:
        check_name("name of a task", self.name)
        # The name is also that of a folder and an item of lists.
        plain = not set(self.name) & set("/\\,:=+ ") and self.name.strip(".") != ""
        require(plain, "name of a task", self.name, "no blank, slash, comma, colon, equals or plus sign")
        require(
            isinstance(self.format, Format),
            f"format of task {self.name}",
            self.format,
            "a task format, such as bench_lib.TEXT_CLASSIFICATION",
        )
        check_columns(self.format, self.columns, self.name, self.reading)
        check_labels(self.format, self.labels, self.name)
        check_metrics(self.format, self.metrics, self.labels, self.name)
        self.writing.check(self.name)
        self.format.check_writing(self.writing, self.writing.language or self.language, self.metrics, self.name)
        self._check_hub()

    def _check_hub(self) -> None:
        if self.hub_id:
            require(len(self.revision) == 40, f"revision of task {self.name}", self.revision, "a full commit hash")
            return
        for what in ("hub_config", "revision"):
            value = getattr(self, what)
            require(not value, f"{what} of task {self.name}", value, "nothing where there is no hub_id")

    @property
    def primary(self) -> str:
        return self.metrics[0]


@dataclass(frozen=True, eq=False)
class Data:
    """A task's examples from one source: `source` is hub, local or embedded; the fingerprint is of the rows' values.

    `facts` belong to the provenance of its runs. `further` is what its models are also evaluated on; examples that it
    leaks are not in `train`. On the `general_text` forgetting is measured.
    """

    task: Task
    source: str
    fingerprint: str
    train: Sequence[Example]
    evaluation: Sequence[Example]
    facts: Mapping[str, str] = field(default_factory=dict)
    further: tuple[FurtherData, ...] = ()
    general_text: GeneralText | None = None
