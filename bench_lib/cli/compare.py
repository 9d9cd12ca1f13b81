"""`stabbench compare`: two techniques of a store, two stores, or two files of scores, side by side."""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from bench_lib.cli import console
from bench_lib.cli.arguments import STORE, store_location
from bench_lib.cli.compare_scores import add_comparing, add_reading, compare_scores, compares_scores
from bench_lib.cli.console import DONE, REGRESSION, print_damaged_files
from bench_lib.core.errors import BadValue
from bench_lib.report import formatting as md

if TYPE_CHECKING:
    from bench_lib.report.analysis.compare import ChangedSpec, Difference, MissingRuns, Pair, StoreComparison

HELP = """An argument is a file of scores where it ends in .csv, .tsv, .parquet, .jsonl or .json, or is a folder with
trainer_state.json in it; a store where it has a path separator (./results), or holds a store and so does the other one;
else a technique, a stack such as llrd+reinit, or a cell's label as the leaderboard has it."""

LEGEND = (
    "The verdict is at one error of 5 % for all tasks of a group; that of the report is for all techniques as well."
)
SHOWN = 10
"""Maximum number of listed runs that differ."""


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `compare`."""
    command.epilog = HELP
    command.add_argument("one", metavar="A", help="a technique, the folder of a store, or a file of scores")
    command.add_argument("other", metavar="B", help="what it is compared with, of the same sort")
    add = command.add_argument
    add(
        "--store",
        default="bench-results",
        type=store_location,
        metavar=STORE,
        help="of techniques (default: bench-results)",
    )
    add("--json", action="store_true", help="the answer as JSON, and nothing else, on the standard output")
    add_comparing(command)
    add_reading(command)
    command.set_defaults(command=_compare)


def _compare(options: argparse.Namespace) -> int:
    if compares_scores(options):
        return compare_scores(options)
    names = (options.one, options.other)
    return _stores(options) if are_folders(*names) else _techniques(options)


def are_folders(one: str, other: str) -> bool:
    """Whether both are stores and not techniques; one of each, or a missing folder, raises `BadValue`."""
    from bench_lib.store import is_there, located

    paths = [_is_path(text) for text in (one, other)]
    if not any(paths):
        return _is_store(one) and _is_store(other)
    for text, path in zip((one, other), paths, strict=True):
        if not path and not _is_store(text):
            raise BadValue("the other of two stores", text, "a folder that holds a store, such as ./results")
        if path and not is_there(located(text)):
            raise BadValue("store", text, "a folder that exists")
    return True


def _is_path(text: str) -> bool:
    return os.sep in text or bool(os.altsep and os.altsep in text)


def _is_store(text: str) -> bool:
    from bench_lib.store import is_there, located

    return is_there(located(text) / "runs")


def _techniques(options: argparse.Namespace) -> int:
    from bench_lib.report.analysis.compare import compare_techniques, load
    from bench_lib.report.column import View
    from bench_lib.report.columns import shown_in
    from bench_lib.store import Store

    store = Store(options.store)
    pairs = compare_techniques(load(store).cells, options.one, options.other)
    print_damaged_files(store)
    if options.json:
        print(console.machine([_as_data(pair) for pair in pairs]))
    else:
        groups = [list(found) for _, found in groupby(pairs, key=lambda pair: pair.group)]
        columns = dict.fromkeys([*shown_in(View.SIDES), *shown_in(View.CONTRAST)])
        tables = ["\n".join(_group(found)) for found in groups]
        print("\n\n".join([*tables, "\n".join([console.legend(list(columns)), console.hanging("", LEGEND, 2)])]))
    return DONE


def _as_data(found: Pair | StoreComparison) -> dict[str, Any]:
    """The result as plain values, without table rows."""
    return dataclasses.asdict(
        found, dict_factory=lambda entries: {name: value for name, value in entries if name != "row"}
    )


def _group(pairs: Sequence[Pair]) -> Iterator[str]:
    from bench_lib.report.column import View
    from bench_lib.report.columns import shown_in

    sides = shown_in(View.SIDES)
    yield "{} data, model {}, profile {}".format(*pairs[0].group)
    head = ("task", "technique", *(column.head(View.SIDES) for column in sides))
    named = [row for pair in pairs for row in ((pair.task, pair.one), ("", pair.other))]
    rows = [(task, side.label, *(str(column.value(side.row, View.SIDES)) for column in sides)) for task, side in named]
    yield from console.columns(head, rows, text_columns=2)
    yield ""
    tasks = [pair.task for pair in pairs]
    names = [pair.task if tasks.count(pair.task) == 1 else f"{pair.task}: {pair.one.label}" for pair in pairs]
    yield from _contrasts(names, pairs)


def _contrasts(names: Sequence[str], pairs: Sequence[Pair]) -> Iterator[str]:
    """The comparison of the sides: one row per pair."""
    from bench_lib.report.column import View
    from bench_lib.report.columns import shown_in

    shown = shown_in(View.CONTRAST)
    cells = [pair.one.row for pair in pairs]
    rows = [
        (name, *(str(one.value(cell, View.CONTRAST)) for one in shown)) for name, cell in zip(names, cells, strict=True)
    ]
    yield from console.columns(("task", *(one.head(View.CONTRAST) for one in shown)), rows, text_columns=1)


def _stores(options: argparse.Namespace) -> int:
    from bench_lib.report.analysis.compare import compare_stores, load
    from bench_lib.store import Store, located

    one, other = (Store(located(text)) for text in (options.one, options.other))
    found = compare_stores(load(one), load(other))
    print_damaged_files(one, other)
    print(console.machine(_as_data(found)) if options.json else "\n".join(_store_comparison(found, options)))
    return REGRESSION if found.differing else DONE


def _store_comparison(found: StoreComparison, options: argparse.Namespace) -> Iterator[str]:
    yield f"A: {options.one}"
    yield f"B: {options.other}"
    both = found.equal + found.lost + len(found.differing)
    yield f"runs in both: {both}; {found.equal} equal, {len(found.differing)} different" + (
        f", {found.lost} lost to infrastructure in either" if found.lost else ""
    )
    yield from _differences(found.differing)
    yield from _only("A", found.only_one)
    yield from _only("B", found.only_other)
    yield from _changes(found.changed)


def _differences(differing: Sequence[Difference]) -> Iterator[str]:
    if not differing:
        return
    scores = [abs(b - a) for a, b in (found.scores for found in differing) if a is not None and b is not None]
    if scores:
        yield f"  scores differ by up to {100 * max(scores):.3g} percent points"
    yield ""
    head = ("task", "technique", "seed", "score A", "score B", "fields")
    rows = [_different(found) for found in differing[:SHOWN]]
    yield from console.columns(head, rows, text_columns=2)
    if len(differing) > SHOWN:
        yield f"and {len(differing) - SHOWN} more, all of them in --json"


def _different(found: Difference) -> tuple[str, ...]:
    scores = [md.percent(score) for score in found.scores]
    marks = ["" if found.statuses[0] == found.statuses[1] else f" ({status})" for status in found.statuses]
    named = [score + mark for score, mark in zip(scores, marks, strict=True)]
    return (*found.name[3:], str(found.seed), *named, _shortened(found.fields))


def _shortened(fields: Sequence[str]) -> str:
    return ", ".join(fields[:2]) + (f" and {len(fields) - 2} more" if len(fields) > 2 else "")


def _only(store: str, missing: Sequence[MissingRuns]) -> Iterator[str]:
    yield ""
    runs, whole = sum(len(found.seeds) for found in missing), sum(found.whole for found in missing)
    yield (
        f"only in {store}: {runs} runs; {whole} cells are in {store} alone" if missing else f"only in {store}: nothing"
    )
    there = "B" if store == "A" else "A"
    for group, members in groupby(missing, key=lambda found: found.name[:3]):
        yield "  {} data, model {}, profile {}".format(*group)
        by_seeds: dict[tuple[str, str, bool], list[str]] = {}
        for found in members:
            by_seeds.setdefault((found.name[3], md.seeds(found.seeds), found.whole), []).append(found.name[4])
        for (task, seeds, whole_cell), names in by_seeds.items():
            other = "" if whole_cell else f", where {there} has other runs"
            yield console.hanging(f"    {task}", f"seeds {seeds}{other}: {', '.join(names)}", 16)


def _changes(changed: Sequence[ChangedSpec]) -> Iterator[str]:
    if not changed:
        return
    yield ""
    yield "cells of one name with different specs or versions (A's against B's, on the seeds of both)"
    for group, members in groupby(changed, key=lambda found: found.name[:3]):
        own = list(members)
        yield "  {} data, model {}, profile {}".format(*group)
        for found in own:
            task, technique = found.name[3:]
            yield console.hanging(f"    {task}", f"{technique}: {found.settings[0]} | {found.settings[1]}", 16)
        judged = [(" ".join(found.name[3:]), found.pair) for found in own if found.pair]
        if judged:
            yield ""
            yield from _contrasts(*zip(*judged, strict=True))
