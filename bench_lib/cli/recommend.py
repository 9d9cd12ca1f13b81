"""`stabbench recommend`: techniques for a kind of task within a budget."""

from __future__ import annotations

import argparse
import dataclasses
import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bench_lib.cli import console
from bench_lib.cli.arguments import STORE, store_location
from bench_lib.cli.console import DONE, INCONCLUSIVE, print_damaged_files
from bench_lib.cli.plan_option import add_plan, declared
from bench_lib.core.errors import BadValue, BenchError, UnknownName, require
from bench_lib.report import formatting as md

if TYPE_CHECKING:
    import pandas as pd

    from bench_lib.report.analysis.evidence import Limits
    from bench_lib.report.analysis.recommend import Candidate, Recommendation

COSTS = "a ratio above 0 of the training time to the baseline's, such as 1.5x or 1.5"
RATES = "a share of the runs, such as 2% or 0.02, from 0 to 100%"
INDENT = 10


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `recommend`."""
    add = command.add_argument
    add("--task-like", required=True, metavar="TASK|KIND", help="a task's name, or such as ner, classification, qa")
    add("--max-cost", default="", metavar="RATIO", help="training time over the baseline's, such as 1.5x")
    add("--max-failure", default="", metavar="RATE", help="share of runs that fail, such as 2%% or 0.02")
    add("--store", default="bench-results", type=store_location, metavar=STORE, help="default: bench-results")
    add_plan(command, "decide this plan's contrasts from the stored runs first")
    add("--model", help="only this model (default: a list for each)")
    add("--profile", help="only this profile (default: a list for each)")
    add("--data", choices=("real", "embedded", "external"), help="only this kind of data; they are never mixed")
    add("--baseline", default="adamw", metavar="NAME", help="default: adamw")
    add("--top", type=int, default=5, metavar="N", help="techniques that are shown (default: 5)")
    add("--json", action="store_true", help="the answer as JSON, and nothing else, on the standard output")
    command.set_defaults(command=_recommend)


def _recommend(options: argparse.Namespace) -> int:
    require(options.top >= 1, "--top", options.top, "1 or more")
    limits = _limits(options)
    from bench_lib.report.analysis.recommend import recommend, task_query
    from bench_lib.report.analysis.results import summarise
    from bench_lib.report.column import View
    from bench_lib.report.columns import shown_in
    from bench_lib.store import Store

    store = Store(options.store)
    known = summarise(store, options.baseline, plan=declared(options.plan, store))
    query = task_query(options.task_like, set(known.cells["task"].astype(str)))
    found = recommend(_only(known.cells, options), _only(known.runs, options), query, limits, options.baseline)
    print_damaged_files(store)
    if options.json:
        print(console.machine([_as_data(result, options.top) for result in found]))
    else:
        print(
            "\n\n".join(
                [
                    *several(len(found)),
                    *(_text(result, limits, options.top) for result in found),
                    console.legend(shown_in(View.RECOMMEND)),
                ]
            )
        )
    return DONE if any(result.found for result in found) else INCONCLUSIVE


def several(lists: int) -> Iterator[str]:
    """How to have fewer lists, where there are several."""
    if lists > 1:
        choice = "--data, --model, --profile choose"
        yield console.hanging("", f"{lists} lists, each of one kind of data, model and profile: {choice}", 2).strip()


def _limits(options: argparse.Namespace) -> Limits:
    from bench_lib.report.analysis.evidence import Limits

    cost = parsed("--max-cost", options.max_cost, "x", COSTS) if options.max_cost else math.inf
    require(cost > 0, "--max-cost", options.max_cost, COSTS)
    rate = parsed("--max-failure", options.max_failure, "%", RATES) if options.max_failure else 1.0
    require(0 <= rate <= 1, "--max-failure", options.max_failure, RATES)
    return Limits(cost, rate)


def parsed(option: str, text: str, sign: str, allowed: str) -> float:
    """A plain number with or without its sign, a percent sign dividing by 100; `BadValue` for any other text."""
    found = re.fullmatch(rf"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*({re.escape(sign)}?)\s*", text)
    if found is None:
        raise BadValue(option, text, allowed)
    return float(found[1]) / (100 if found[2] == "%" else 1)


def _only(frame: pd.DataFrame, options: argparse.Namespace) -> pd.DataFrame:
    """The rows of the requested groups; `UnknownName` for a name without runs, `BenchError` if no row is left."""
    asked = {name: str(getattr(options, name)) for name in ("data", "model", "profile") if getattr(options, name)}
    chosen = frame
    for name, value in asked.items():
        if value not in (stored := set(frame[name].astype(str))):
            raise UnknownName(f"{name} of the stored runs", value, stored)
        chosen = chosen[chosen[name].astype(str) == value]
    if chosen.empty:
        wanted = ", ".join(f"{name} {value}" for name, value in asked.items())
        raise BenchError(f"no runs in {options.store} with {wanted}: leave one of these options out")
    return chosen


def _text(result: Recommendation, limits: Limits, top: int) -> str:
    from bench_lib.report.column import View
    from bench_lib.report.columns import shown_in

    shown = result.found[:top]
    columns = shown_in(View.RECOMMEND)
    names = ("", "technique", "task") if len(result.tasks) > 1 else ("", "technique")
    head = (*names, *(column.head(View.RECOMMEND) for column in columns))
    ranked = [*((str(place), one) for place, one in enumerate(shown, 1)), ("", result.baseline)]
    rows = [row for place, one in ranked for row in _rows(place, one, result)]
    lines = [*_opening(result, limits), "", *console.columns(head, rows, text_columns=len(names))]
    lines += _statements("proven", [one.proven for one in shown])
    lines += _statements("not proven", [one.unproven for one in shown])
    return "\n".join([*lines, *([] if shown else ["", *_none(result)])])


def _opening(result: Recommendation, limits: Limits) -> Iterator[str]:
    """The group, tasks and limits of the recommendation, and the number of techniques that meet them."""
    yield "{} data, model {}, profile {}".format(*result.group)
    tasks, met = ", ".join(result.tasks), len(result.found)
    named = tasks if tasks == result.asked.text else f"{result.asked.text}, here {tasks}"
    asking = ", ".join(_wanted(limits, result.baseline.name))
    verdict = f"meet {asking}" if asking else "qualify: no limit on time or failures was given"
    yield console.hanging("", f"{named}: {met} of {met + len(result.others)} techniques {verdict}", 2)
    if result.missing_task:
        yield console.hanging(
            "", f"nothing is known of {result.missing_task} itself: these are other tasks of its kind", 2
        )
    if result.partly:
        few = f"{len(result.partly)} more were judged on some of these tasks only: --task-like TASK asks about one task"
        yield console.hanging("", few, 2)


def _wanted(limits: Limits, base: str) -> Iterator[str]:
    if math.isfinite(limits.cost):
        yield f"time <= {limits.cost:g}x that of {base}"
    if limits.failure < 1:
        yield f"failure rate <= {md.rate(limits.failure, 4)}"


def _rows(place: str, one: Candidate, result: Recommendation) -> list[tuple[str, ...]]:
    """One row per task; the first names the technique."""
    from bench_lib.report.column import View
    from bench_lib.report.columns import shown_in

    itself, several = one is result.baseline, len(result.tasks) > 1
    rows = []
    for part in one.evidence:
        first = part is one.evidence[0]
        name = f"{one.name} (baseline)" if itself else one.name
        opening = (place, name) if first else ("", "")
        values = (str(column.value(part.row, View.RECOMMEND)) for column in shown_in(View.RECOMMEND))
        rows.append((*opening, *([part.task] if several else []), *values))
    return rows


def _statements(title: str, sentences: Sequence[Sequence[str]]) -> list[str]:
    """Each sentence once, after the ranks of the techniques that it is about."""
    places: dict[str, list[int]] = {}
    for place, lines in enumerate(sentences, 1):
        for line in lines:
            places.setdefault(line, []).append(place)
    found = [console.hanging(f"  {md.seeds(ranks)}", line, INDENT) for line, ranks in places.items()]
    return ["", title, *found] if found else []


def _none(result: Recommendation) -> list[str]:
    """The limits that were missed, and the nearest technique."""
    if not result.others:
        return [f"none: no technique was judged beside {result.baseline.name} on all of these tasks"]
    names = {"cost": "the time", "failure": "the failure rate", "regression": "being less stable or lower in scores"}
    counts = [f"{names[why]} {count}" for why, count in result.removed().items()]
    nearest = result.others[0]
    most = f"none meets this; of {len(result.others)} techniques most are left out for {counts[0]}"
    others = f", {', '.join(f'for {count}' for count in counts[1:])}" if counts[1:] else ""
    misses = f"nearest is {nearest.name}: {'; '.join(nearest.misses.values())}"
    return [console.hanging("", most + others, 2), console.hanging("", misses, 2)]


def _as_data(result: Recommendation, top: int) -> dict[str, Any]:
    """The recommendation as plain values, with the top techniques and the nearest miss only."""
    whole = dataclasses.asdict(dataclasses.replace(result, found=result.found[:top], others=result.others[:1]))
    whole["asked"]["kind"] = str(result.asked.kind) if result.asked.kind else None
    whole["partly"] = [one.name for one in result.partly]
    for one in (whole["baseline"], *whole["found"], *whole["others"]):
        for part in one["evidence"]:
            del part["row"]  # the other fields of the evidence repeat it
    nearest = whole.pop("others")
    counts = {"qualifying": len(result.found), "considered": len(result.found) + len(result.others)}
    return whole | counts | {"removed": result.removed(), "nearest_miss": nearest[0] if nearest else None}
