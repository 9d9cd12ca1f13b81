"""An audit of a task's data or a robustness set: counts of every split, overlaps, and tokenisation coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from bench_lib.core.errors import BenchError
from bench_lib.core.profiles import ProfileFamily
from bench_lib.core.spec import Ref
from bench_lib.models.load import load_tokenizer
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import Example
from bench_lib.tasks.further import FurtherSet
from bench_lib.tasks.robustness.loading import load_part
from bench_lib.tasks.sources.load import other_splits, read_split, source_kind
from bench_lib.tasks.task import Task
from bench_lib.validation.duplicates import Counts, Inputs, Overlap, count, index, overlap
from bench_lib.validation.token_coverage import TokenCoverage, token_coverage

OTHERS = "other splits"


@dataclass(frozen=True)
class SplitAudit:
    """One split: whether the task uses it, its counts, and its tokenisation coverage."""

    split: str
    used: bool
    counts: Counts
    coverage: TokenCoverage


@dataclass(frozen=True)
class TaskAudit:
    """The splits of a task or the parts of a set, overlaps of pairs, and the splits that could not be read.

    `unread` has the reason for each of the latter; `failed` says whether the task or the set needs one of them.
    """

    task: str
    source: str
    splits: Sequence[SplitAudit]
    overlaps: Sequence[Overlap]
    unread: Mapping[str, str]
    failed: bool


def audit(task: Task, source: str, model: Ref, family: ProfileFamily) -> TaskAudit:
    """Audit all splits of a source for a task; splits that cannot be read are reported with the reason."""
    found, unread = _splits(task, source)
    used = (task.train_split, task.eval_split)
    indexed: dict[str, Inputs] = {split: index(examples) for split, examples in found.items()}
    return TaskAudit(
        task=task.name,
        source="local" if task.path else source_kind(source),
        splits=_audited(found, indexed, used, task, model, family),
        overlaps=[overlap(*pair) for pair in combinations(indexed.items(), 2)],
        unread=unread,
        failed=any(split in unread for split in used),
    )


def audit_set(one: FurtherSet, source: str, model: Ref, family: ProfileFamily) -> TaskAudit:
    """Audit the parts of a robustness set, and their overlap with the training data of its tasks.

    Lengths are those of the first of its tasks. Training data that cannot be read are reported with the reason.
    """
    tasks, unread = [TASKS.get(name) for name in one.tasks], dict[str, str]()
    found: dict[str, tuple[Example, ...]] = {}
    indexed: dict[str, Inputs] = {}
    trained: dict[str, Inputs] = {}
    for part in one.files:
        try:
            items = load_part(one, tasks[0], source, part)
        except BenchError as error:
            unread[part] = str(error)
            continue
        found[part] = tuple(item.example for item in items)
        # Of a test without a right answer, the example has a label in its place.
        indexed[part] = index(found[part], all(item.expected == item.example.reference for item in items))
    for task in tasks if found else []:
        name = f"{task.name} {task.train_split}"
        try:
            trained[name] = index(read_split(task, source, task.train_split))
        except BenchError as error:
            unread[name] = str(error)
    pairs = [*product(trained.items(), indexed.items()), *combinations(indexed.items(), 2)]
    return TaskAudit(
        task=one.name,
        source=source_kind(source),
        splits=_audited(found, indexed, one.files, tasks[0], model, family),
        overlaps=[overlap(*pair) for pair in pairs],
        unread=unread,
        failed=any(part in unread for part in one.files),
    )


def _audited(
    found: Mapping[str, Sequence[Example]],
    indexed: Mapping[str, Inputs],
    used: Sequence[str],
    task: Task,
    model: Ref,
    family: ProfileFamily,
) -> list[SplitAudit]:
    tokenizer, profile = load_tokenizer(model), family(task.name, task.format)
    return [
        SplitAudit(
            split=split,
            used=split in used,
            counts=count(examples, indexed[split], task.labels),
            coverage=token_coverage(task.format, examples, tokenizer, profile),
        )
        for split, examples in found.items()
    ]


def _splits(task: Task, source: str) -> tuple[dict[str, tuple[Example, ...]], dict[str, str]]:
    """The splits that can be read, the used ones first, and the reasons for those that cannot."""
    found: dict[str, tuple[Example, ...]] = {}
    unread: dict[str, str] = {}

    def attempt(split: str) -> None:
        try:
            found[split] = read_split(task, source, split)
        except BenchError as error:
            unread[split] = str(error)

    attempt(task.train_split)
    attempt(task.eval_split)
    try:
        others = other_splits(task, source)
    except BenchError as error:
        others = ()
        if found:  # otherwise the missing source is reported already
            unread[OTHERS] = str(error)
    for split in others:
        attempt(split)
    return found, unread
