"""An audit of a task's data: counts of every split, overlaps of splits, and tokenisation coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from bench_lib.core.errors import BenchError
from bench_lib.core.profiles import ProfileFamily
from bench_lib.core.spec import Ref
from bench_lib.models.load import load_tokenizer
from bench_lib.tasks.formats import Example
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
    """The splits of a task, the overlap of every pair, and the splits that could not be read.

    `unread` has the reason for each of the latter; `failed` says whether the task uses one of them.
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
    tokenizer, profile = load_tokenizer(model), family(task.name, task.format)
    return TaskAudit(
        task=task.name,
        source="local" if task.path else source_kind(source),
        splits=[
            SplitAudit(
                split=split,
                used=split in used,
                counts=count(examples, indexed[split], task.labels),
                coverage=token_coverage(task.format, examples, tokenizer, profile),
            )
            for split, examples in found.items()
        ],
        overlaps=[overlap(*pair) for pair in combinations(indexed.items(), 2)],
        unread=unread,
        failed=any(split in unread for split in used),
    )


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
