"""The reference as Markdown, made from the registries, the parser of the command line and what the schema declares."""

from __future__ import annotations

import argparse
import dataclasses
import html
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import bench_lib
from bench_lib import api
from bench_lib.cli import parser
from bench_lib.core import record
from bench_lib.core.profiles import PROFILES
from bench_lib.core.record import COLUMNS, RunRecord
from bench_lib.core.spec import Profile
from bench_lib.executors import EXECUTORS
from bench_lib.models import MODELS
from bench_lib.report import glossary
from bench_lib.report.columns import COLUMNS as LEADERBOARD
from bench_lib.store import schema
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import FORMATS
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface import documentation

MADE = "Made from the code when this site is built.\n"


def pages() -> dict[str, str]:
    """The text of each page, by its name in the folder `docs`."""
    return {
        "techniques.md": documentation.page(TECHNIQUES),
        "reference/tasks.md": tasks(),
        "reference/profiles.md": profiles(),
        "reference/models.md": models(),
        "reference/columns.md": columns(),
        "reference/store.md": store(),
        "reference/command-line.md": command_line(),
        "reference/python.md": python(),
    }


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown; cells are Markdown themselves, on one line."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines) + "\n"


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def code(value: object) -> str:
    """The value as code, or nothing for an empty one."""
    return f"`{value}`" if str(value) else ""


def tasks() -> str:
    """All registered tasks, and the formats of tasks."""
    rows = [
        (
            f"**{task.name}**",
            task.description,
            code(task.format),
            ", ".join(map(code, task.metrics)),
            len(task.labels) or "",
            f"{task.train_split}, {task.eval_split}",
            f"{task.hub_id} {code(task.revision[:10])}" if task.hub_id else "folders only",
            task.licence,
            task.citation,
        )
        for task in TASKS
    ]
    head = ("task", "what", "format", "metrics, first counts", "labels", "splits", "on the hub", "licence", "source")
    formats = [(code(f), f.sample_task, ", ".join(map(code, f.metrics))) for f in FORMATS]
    return "\n".join(
        [
            "# Tasks and formats\n",
            MADE,
            "[Data](../data.md) says what is in them; [a task of your own](../how-to/own-task.md) is one file.\n",
            "## Tasks\n",
            table(head, rows),
            "## Formats\n",
            table(("format", "such as", "metrics"), formats),
        ]
    )


def profiles() -> str:
    """All profiles: their settings, and where tasks have others."""
    names = [field.name for field in dataclasses.fields(Profile)]
    entries = [
        "# Profiles\n",
        MADE,
        "A profile is the budget of a run; any setting is changed as in `desk:epochs=5:per_class=8`. None stands for "
        "all there is, or for nothing.\n",
        "## Settings that every profile has\n",
        table(("setting", "without a value of its own"), [(code(n), code(getattr(Profile(), n))) for n in names]),
    ]
    for family in PROFILES:
        values = {n: getattr(family.base, n) for n in names}
        own = [(code(n), code(value)) for n, value in values.items() if value != getattr(Profile(), n)]
        entries += [f"## {family.name}\n", f"{family.description[0].upper()}{family.description[1:]}.\n"]
        entries += [table(("setting", "value"), own)]
        others = {**family.by_format, **family.by_task}
        if others:
            entries += [table(("format or task", "has"), [(code(n), _settings(s)) for n, s in others.items()])]
    return "\n".join(entries)


def _settings(settings: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in settings.items())


def models() -> str:
    """The registered models, and the executors."""
    rows = [(f"**{m.name}**", m.description, m.hub_id, code(m.revision[:10])) for m in MODELS]
    kinds = [
        (code(kind.name), kind.help, ", ".join(code(_option(name)) for name in sorted(kind.takes)))
        for kind in EXECUTORS
    ]
    return "\n".join(
        [
            "# Models and executors\n",
            MADE,
            "## Models\n",
            "Any other id of the hub and any folder with safetensors may stand in place of these names; "
            "[which architectures](../architectures.md).\n",
            table(("model", "what", "on the hub", "revision"), rows),
            "## Executors\n",
            table(("executor", "what", "options"), kinds),
        ]
    )


def columns() -> str:
    """What the columns of the leaderboard mean."""
    rows = [
        (code(c.name), c.title if c.title != c.name else "", c.meaning, "; ".join(str(v) for v in sorted(c.shown_in)))
        for c in LEADERBOARD
    ]
    notes = {
        "How to read the tables": glossary.READING,
        "Embedded data": glossary.EMBEDDED,
        "Variance by source": glossary.VARIANCE,
        "Models in use": glossary.USE,
        "Tuning": glossary.TUNING,
        "Further evaluation sets": glossary.FURTHER,
        "Forgetting": glossary.FORGETTING,
    }
    return "\n".join(
        [
            "# Columns of the leaderboard\n",
            MADE,
            "`leaderboard.csv` and `leaderboard.parquet` have all of them, a row a cell; tables show some.\n",
            table(("column", "title", "meaning", "shown in, beside the files"), rows),
            *(f"## {title}\n\n{text}\n" for title, text in notes.items()),
        ]
    )


def store() -> str:
    """The schemas of what a store holds."""
    declared = {column.name: column for column in COLUMNS}
    rows = []
    for field in schema.RUNS:
        column = declared[field.name]
        rows.append(
            (
                code(field.name),
                code(field.type).replace("element: ", "").replace(" not null", ""),
                "yes" if field.nullable else "",
                column.since if column.since > 1 else "",
                "yes" if column.circumstance else "",
            )
        )
    head = ("column", "type", "may be empty", "since version", "may differ between two runs of one spec")
    predictions = [(code(f.name), code(f.type).replace("element: ", "")) for f in schema.PREDICTIONS]
    nested = [RunRecord, *(kind for kind in vars(record).values() if _is_part(kind))]
    return "\n".join(
        [
            "# The schema of a store\n",
            MADE,
            f"Version {schema.VERSION}. A store is a folder: `runs/` has Parquet files with a row a run, "
            "`predictions/` what models predicted, `looks/` the looks that comparisons took, `repeats/` results of "
            "runs that were made again, `quarantine/` what was found damaged. Any Parquet reader reads them; "
            "`bench_lib.api.load` also checks its digests and reads older versions.\n",
            "## Runs\n",
            table(head, rows),
            "## Predictions\n",
            table(("column", "type"), predictions),
            "## What the columns mean\n",
            *(f"**{kind.__name__}.** {_prose(kind.__doc__)}\n" for kind in nested),
        ]
    )


def _is_part(kind: object) -> bool:
    """Whether it is a part of a record, declared beside it."""
    own = isinstance(kind, type) and kind.__module__ == record.__name__ and dataclasses.is_dataclass(kind)
    return own and kind is not RunRecord


def _prose(docstring: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (docstring or "").split("\n\n"))


def command_line() -> str:
    """Every command and its options."""
    codes = (
        "Exit codes: 0 done or holds, 1 a regression, 2 bad usage or input, 3 inconclusive, 4 some runs were lost.\n"
    )
    entries = ["# The command line\n", MADE, codes]
    return "\n".join([*entries, *(part for name, one, text in _commands() for part in _command(name, one, text))])


def _commands() -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    """The commands, with those of commands, in the order of the help."""
    waiting = [("stabbench", parser(), "")]
    while waiting:
        name, one, text = waiting.pop(0)
        below = [action for action in one._actions if isinstance(action, argparse._SubParsersAction)]
        if not below:
            yield name, one, text
        for action in below:
            helps = {choice.dest: choice.help or "" for choice in action._choices_actions}
            waiting[:0] = [(f"{name} {word}", sub, helps.get(word, "")) for word, sub in action.choices.items()]


def _command(name: str, one: argparse.ArgumentParser, text: str) -> list[str]:
    rows = [
        (_invocation(action), _help(action))
        for action in one._actions
        if action.help is not argparse.SUPPRESS and action.dest != "help"
    ]
    head = [f"## {name}\n", f"{text[:1].upper()}{text[1:]}.\n"]
    return [*head, table(("argument", "what"), rows)] if rows else head


def _invocation(action: argparse.Action) -> str:
    value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    if not action.option_strings:
        return code(value if isinstance(value, str) else " ".join(value))
    return code(f"{action.option_strings[-1]} {value}" if action.nargs != 0 else action.option_strings[-1])


def _help(action: argparse.Action) -> str:
    """The help of an option as Markdown, in which options are code."""
    text = html.escape((action.help or "") % {**vars(action), "prog": "stabbench"}, quote=False)
    text = re.sub(r"(?<![\w`])(--[a-z-]+)", r"`\1`", text).replace("*", "\\*").replace("[", "\\[")
    default = action.default if "default" not in text and action.nargs != 0 else None
    return text if default in (None, [], argparse.SUPPRESS) else f"{text} (default: {default})"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


PYTHON = """# Python

The public names. Everything else may change from one version to the next.

## Running, reading and comparing: `bench_lib.api`

```{eval-rst}
.. automodule:: bench_lib.api
   :members: FUNCTIONS
```

## Tasks and techniques of your own: `bench_lib`

NAMES

## The hooks of a technique

What a technique does, it does in hooks, which the harness finds by their names; a technique has the methods of those
that it needs.

HOOKS
"""


def python() -> str:
    """The public names, from their docstrings."""
    from bench_lib.techniques.interface.hooks import HOOKS

    names = [_documented(f"bench_lib.{name}", getattr(bench_lib, name)) for name in bench_lib.__all__]
    hooks = [_auto("class", f"{kind.__module__}.{kind.__name__}", ":members:") for kind in HOOKS]
    text = PYTHON.replace("FUNCTIONS", ", ".join(name for name in api.__all__ if callable(getattr(api, name))))
    return text.replace("NAMES", "\n".join(names)).replace("HOOKS", "\n".join(hooks))


def _documented(name: str, value: object) -> str:
    if isinstance(value, type):
        return _auto("class", name, ":members:")
    return _auto("function" if callable(value) and hasattr(value, "__code__") else "data", name)


def _auto(kind: str, name: str, *options: str) -> str:
    lines = [f".. auto{kind}:: {name}", *(f"   {option}" for option in options)]
    return "\n".join(["```{eval-rst}", *lines, "```\n"])
