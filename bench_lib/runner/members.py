"""Which runs a seed ensemble pools: found from its spec, before anything is trained or read from a store."""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import dataclass, field

from bench_lib.core.errors import BenchError, Unsupported
from bench_lib.core.spec import KNOWN, RunSpec
from bench_lib.runner.resolved import resolve_run
from bench_lib.tasks.find import find_task
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import (
    ChoosesRun,
    Compresses,
    EvaluatesUnder,
    MergesWeights,
    PoolsWeights,
    Selects,
    has,
)
from bench_lib.techniques.interface.stack import Stack, from_spec, parse_stack

DEFAULT_MEMBER = "adamw"
"""Technique of the members if the stack consists of the ensemble technique only."""
SEES_DEV = "early_stopping:patience=0"
"""Keeps the last checkpoint, and records scores on the dev set, for an ensemble that chooses by them."""


def members(spec: RunSpec) -> tuple[RunSpec, ...]:
    """The member runs of a seed ensemble: its stack without the ensemble technique, on consecutive seeds.

    Empty if the ensemble is declined whatever the members' results.
    """
    names = (spec.technique(), spec.profile_name, spec.task_path, spec.data.name, spec.model.name)
    first = _member(_Cell((spec.at(0).run_id(), *names), spec.at(0)))
    return () if first is None else tuple(first.at(spec.seed + place) for place in range(spec.pools()))


@dataclass(frozen=True)
class _Cell:
    """A cell by the id of its run with seed 0, and by its names, which are no part of that."""

    key: tuple[str, ...]
    spec: RunSpec = field(compare=False)


@functools.lru_cache(maxsize=4096)
def _member(cell: _Cell) -> RunSpec | None:
    """The member with seed 0: a cell has thousands of ensembles, and finding their members reads data."""
    spec = cell.spec
    techniques = from_spec(spec.stack, TECHNIQUES)
    stack = tuple(t for t in spec.stack if not t.pools) or parse_stack(DEFAULT_MEMBER, TECHNIQUES).spec()
    if chooses_on_dev(techniques) and not techniques.selects_on_dev:
        if techniques.having(Selects):
            raise BenchError(f"{spec.technique()} selects on two sets, dev and evaluation; give each the same `on`")
        stack += parse_stack(SEES_DEV, TECHNIQUES).spec()
    needs_weights = bool(techniques.having(PoolsWeights) or techniques.having(MergesWeights))
    choosers = {t.name for t in techniques.techniques if isinstance(t, Compresses | EvaluatesUnder | Selects)}
    if needs_weights and choosers:
        raise BenchError(
            f"{spec.technique()} pools the weights that training ends with, and {', '.join(sorted(choosers))} "
            "evaluates others; leave it out, or take ensemble"
        )
    try:
        check_ensemble(spec, techniques)
    except Unsupported:
        return None
    return dataclasses.replace(spec, stack=stack, keep_weights=needs_weights)


def needs_member_weights(spec: RunSpec) -> bool:
    """Whether a seed ensemble reads the weights of its members."""
    return any(member.keep_weights for member in members(spec))


def check_ensemble(spec: RunSpec, techniques: Stack) -> None:
    """Raise `Unsupported` if the ensemble is declined whatever the members' results."""
    techniques.check(find_task(spec.task_path or spec.task).format, spec.profile.trim_vocabulary)
    if techniques.having(PoolsWeights):
        if "subset" not in dict(spec.frozen):
            raise Unsupported("no dev set is unread by every member where each trains on a subset of its own")
        if spec.data.name != KNOWN:
            resolve_run(spec).dev()


def chooses_on_dev(techniques: Stack) -> bool:
    """Whether an ensemble chooses by scores on the dev set."""
    return any(t.selects_on_dev() for t in techniques.techniques if has(t, ChoosesRun))
