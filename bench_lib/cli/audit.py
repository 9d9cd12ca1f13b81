"""`stabbench data audit`: duplicates, leaks, labels, lengths and vocabulary of data and robustness sets."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench_lib.cli import console
from bench_lib.cli.arguments import add_own_task, chosen_tasks
from bench_lib.cli.console import DONE, USAGE
from bench_lib.core.errors import BadData, UnknownName
from bench_lib.report import formatting as md

if TYPE_CHECKING:
    from bench_lib.core.profiles import ProfileFamily
    from bench_lib.core.spec import Ref
    from bench_lib.validation.data_audit import SplitAudit, TaskAudit
    from bench_lib.validation.duplicates import Overlap

ALL = "all"
OWN = "of their own files"
"""In place of a source where all tasks are a user's own."""
MOST_LABELS = 12
"""The most labels with a share each; of more, the most and the least frequent are shown."""
COUNTS = ("task", "split", "examples", "repeats", "alike", "conflicting", "empty")
LABELS = ("task", "split", "labels, in percent")
OVERLAPS = ("task", "first", "second", "shared", "in first", "in second", "% of second", "alike", "conflicting")
TOKENS = ("task", "split", "known", "unknown", "median", "longest", "too long", "length", "cut", "lost")
LEGEND = """repeats: examples whose text (pair, words, question with context) an earlier one of the split has
alike: the same, but for case and white space; conflicting: texts that stand with different answers
labels: of texts their classes or all labels of their sets; of words the types of their entities,
or O for none

shared: different texts that both splits have; alike: the same, but for case and white space
in first, in second: the examples of each that have a shared text; the parts of a robustness set
stand beside the training data of its tasks too; -: of tests without a right answer

known: % of the words and signs that are one token of the model
unknown: % of the tokens that stand for what it cannot write
median, longest: examples in tokens; too long: examples of more tokens than the model takes at once
length: the profile's length in tokens; cut: % of the examples that are above it (where answers are
spans, they are read in overlapping windows); lost: % of the tokens that are hence not read"""


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `data`."""
    add = command.add_argument
    add("action", choices=("audit",), help="duplicates, leaks, labels, lengths and vocabulary of every split")
    add(
        "--tasks",
        metavar="A,B",
        help="tasks and robustness sets, or all that the source has (default, unless --task is given)",
    )
    add_own_task(command)
    add("--data", default="embedded", metavar="hub|embedded|DIR", help="default: embedded")
    add("--model", default="minilm", help="whose tokenizer reads: a name, a hub id or a folder (default: minilm)")
    add("--profile", default="desk", help="whose lengths cut, such as desk:max_length=64 (default: desk)")
    add("--json", action="store_true", help="the answer as JSON, and nothing else, on the standard output")
    command.set_defaults(command=_audit)


def _audit(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from bench_lib.core.profiles import find_profile
    from bench_lib.models import MODELS
    from bench_lib.models.load import load_tokenizer
    from bench_lib.models.source import resolve
    from bench_lib.tasks.find import is_path

    family, model = find_profile(options.profile), resolve(options.model, MODELS)
    names, absent = _names(options)
    audits = [_audit_of(name) for name in names]
    load_tokenizer(model)  # a bad model fails here, before many texts are read
    waiting = tqdm(audits, unit="task", leave=False, disable=None)  # None: shown on a terminal alone
    found = [one(options.data, model, family) for one in waiting]
    for line in _unread(found, absent, options.data):
        print(f"stabbench: {line}", file=sys.stderr)
    source = options.data if not all(map(is_path, names)) else OWN
    asked = {"data": source, "model": model.name, "model_fingerprint": model.fingerprint, "profile": family.name}
    if options.json:
        print(console.machine(asked | {"absent": absent, "tasks": [dataclasses.asdict(one) for one in found]}))
    elif any(one.splits for one in found):
        print(f"data {source}, model {model.name}, profile {family.name}", *_tables(found), "", LEGEND, sep="\n")
    return USAGE if any(one.failed for one in found) else DONE


def _audit_of(name: str) -> Callable[[str, Ref, ProfileFamily], TaskAudit]:
    """The audit of a task or a robustness set; `UnknownName` for a name that neither has."""
    from bench_lib.tasks import TASKS
    from bench_lib.tasks.find import find_task, is_path
    from bench_lib.tasks.robustness import FURTHER_SETS
    from bench_lib.validation.data_audit import audit, audit_set

    if name in FURTHER_SETS:
        return functools.partial(audit_set, FURTHER_SETS.get(name))
    if not is_path(name) and name not in TASKS:
        raise UnknownName("task", name, [*TASKS.names(), *FURTHER_SETS.names()])
    return functools.partial(audit, find_task(name))


def _names(options: argparse.Namespace) -> tuple[list[str], list[str]]:
    """What to audit; with `--tasks all` all that the folder has, and which standard tasks it lacks."""
    from bench_lib.tasks import TASKS
    from bench_lib.tasks.robustness import FURTHER_SETS
    from bench_lib.tasks.sources.load import source_kind
    from bench_lib.tasks.sources.local import LAYOUT, holdings

    kind, names = source_kind(options.data), list(dict.fromkeys(chosen_tasks(options, options.data)))
    if kind != "local" or options.tasks not in (None, ALL) or options.task:
        return names, []
    folder = Path(options.data).expanduser()  # `source_kind` has followed it
    there = [name for name in (*TASKS.names(), *FURTHER_SETS.names()) if (folder / name).is_dir()]
    if not there:
        raise BadData(f"{folder} has no folder of a task ({LAYOUT}, for {', '.join(names)}); {holdings(folder)}")
    return there, [name for name in names if name not in there]


def _unread(found: Sequence[TaskAudit], absent: Sequence[str], data: str) -> Iterator[str]:
    """One line per reason with its splits: those of a missing task have the same reason."""
    if absent:
        yield f"{data} has no folder for {', '.join(absent)}"
    for one in found:
        for reason in dict.fromkeys(one.unread.values()):
            splits = ", ".join(split for split, why in one.unread.items() if why == reason)
            yield f"{one.task} {splits}: {reason}"


def _tables(found: Sequence[TaskAudit]) -> Iterator[str]:
    """The lines of the tables that have rows."""
    splits = [(one.task, split) for one in found for split in one.splits]
    tables = (
        (COUNTS, [_counts(*row) for row in splits], 2),
        (LABELS, [_labels(*row) for row in splits if row[1].counts.labels or row[1].counts.numbers], 3),
        (OVERLAPS, [_overlap(one.task, pair, one.splits) for one in found for pair in one.overlaps], 3),
        (TOKENS, [_tokens(*row) for row in splits], 2),
    )
    for head, rows, text_columns in tables:
        if rows:
            yield from ("", *console.columns(head, rows, text_columns))
    for task, split in splits:
        if count := split.coverage.too_long_questions:
            room = f"no room for a context within {split.coverage.max_length} tokens, so that no run is possible"
            yield console.hanging("", f"{task} {split.split}: {count} questions leave {room}", 2)


def _counts(task: str, found: SplitAudit) -> tuple[str, ...]:
    one = found.counts
    numbers = (one.examples, one.repeats, one.alike, one.conflicting, one.empty)
    return (task, found.split, *map(_number, numbers))


def _number(number: int | None) -> str:
    return md.DASH if number is None else f"{number:,}"


def _labels(task: str, found: SplitAudit) -> tuple[str, ...]:
    if numbers := found.counts.numbers:
        bounds = "numbers from {least:.2f} to {greatest:.2f}, mean {mean:.2f}".format_map(numbers)
        return task, found.split, bounds
    shares = [f"{name} {md.percent(share, 1)}" for name, share in found.counts.labels.items()]
    if len(shares) > MOST_LABELS:
        order = sorted(range(len(shares)), key=[*found.counts.labels.values()].__getitem__)
        return task, found.split, f"{len(shares)} labels, from {shares[order[-1]]} to {shares[order[0]]}"
    return task, found.split, ", ".join(shares)


def _overlap(task: str, found: Overlap, splits: Sequence[SplitAudit]) -> tuple[str, ...]:
    (second,) = (split.counts for split in splits if split.split == found.second)
    return (
        task,
        found.first,
        found.second,
        f"{found.shared:,}",
        f"{found.first_examples:,}",
        f"{found.second_examples:,}",
        md.percent(found.second_examples / second.examples, 1),
        f"{found.alike:,}",
        _number(found.conflicting),
    )


def _tokens(task: str, found: SplitAudit) -> tuple[str, ...]:
    one = found.coverage
    return (
        task,
        found.split,
        md.percent(one.whole, 1),
        md.percent(one.unknown, 3),
        f"{one.median:,.0f}",
        f"{one.longest:,}",
        md.DASH if one.model_length is None else f"{one.too_long:,}",
        f"{one.max_length:,}",
        md.percent(one.cut, 1),
        md.percent(one.lost, 1),
    )
