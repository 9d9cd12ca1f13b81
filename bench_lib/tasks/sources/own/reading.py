"""A user's own task with its data: files, labels, and an evaluation split where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from bench_lib.core.errors import BadData, BenchError, check_name, check_path
from bench_lib.core.spec import digest
from bench_lib.tasks.formats import Example, Format
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.writing import PLAIN, Writing
from bench_lib.tasks.sources.fingerprint import fingerprint
from bench_lib.tasks.sources.local import holdings
from bench_lib.tasks.sources.own.columns import check_columns_present, format_and_columns
from bench_lib.tasks.sources.own.definition import SHARE, WRITING, Definition, read_definition
from bench_lib.tasks.sources.own.splits import find_splits, split_by_content
from bench_lib.tasks.sources.parse import parse
from bench_lib.tasks.sources.tables import read_rows
from bench_lib.tasks.task import OWN_VERSION, Data, Task


@cache
def own_data(path: str) -> Data:
    """The task that a file describes or a folder holds, with its data; read once a process.

    Raises `BenchError` for what is wrong with it. Its fingerprint and its version are by value: neither the kind of the
    files nor the names of columns change them.
    """
    own = _definition(path)
    files = find_splits(own)
    first = read_rows(files.train[0])
    if not first:
        raise BadData(f"{files.train[0]} is empty; expected at least one row under the names of the columns")
    task_format, columns = format_and_columns(own, first)
    train, evaluation = (_readers(paths, columns, own.labels) for paths in (files.train, files.evaluation))
    task = _task(own, task_format, columns, files.eval_split, train + evaluation)
    facts = {"data_licence": task.licence, "data_citation": task.citation}
    seen, held_out = _examples(task, train), _examples(task, evaluation)
    if not files.evaluation:
        share, number = own.share or SHARE, len(seen)
        seen, held_out = split_by_content(seen, task.labels, share)
        if not seen or not held_out:
            raise BadData(f"{path}: a share of {share} of its {number} examples leaves nothing to train or evaluate on")
        facts["data_split"] = f"evaluated on {len(held_out)} of {number} examples, chosen by a hash of their inputs"
    held_out = tuple(task_format.evaluated(held_out))
    return Data(task, "local", fingerprint(seen, held_out), seen, held_out, facts)


def own_split(task: Task, split: str) -> tuple[Example, ...]:
    """The examples of one split of a user's own task; raises as `own_data` does."""
    data = own_data(task.path)
    if split in (task.train_split, task.eval_split):
        return tuple(data.train if split == task.train_split else data.evaluation)
    own = _definition(task.path)
    return _examples(task, _readers(find_splits(own).others[split], task.columns, task.labels))


def own_other_splits(task: Task) -> tuple[str, ...]:
    """The splits of a user's own task that it does not use."""
    return tuple(sorted(find_splits(_definition(task.path)).others))


def _definition(path: str) -> Definition:
    """What a file or a folder says; `BadData` where there is neither."""
    check_path("task", path)
    place = Path(path)
    if place.is_dir():
        return Definition(place, place, place.name)
    if not place.is_file():
        raise BadData(f"there is no {path}, the file or folder of a task; {holdings(place.parent)}")
    return read_definition(place)


def _readers(paths: Sequence[Path], columns: Sequence[str], labels: Sequence[str]) -> list[RowReader]:
    """The rows of files; `BadData` for an empty file, a missing column, or targets of several kinds in one file."""
    found: list[RowReader] = []
    for path in paths:
        rows = read_rows(path)
        if not rows:
            raise BadData(f"{path} is empty; expected at least one row with the columns {', '.join(columns)}")
        check_columns_present(str(path), columns, list(rows[0]))
        readers = [RowReader(columns, labels, row, str(path), number) for number, row in enumerate(rows)]
        _check_kinds(readers)
        found += readers
    return found


def _check_kinds(readers: Sequence[RowReader]) -> None:
    first = ""
    for reader in readers:
        target = reader.get(reader.columns[-1])
        for value in target if isinstance(target, list) else [target]:
            kind = _kind(value)
            first = first or kind
            if kind not in ("", first):
                raise reader.wrong(reader.columns[-1], value, f"{first}, as in the rows before")


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    return "text" if isinstance(value, str) else ""


def _task(
    own: Definition, task_format: Format, columns: tuple[str, ...], eval_split: str, rows: Sequence[RowReader]
) -> Task:
    labels = own.labels or task_format.found_labels(rows)
    writing = _writing(own)
    metrics = own.metrics or task_format.usual_metrics(writing.language or own.language)
    for label in labels:
        check_name(f"a label of {own.path}", label)
    decides: list[Any] = [str(task_format), labels, metrics, own.language, own.judges_wording, own.mends_tags]
    # Only what is not as usual, so that what else tasks may come to say changes no version.
    if writing != PLAIN:
        decides.append({name: value for name, value in vars(writing).items() if value != getattr(PLAIN, name)})
    try:
        return Task(
            name=own.name,
            format=task_format,
            description=own.description or f"{own.path.name}, a task of the user's own",
            columns=columns,
            labels=labels,
            metrics=metrics,
            licence=own.licence,
            citation=own.citation,
            eval_split=eval_split,
            judges_wording=own.judges_wording,
            language=own.language,
            mends_tags=own.mends_tags,
            writing=writing,
            version=f"{OWN_VERSION}{digest(decides)[:12]}",
            path=str(own.path),
        )
    except BenchError as error:
        raise BadData(f"{own.path}: {error}") from error


def _writing(own: Definition) -> Writing:
    writing = Writing(**{WRITING[key]: value for key, value in own.writing.items()})
    return replace(writing, language="") if writing.language == own.language else writing


def _examples(task: Task, readers: Sequence[RowReader]) -> tuple[Example, ...]:
    target, found = task.columns[-1], list[Example]()
    by_file: dict[str, list[dict[str, Any]]] = {}
    for reader in readers:
        row = dict(reader.row)
        if target in row:
            row[target] = task.format.read_target(row[target], task.labels)
        by_file.setdefault(reader.source, []).append(row)
    for source, rows in by_file.items():
        found += parse(task, rows, source)
    return tuple(found)
