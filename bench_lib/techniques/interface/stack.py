"""Stacks: several techniques in order, read from text such as `llrd:decay=0.9+reinit`, and checked for clashes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar, cast

from bench_lib.core.errors import BenchError, Unsupported
from bench_lib.core.parameters import check_field, read_settings
from bench_lib.core.registry import Registry
from bench_lib.core.spec import Scalar, TechniqueSpec
from bench_lib.tasks.formats import Format
from bench_lib.techniques.interface.declared import check_made, foreign
from bench_lib.techniques.interface.hooks import EXCLUSIVE, HOOKS, OBSERVING, POOLING, TRAINING, Selects, has
from bench_lib.techniques.interface.plugin import is_plugin, load_plugin, undisturbed
from bench_lib.techniques.interface.roles import Role
from bench_lib.techniques.interface.technique import Technique

Hook = TypeVar("Hook")
SEPARATORS = "+:,="
UNDECLARED = (
    "it does not declare that word embeddings of tokens that no text has count for nothing in it; where that is so, "
    "put trimmable=True into its class statement"
)
"""Why a technique that says nothing about it declines a trimmed vocabulary."""


@dataclass(frozen=True)
class Stack:
    """Techniques in the order in which their hooks are called."""

    techniques: tuple[Technique, ...]

    def __post_init__(self) -> None:
        names = [t.name for t in self.techniques]
        for name in names:
            if names.count(name) > 1:
                raise BenchError(f"{name!r} stands twice in the stack {'+'.join(names)}; give it once")
        pooling = [t.name for t in self.techniques if t.pools()]
        if len(pooling) > 1:
            raise BenchError(f"{' and '.join(pooling)} cannot be stacked: a pool is not made of pools")
        for hook in EXCLUSIVE:
            claims = [t.name for t in self.techniques if has(t, hook)]
            if len(claims) > 1:
                raise BenchError(
                    f"{' and '.join(claims)} cannot be stacked: each claims {hook.__name__}, which only one can have"
                )
        for technique in self.techniques:
            _check_hooks(technique)

    def having(self, hook: type[Hook]) -> list[Hook]:
        """The techniques that have a hook, in order."""
        return [cast(Hook, t) for t in self.techniques if has(t, hook)]

    def selecting(self) -> list[tuple[Selects, bool]]:
        """The techniques that select a checkpoint, each with whether it does so by scores on the dev set."""
        return [(cast(Selects, t), t.selects_on_dev()) for t in self.techniques if has(t, Selects)]

    @property
    def selects_on_dev(self) -> bool:
        """Whether a checkpoint is selected by scores on the dev set."""
        return any(on_dev for _, on_dev in self.selecting())

    def passes(self) -> tuple[int, int]:
        """The most passes for each micro-batch; techniques multiply each other's passes."""
        passes = [t.passes() for t in self.techniques]
        return math.prod(forward for forward, _ in passes), math.prod(backward for _, backward in passes)

    def passes_at(self, step: int, steps: int) -> tuple[int, int]:
        """Passes for each micro-batch of one step, counted from 0, of `steps`."""
        passes = [t.passes_at(step, steps) for t in self.techniques]
        return math.prod(forward for forward, _ in passes), math.prod(backward for _, backward in passes)

    def estimation_passes(self) -> tuple[int, int]:
        """Forward and backward passes for each micro-batch of the estimation passes before training."""
        passes = [t.estimation_passes() for t in self.techniques]
        return sum(forward for forward, _ in passes), sum(backward for _, backward in passes)

    def check(self, task_format: Format, trims: bool = False) -> None:
        """Raise `Unsupported` with the reason if a technique declines this task format, or a trimmed vocabulary."""
        for technique in self.techniques:
            if reason := technique.declines(task_format):
                raise Unsupported(f"{technique.name} declines {task_format} tasks: {reason}")
            if trims and not technique.trimmable:
                reason = technique.no_trimming or UNDECLARED
                raise Unsupported(f"{technique.name} declines trim_vocabulary: {reason}")

    def spec(self) -> tuple[TechniqueSpec, ...]:
        return tuple(t.spec() for t in self.techniques)


def parse_stack(text: str, registry: Registry[type[Technique]]) -> Stack:
    """Read `name[:field=value...]` joined by `+`; unknown names and fields answer with the nearest ones.

    A name may be `PATH.py:Class`, for a technique in a file of the user's.
    """
    return Stack(tuple(_parse(part.strip(), registry) for part in text.split("+")))


def from_spec(spec: tuple[TechniqueSpec, ...], registry: Registry[type[Technique]]) -> Stack:
    """The stack that a spec describes; `BenchError` for a version other than the registered one."""
    techniques = []
    for part in spec:
        technique = _found(part.name, part.source, registry)
        for key, _ in part.params:
            check_field(key, technique, f"technique {part.name}")
        made = _made(technique, dict(part.params))
        if made.version != part.version:
            raise BenchError(f"the spec asks for {part.name} version {part.version}, this is version {made.version}")
        techniques.append(made)
    return Stack(tuple(techniques))


def is_foreign(spec: Iterable[TechniqueSpec], registry: Registry[type[Technique]]) -> bool:
    """Whether some technique of a stack comes from a file or another package."""
    return any(part.source or not registry.get(part.name).__module__.startswith("bench_lib.") for part in spec)


def _parse(text: str, registry: Registry[type[Technique]]) -> Technique:
    name, *settings = text.split(":")
    source = f"{name}:{settings.pop(0) if settings else ''}" if is_plugin(name) else ""
    technique = _found(name, source, registry)
    name = technique.name
    return _made(technique, read_settings(settings, technique, "technique", name))


def _made(technique: type[Technique], settings: Mapping[str, Scalar]) -> Technique:
    """The technique with its settings; `BenchError` where its code raises, disturbs runs or declares nonsense."""
    ours = technique.__module__.startswith("bench_lib.")
    with nullcontext() if ours else undisturbed(f"making the technique {technique.name}", loading=False):
        with foreign(f"making the technique {technique.name}"):
            made = technique(**settings)
        check_made(made)
    return made


def _found(name: str, source: str, registry: Registry[type[Technique]]) -> type[Technique]:
    """A registered technique by name, or one from a file, which may not have the name of a registered one."""
    if not source:
        return registry.get(name)
    technique = load_plugin(source)
    if technique.name in registry:
        raise BenchError(f"{source} calls itself {technique.name!r}, which is registered already; give it another name")
    return technique


def _check_hooks(technique: Technique) -> None:
    allowed, role = (OBSERVING, Role.OBSERVING) if technique.observer else (TRAINING, Role.TRAINING)
    if technique.pools():
        allowed, role = POOLING, Role.POOLING
        if sum(has(technique, hook) for hook in POOLING) != 1:
            names = ", ".join(hook.__name__ for hook in POOLING)
            raise BenchError(f"technique {technique.name!r} is {role} and so needs one of the hooks {names}")
    strange = {hook.__name__ for hook in HOOKS if has(technique, hook) and hook not in allowed}
    if strange:
        raise BenchError(
            f"technique {technique.name!r} is {role} and so cannot have the hook {', '.join(sorted(strange))}"
        )
