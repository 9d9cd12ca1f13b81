"""`stabbench answers`: what runs answered, on the items on which they differ most."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from bench_lib.cli import console
from bench_lib.cli.arguments import STORE, store_location
from bench_lib.cli.console import DONE, print_damaged_files
from bench_lib.core.errors import require
from bench_lib.core.seeds import parse_seeds
from bench_lib.report.formatting import shorten
from bench_lib.report.prose import count, name_list

if TYPE_CHECKING:
    from bench_lib.comparison.answers import Answer, Answered, Item

INDENT = 8
LONGEST = 1_000
"""Characters of a text that are shown."""


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `answers`."""
    add = command.add_argument
    add("--task", required=True, metavar="NAME", help="the task, as the store names it")
    add("--store", default="bench-results", type=store_location, metavar=STORE, help="default: bench-results")
    add("--techniques", default="", metavar="A,B", help="only runs of these (default: of all)")
    add("--model", default="", help="of the runs; needed where there are several")
    add("--profile", default="", help="of the runs; needed where there are several")
    add("--seeds", default="", metavar="0-4,7", help="only runs of these (default: of all)")
    add("--data", default="", metavar="DIR|FILE.toml", help="what the runs read, where it was neither hub nor embedded")
    add("--top", type=int, default=3, metavar="N", help="items that are shown (default: 3)")
    add("--json", action="store_true", help="the answer as JSON, and nothing else, on the standard output")
    command.set_defaults(command=_answers)


def _answers(options: argparse.Namespace) -> int:
    require(options.top >= 1, "--top", options.top, "1 or more")
    seeds = parse_seeds(options.seeds) if options.seeds else ()
    from bench_lib.comparison.answers import Asked, answers
    from bench_lib.store import Store

    techniques = tuple(name.strip() for name in options.techniques.split(",") if name.strip())
    store = Store(options.store)
    asked = Asked(options.task, techniques, options.model, options.profile, seeds, options.data)
    found = answers(store, asked, options.top)
    print_damaged_files(store)
    print(console.machine(dataclasses.asdict(found)) if options.json else "\n".join(_text(options.task, found)))
    return DONE


def _text(task: str, found: Answered) -> Iterator[str]:
    shown = count(len(found.items), "item")
    differ = (
        f"those on which they differ most, {shown} of {found.count}" if found.runs > 1 else f"{shown} of {found.count}"
    )
    yield f"{task}, {found.model}, {found.profile}: {count(found.runs, 'run')}, {differ}"
    if found.without:
        yield f"no predictions are stored of {count(len(found.without), 'run')}"
    for item in found.items:
        yield ""
        yield from _item(item)


def _item(item: Item) -> Iterator[str]:
    yield f"item {item.place}: two runs differ with a chance of {item.disagreement:.2f}"
    for text in item.inputs:
        yield console.hanging("  input", shorten(text, LONGEST), INDENT)
    first, *others = item.right
    more = f" (or one of {len(others)} more)" if others else ""
    yield console.hanging("  right", f"{shorten(first, LONGEST)}{more}", INDENT)
    for answer in item.answers:
        yield console.hanging(f"  {_by(answer)}:", shorten(answer.words, LONGEST), INDENT)


def _by(answer: Answer) -> str:
    """Who gave an answer, such as `adamw 0-2, 5 and lora 3`."""
    return name_list([f"{name} {', '.join(_ranges(seeds))}" for name, seeds in answer.seeds.items()], limit=6)


def _ranges(seeds: Sequence[int]) -> Iterator[str]:
    """Seeds as ranges; a seed that is there twice, as that of two versions of a technique, counts once."""
    for _, run in groupby(enumerate(sorted({*seeds})), lambda pair: pair[1] - pair[0]):
        own = [seed for _, seed in run]
        yield str(own[0]) if len(own) == 1 else f"{own[0]}-{own[-1]}"
