"""The catalogue: a page about every registered technique, made from what it declares and from its docstring."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import fields
from urllib.parse import quote

from bench_lib.core.errors import UnknownName
from bench_lib.core.extras import install
from bench_lib.core.registry import Registry
from bench_lib.core.spec import Scalar
from bench_lib.tasks.formats import FORMATS
from bench_lib.techniques.interface.effects import measured
from bench_lib.techniques.interface.hooks import HOOKS
from bench_lib.techniques.interface.technique import FAMILIES, Technique

NOTHING = "\u2013"
EPOCHS, STEPS = 3, 100
"""Of the trainings for which the passes that go before are told, and those of steps that differ."""
INTRODUCTION = """\
# Techniques

Made from the registry by `stabbench list techniques --markdown`: what stands here is what the code declares.

Each technique is one file of `bench_lib/techniques/`, called like it. Its settings stand with their defaults, which are
the published ones unless its text says otherwise, and are changed as in `mixout:p=0.5`; techniques are stacked as in
`llrd+reinit`. Under *tune* stand the settings, two at most, that are tuned beside the learning rate, which is tuned for
every technique, and the values to try. At the settings under *equals the baseline at* it trains what the baseline
trains, to the bit; some have no such point. The hooks are the places at which it acts; an observer leaves the training
alone and rides on one that others ride on too. Passes are forward / backward passes for each micro-batch; before the
training, at most so many for each of an epoch of what is read there. A technique runs on every task format that it
does not decline. What it changes, by how much, was measured by `python -m tests.effects`: a run beside the baseline's
of the same seed, and beside the most that rounding alone made of it in three more.
"""
HEAD = ("name", "what it is", "settings", "tune", "equals the baseline at", "hooks", "passes", "declines", "paper")
LINKS = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}

_CODE = re.compile(r"(`[^`]*`)")
_SPECIAL = re.compile(r"[\\*\[\]<~$]|&(?=#?\w+;)|(?<!\w)_|_(?!\w)")
_SOURCE = re.compile(r"\b(arXiv|doi):([^\s;,]*\w)")


def page(registry: Registry[type[Technique]]) -> str:
    """All techniques as Markdown: a table and the docstrings of each family, in the order of the registry."""
    sections = [_section(FAMILIES[family], techniques) for family, techniques in by_family(registry).items()]
    return "\n".join([INTRODUCTION, *sections])


def by_family(registry: Registry[type[Technique]]) -> dict[str, list[type[Technique]]]:
    """The techniques of each family that has any; one of another family raises `UnknownName`."""
    families: dict[str, list[type[Technique]]] = {family: [] for family in FAMILIES}
    for technique in registry:
        family = getattr(technique, "family", "")
        if family not in families:
            raise UnknownName(f"family of technique {technique.name}", family, FAMILIES)
        families[family].append(technique)
    return {family: techniques for family, techniques in families.items() if techniques}


def summary(technique: type[Technique]) -> str:
    """The first sentence of its docstring."""
    return _paragraphs(technique)[0]


def _section(title: str, techniques: Iterable[type[Technique]]) -> str:
    rows = [HEAD, [":--"] * len(HEAD), *(_row(technique) for technique in techniques)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([f"## {title}\n", f"{table}\n", *(_entry(technique) for technique in techniques)])


def _row(technique: type[Technique]) -> list[str]:
    made = technique()
    cells = [
        f"[{technique.name}](#{technique.name})",
        _prose(summary(technique)),
        _settings({f.name: getattr(made, f.name) for f in fields(made)}) or NOTHING,
        _space(technique) or NOTHING,
        _identity(technique),
        ", ".join(_hooks(made)) or NOTHING,
        _passes(made),
        "; ".join(_declined(made)) or NOTHING,
        _prose(technique.paper),
    ]
    return [cell.replace("|", r"\|") for cell in cells]


def _entry(technique: type[Technique]) -> str:
    """The docstring: a sentence, the equation, then prose."""
    sentence, *rest = _paragraphs(technique)
    parts = [f"### {technique.name}", _prose(sentence)]
    if rest:
        parts += [f"```text\n{rest[0]}\n```", *(_prose(text) for text in rest[1:])]
    changes = _prose(measured().text(technique.name, technique.version))
    parts += [f"Needs the package `{package}`: `{install(package)}`." for package in technique.packages]
    return "\n\n".join(filter(None, [*parts, changes, f"Paper: {_prose(technique.paper)}."])) + "\n"


def _paragraphs(technique: type[Technique]) -> list[str]:
    sentence, *rest = inspect.cleandoc(technique.__doc__ or technique.name).split("\n\n")
    return [" ".join(sentence.split()), *(text for text in rest if text.strip())]


def _settings(settings: Mapping[str, Scalar]) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in settings.items())


def _space(technique: type[Technique]) -> str:
    return "; ".join(f"`{name}`: {_prose(', '.join(map(str, values)))}" for name, values in technique.space.items())


def _identity(technique: type[Technique]) -> str:
    if technique.identity is None:
        return "no point"
    return _settings(technique.identity) or "always"


def _hooks(made: Technique) -> list[str]:
    named = [hook.__name__ for hook in HOOKS if isinstance(made, hook)]
    return [*named, "*observer*"] if made.observer else named


def _passes(made: Technique) -> str:
    if made.pools():
        return f"none: it pools {made.pools()} trained seeds"
    counts = Counter(made.passes_at(step, STEPS) for step in range(STEPS))
    text = ", ".join(
        "{} / {}".format(*passes) + f" in {n} of {STEPS} steps" * (n < STEPS) for passes, n in counts.items()
    )
    if any(made.estimation_passes()):
        text += ", {} / {} in an epoch before the first update".format(*made.estimation_passes())
    if any(made.pretraining_passes(EPOCHS)):
        text += ", {} / {} before a training of {} epochs".format(*made.pretraining_passes(EPOCHS), EPOCHS)
    return text


def _declined(made: Technique) -> list[str]:
    return [f"{task_format}: {_prose(reason)}" for task_format in FORMATS if (reason := made.declines(task_format))]


def _prose(text: str) -> str:
    """Text as one line that Markdown shows letter by letter, but for `code` and for sources, which become links."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if place % 2 else _SOURCE.sub(_link, _escaped(part)) for place, part in enumerate(parts))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: "\\" + found.group(), text)


def _link(found: re.Match[str]) -> str:
    where, name = found.groups()
    return f"[{found.group()}]({LINKS[where]}{quote(name, safe='/')})"
