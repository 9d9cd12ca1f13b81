"""Read a plan file: sweeps, tunings, contrasts and limits in TOML, with all that is wrong named at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from bench_lib.comparison.contrasts import Contrasts, stack_or_label
from bench_lib.core.errors import BadPlan, BadValue, BenchError, Problems, UnknownName, require
from bench_lib.core.seeds import parse_seeds
from bench_lib.models import MODELS
from bench_lib.models.source import find_source
from bench_lib.plans.plan import Plan, Tuning, contrasts_grid
from bench_lib.runner.grid import Grid, check_names
from bench_lib.runner.limits import Limits
from bench_lib.runner.options import parse_frozen_configurations
from bench_lib.runner.trials import BUDGET
from bench_lib.stats.design import Margins, staged
from bench_lib.tasks.sources.load import source_kind

Values = Mapping[str, Any]

MOST = 1_000_000_000


class Form(NamedTuple):
    """What the value of a key must be: a check, and its description for messages."""

    is_valid: Callable[[object], bool]
    text: str


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value == value.strip() != "" and value.isprintable()


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value) > 0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and value is not True and 0 < value <= MOST


def _is_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(table, dict) for table in value)


TEXT = Form(_is_text, "one line of text in quotes")
NAMES = Form(_is_names, 'a list of names in quotes, each once, such as ["sst2", "imdb"]')
COUNT = Form(lambda value: type(value) is int and 1 <= value <= MOST, f"a whole number, 1 or more, up to {MOST:,}")
SEED = Form(lambda value: type(value) is int, "a whole number, 0 or more")
NUMBER = Form(_is_number, f"a number above 0, up to {MOST:,}")

SHARED = {"tasks": NAMES, "techniques": NAMES, "profiles": NAMES, "seeds": TEXT}
"""Keys that hold for every sweep and contrasts without a value of their own if they stand at the top of the file."""
TOP = {
    "title": TEXT,
    "model": TEXT,
    "data": TEXT,
    **SHARED,
    "limits": Form(lambda value: isinstance(value, dict), "a table that begins with [limits]"),
    "sweep": Form(_is_tables, "tables that begin with [[sweep]]"),
    "tuning": Form(_is_tables, "tables that begin with [[tuning]]"),
    "contrasts": Form(_is_tables, "tables that begin with [[contrasts]]"),
}
LIMITS = {"max_runs": COUNT, "max_hours": NUMBER}
SWEEP = {"name": TEXT, **SHARED, "freeze": TEXT, "vary": TEXT}
TUNING = {"name": TEXT, "tasks": NAMES, "techniques": NAMES, "profiles": NAMES, "budget": COUNT}
CONTRASTS = {
    "name": TEXT,
    "baseline": TEXT,
    "techniques": NAMES,
    "tasks": NAMES,
    "profiles": NAMES,
    "first_seed": SEED,
    "max_seeds": COUNT,
    "alpha": NUMBER,
    "margin": NUMBER,
}
STAND_INS: Values = {
    "title": "",
    "name": "",
    "tasks": ["sst2"],
    "techniques": ["adamw"],
    "baseline": "adamw",
    "profiles": ["quick"],
    "seeds": "0-19",
}
"""Required keys, with values for checking the rest of a table that lacks a valid one."""


def read_plan(path: Path, data: str | None = None, tuned_from: str = "") -> Plan:
    """The plan of a file, on its own data or on other data; `BadPlan` with everything that is wrong in the file.

    Tuned arms are what the trials in the store `tuned_from` say.
    """
    problems = Problems()
    found = _parsed(path)
    with problems.at(str(path)) as own:
        top = _values(found, TOP, ("title",), own)
        own.of(require, any(top.get(kind) for kind in READERS), "plan", {}, "at least one [[sweep]]")
        source = {"model": top.get("model", "minilm"), "data": data or top.get("data", "embedded")}
        source["tuned_from"] = tuned_from
        own.of(find_source, source["model"], MODELS)
        own.of(source_kind, source["data"])
    with problems.at(f"{path}, limits") as own:
        given = _values(top.get("limits", {}), LIMITS, (), own)
    parts: dict[str, dict[str, Any]] = {kind: {} for kind in READERS}
    for kind, read in READERS.items():
        for number, table in enumerate(top.get(kind, ()), 1):
            name = str(table.get("name", number))
            with problems.at(f"{path}, {kind} {name}") as own:
                own.of(require, all(name not in named for named in parts.values()), "name", name, "a name of its own")
                parts[kind][name] = own.of(read, table, top, source)
    problems.refuse()
    limits = Limits(given.get("max_runs"), given.get("max_hours"))
    return Plan(path, top["title"], limits, *parts.values())


def _parsed(path: Path) -> dict[str, Any]:
    require(path.is_file(), "plan", str(path), "a file that exists")
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BenchError(f"{path} is not TOML: {error}") from error


def _values(table: Values, forms: Mapping[str, Form], required: tuple[str, ...], problems: Problems) -> dict[str, Any]:
    """The valid values of a table; other values, unknown keys and missing required ones are problems."""
    found = {}
    for key, value in table.items():
        if key not in forms:
            problems.found.append(str(UnknownName("key", key, forms)))
        elif not forms[key].is_valid(value):
            problems.found.append(str(BadValue(key, value, forms[key].text)))
        else:
            found[key] = value
    for key in required:
        if key not in table:
            problems.found.append(f"the key {key!r} is missing: {forms[key].text}")
    return found


def _part(table: Values, top: Values, forms: Mapping[str, Form], problems: Problems) -> dict[str, Any]:
    """The values of a sweep or of contrasts, with those at the top of the file and stand-ins for those it lacks."""
    whole = {**{key: top[key] for key in forms if key in SHARED and key in top}, **table}
    required = tuple(key for key in STAND_INS if key in forms)
    found = {**{key: STAND_INS[key] for key in required}, **_values(whole, forms, required, problems)}
    return {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}


def _sweep(table: Values, top: Values, source: Values) -> Grid:
    problems = Problems()
    found = _part(table, top, SWEEP, problems)
    seeds = problems.of(parse_seeds, found["seeds"]) or (0,)
    frozen = problems.of(parse_frozen_configurations, found.get("vary"), found.get("freeze"), seeds) or ((),)
    grid = Grid(found["tasks"], found["techniques"], seeds, found["profiles"], frozen=frozen, **source)
    problems.of(check_names, grid)
    problems.refuse()
    return grid


def _tuning(table: Values, top: Values, source: Values) -> Tuning:
    problems = Problems()
    found = _part(table, top, TUNING, problems)
    tuning = Tuning(
        Grid(found["tasks"], found["techniques"], (0,), found["profiles"], **source), found.get("budget", BUDGET)
    )
    problems.of(check_names, tuning.grid)
    problems.refuse()
    problems.of(tuning.arms)
    problems.refuse()
    return tuning


def _contrasts(table: Values, top: Values, source: Values) -> Contrasts:
    problems = Problems()
    found = _part(table, top, CONTRASTS, problems)
    del found["name"]
    margins = problems.of(Margins, found.pop("margin", Margins().ratio)) or Margins()
    contrasts = problems.of(lambda: Contrasts(**found, **source, margins=margins))
    if contrasts is None:
        raise BadPlan(problems.found)
    problems.of(check_names, contrasts_grid(contrasts, 1))
    for technique in (contrasts.baseline, *contrasts.techniques):
        problems.of(stack_or_label, technique)
    problems.of(staged, (contrasts.max_seeds,), len([*contrasts]), contrasts.alpha)
    problems.refuse()
    return contrasts


READERS: Mapping[str, Callable[[Values, Values, Values], Any]] = {
    "sweep": _sweep,
    "tuning": _tuning,
    "contrasts": _contrasts,
}
"""The kinds of parts in the order of `Plan`, and how a table of each is read."""
