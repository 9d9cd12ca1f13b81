"""Loading of robustness sets, and training data without what they leak."""

from __future__ import annotations

import dataclasses
from functools import cache, lru_cache

from bench_lib.core.errors import BadData, BadValue, Unavailable
from bench_lib.core.spec import digest
from bench_lib.tasks.further import FurtherData, FurtherSet, Item, plain
from bench_lib.tasks.robustness import FURTHER_SETS
from bench_lib.tasks.sources.load import source_folder
from bench_lib.tasks.sources.local import LAYOUT, holdings
from bench_lib.tasks.sources.parse import parse
from bench_lib.tasks.sources.split_files import files_by_split, files_of
from bench_lib.tasks.sources.tables import read_rows
from bench_lib.tasks.task import Data, Task

SEPARATOR = "+"


def sets_named(text: str, task: Task) -> list[FurtherSet]:
    """The sets of a text such as `imdb_contrast+imdb_cad`; raises `BenchError` for one that is not for the task."""
    found = [FURTHER_SETS.get(name.strip()) for name in text.split(SEPARATOR)] if text else []
    for one in found:
        if task.path or task.name not in one.tasks:
            raise BadValue(f"task of the robustness set {one.name}", task.name, " or ".join(one.tasks))
    return found


def load_further(one: FurtherSet, task: Task, source: str) -> FurtherData:
    """A set from the folder of a source; `Unavailable` for another source, `BadData` for wrong contents."""
    return _load(one, task, _folder(one, source))


def load_part(one: FurtherSet, task: Task, source: str, part: str) -> list[Item]:
    """The items of one part of a set, as a task reads them; raises as `load_further` does."""
    return _items(one, task, _folder(one, source), part)


def _folder(one: FurtherSet, source: str) -> str:
    folder = source_folder(source)
    if folder is None:
        raise Unavailable(
            f"the robustness set {one.name} is read from a folder: `--data DIR` with {LAYOUT}, "
            f"for {', '.join(one.files)}; {source} does not have it"
        )
    return str(folder)


def with_further(data: Data, text: str, source: str) -> Data:
    """The data with the sets of a text, and without the training examples that these leak."""
    sets = sets_named(text, data.task)
    return _joined(data, tuple(load_further(one, data.task, source) for one in sets)) if sets else data


@lru_cache(maxsize=8)
def without_leaks(data: Data, further: tuple[FurtherData, ...]) -> Data:
    """The data without training examples that stand in sets; its fingerprint stays, since runs name the sets too."""
    leaked = frozenset[str]().union(*(one.leaked for one in further))
    if not leaked:
        return data
    kept = [example for example in data.train if leaked.isdisjoint(map(plain, example.inputs))]
    names = ", ".join(one.set.name for one in further if one.leaked)
    facts = {"data_excluded": f"{len(data.train) - len(kept)} training examples that stand in {names}"}
    return dataclasses.replace(data, train=kept, facts={**data.facts, **facts})


@cache
def _load(one: FurtherSet, task: Task, folder: str) -> FurtherData:
    items: list[Item] = []
    leaked: set[str] = set()
    for part in one.files:
        read = _items(one, task, folder, part)
        leaked |= {plain(text) for item in read for text in item.example.inputs if part in one.leaks}
        items += read
    values = [[*item[:4], vars(item.example)] for item in items]
    return FurtherData(one, digest(values), tuple(items), frozenset(leaked))


def _items(one: FurtherSet, task: Task, folder: str, part: str) -> list[Item]:
    place = source_folder(folder)
    assert place is not None, "made sure of before"
    paths = files_of(part, files_by_split(place / one.name))
    if not paths:
        raise BadData(f"no {place / one.name / part}.parquet, which {one.name} needs; {holdings(place / one.name)}")
    read = dataclasses.replace(task, columns=one.columns, hub_id="", hub_config=None, revision="")
    items: list[Item] = []
    for path in paths:
        rows = one.rows(part, read_rows(path))
        items += one.items(part, list(zip(rows, parse(read, rows, str(path)), strict=True)))
    return items


@lru_cache(maxsize=8)
def _joined(data: Data, further: tuple[FurtherData, ...]) -> Data:
    return dataclasses.replace(without_leaks(data, further), further=further)
