"""Techniques and tasks of the registries as plain values, without heavy packages."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from bench_lib.core.spec import Scalar
from bench_lib.tasks import TASKS
from bench_lib.tasks.task import Task

if TYPE_CHECKING:
    from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class TechniqueEntry:
    """The declaration of a technique; `title` is that of its family.

    `equation`, `text` and `changes`, its measured effects, may be empty.
    """

    name: str
    family: str
    title: str
    sentence: str
    paper: str
    equation: str = ""
    text: tuple[str, ...] = ()
    defaults: Mapping[str, Scalar] = field(default_factory=dict)
    version: str = "1"
    changes: str = ""


@dataclass(frozen=True)
class Catalogue:
    """Techniques and tasks by name."""

    techniques: Mapping[str, TechniqueEntry]
    tasks: Mapping[str, Task]


def registered() -> Catalogue:
    """All registered techniques and tasks; loads the classes of techniques, which takes seconds."""
    from bench_lib.techniques import TECHNIQUES
    from bench_lib.techniques.interface.technique import FAMILIES

    techniques = {technique.name: _entry(technique, FAMILIES) for technique in TECHNIQUES}
    return Catalogue(techniques, {task.name: task for task in TASKS})


def _entry(technique: type[Technique], families: Mapping[str, str]) -> TechniqueEntry:
    """The docstring is a sentence, the equation, then prose."""
    from bench_lib.techniques.interface.effects import measured

    sentence, *rest = inspect.cleandoc(technique.__doc__ or technique.name).split("\n\n")
    instance = technique()
    return TechniqueEntry(
        name=technique.name,
        family=technique.family,
        title=families.get(technique.family, technique.family),
        sentence=" ".join(sentence.split()),
        paper=technique.paper,
        equation=rest[0] if rest else "",
        text=tuple(" ".join(text.split()) for text in rest[1:] if text.strip()),
        defaults={f.name: getattr(instance, f.name) for f in fields(instance)},
        version=technique.version,
        changes=measured().text(technique.name, technique.version),
    )
