"""What a technique declares, held against what it is and does: its file, its source, its fields, its passes."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from torch.nn.modules import module as torch_module

from bench_lib.core.errors import BadValue
from bench_lib.core.parameters import setting_kinds
from bench_lib.harness.loop import Loop
from bench_lib.runner.resolved import configured
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import Stack, parse_stack
from bench_lib.validation.conformance import unkept
from bench_lib.validation.trial import Trial

NAMES = TECHNIQUES.names()
TRAINED = tuple(n for n in NAMES if not TECHNIQUES.get(n)().pools())
TWELVE = {"train_examples": 12, "eval_examples": 4, "accumulate": 2}


# 2. The published formula: tests/techniques/<family>/test_<name>.py.


@pytest.mark.promise("declared")
@pytest.mark.parametrize("name", NAMES)
def test_its_formula_has_a_test_and_it_is_one_file_of_its_name(name):
    assert TECHNIQUES.get(name).name == name
    folder = TECHNIQUES.get(name).family.replace("-", "_")
    assert TECHNIQUES.get(name).__module__ == f"bench_lib.techniques.{folder}.{name}"
    assert (Path(__file__).parent / "techniques" / folder / f"test_{name}.py").is_file()


# 9. Cost declared.


@contextmanager
def counted(monkeypatch) -> Iterator[dict[str, int]]:
    """Passes of the model's body and through torch's autograd, counted behind the harness's back."""
    count = {"forward": 0, "backward": 0}

    def forward(module, _inputs):
        count["forward"] += type(module).__name__ == "BertModel" and module.training

    for name in ("backward", "grad"):
        function = getattr(torch.autograd, name)

        def backward(*args, _function=function, **kwargs):
            count["backward"] += 1
            return _function(*args, **kwargs)

        monkeypatch.setattr(torch.autograd, name, backward)
    hook = torch_module.register_module_forward_pre_hook(forward)
    try:
        yield count
    finally:
        hook.remove()


@pytest.fixture
def trained_on(monkeypatch) -> Callable[[], list[int]]:
    """How many micro-batches each step of the last training had, without what went before it."""
    seen: dict[Loop, list[int]] = {}
    step = Loop._step

    def noted(loop, micro_batches):
        seen.setdefault(loop, []).append(len(micro_batches))
        return step(loop, micro_batches)

    monkeypatch.setattr(Loop, "_step", noted)
    return lambda: [*seen.values()][-1]


@pytest.mark.exhaustive
@pytest.mark.promise("passes")
@pytest.mark.parametrize("name", TRAINED)
def test_declared_passes_are_the_counted_ones(train, make_spec, brief, monkeypatch, trained_on, name):
    technique = TECHNIQUES.get(name)
    (usual,) = parse_stack(brief(name), TECHNIQUES).techniques
    identity = technique(**(technique.identity or {}))
    # One at strength zero that declares the passes of the baseline is held to them by a contract of its own.
    plain = identity.passes_at(0, 3) + identity.estimation_passes() + identity.pretraining_passes(2) == (
        1,
        1,
        0,
        0,
        0,
        0,
    )

    def spec_of(task, stack):
        return make_spec(task, "+".join(part.label for part in stack.spec()), **TWELVE)

    for made in (usual,) if plain or technique.identity is None else (usual, identity):
        with counted(monkeypatch) as count:
            record = train("sst2", made.spec().label, **TWELVE).record
        # Batches of 8 and 4 in parts of 4, or of what it says itself; an epoch is read before, or many are trained.
        profile = configured(make_spec("sst2", **TWELVE).profile, Stack((made,)))
        parts = trained_on()
        assert len(parts) == record.cost.steps
        estimated = 12 // (profile.batch_size // profile.accumulate)
        trained = [[each * n for each in made.passes_at(step, record.cost.steps)] for step, n in enumerate(parts)]
        kinds = zip(
            zip(*trained, strict=True), made.estimation_passes(), made.pretraining_passes(profile.epochs), strict=True
        )
        forward, backward = (sum(each) + (seen + before) * estimated for each, seen, before in kinds)
        passes = {"forward": forward, "backward": backward}
        assert count == passes
        assert {"forward": record.cost.forward_passes, "backward": record.cost.backward_passes} == passes
        assert unkept("passes", Trial(Stack((made,)), "sst2", spec_of, {(made.spec(),): record})) == []


# What a technique declares.


@pytest.mark.promise("declared")
@pytest.mark.parametrize("name", NAMES)
def test_declarations(name):
    technique = TECHNIQUES.get(name)
    assert dataclasses.is_dataclass(technique)
    assert technique.__dataclass_params__.frozen
    first, *rest = [part.strip() for part in technique.__doc__.split("\n\n")]
    assert first.endswith("."), "one sentence first"
    assert any(sign in part for part in rest for sign in ("=", "<-", "~")), "then an equation"
    assert rest[-1].endswith("."), "then where it and its settings come from"
    for made in (technique(), technique(**(technique.identity or {}))):
        assert parse_stack(made.spec().label, TECHNIQUES).techniques == (made,)
        assert unkept("declared", Trial(Stack((made,)), "")) == []


NUMBERS = [
    (name, field, float if float in kinds else int)
    for name in NAMES
    for field, kinds in setting_kinds(TECHNIQUES.get(name)).items()
    if {int, float} & {*kinds}
]
BESIDE = {("pgd", "init"): {"scope": "example"}}
"""What else has to be set for a field to have a range."""
LOWER = (r"above ([\d.]+)|between ([\d.]+) and", r"\b(0) for\b", r"([\d.]+)(?: an epoch)? (?:or more|to|up to)\b")
UPPER = (r"(?:below|not including,|and) ([\d.]+)(?! -)|(finite)", r"\b(?:at most|to|up to) ([\d.]+)")
"""The bounds in the words of a message; those of the first pattern are refused themselves, the others are allowed."""


def stated(patterns: tuple[str, ...], text: str) -> tuple[float, bool] | None:
    """The bound that a message names and whether it is allowed itself; None where it names none."""
    for number, pattern in enumerate(patterns):
        if found := re.search(pattern, text):
            value = next(filter(None, found.groups()))
            return (math.inf if value == "finite" else float(value)), number > 0
    return None


@pytest.mark.promise("declared")
@pytest.mark.parametrize(("name", "field", "kind"), NUMBERS)
def test_numbers_out_of_range_are_refused(name, field, kind):
    """Every number has a lower bound above -1. What lies just beyond the bounds that its message names is refused."""

    def refusal(value: float) -> str:
        with pytest.raises(BadValue, match=re.escape(f"{name}:{field} is {value}; allowed: ")) as caught:
            TECHNIQUES.get(name)(**{field: value}, **BESIDE.get((name, field), {}))
        return re.sub(r" \(.*?\)", "", str(caught.value).partition("allowed: ")[2])

    text = refusal(kind(-1))
    bounds = [(stated(LOWER, text), -1), (stated(UPPER, text), 1)]
    relation = {f.name for f in dataclasses.fields(TECHNIQUES.get(name))} & {*re.findall(r"\w+", text)}
    assert relation or any(bound for bound, _ in bounds), text
    for bound, side in bounds:
        if bound:
            value, allowed = bound
            beyond = math.nextafter(value, side * math.inf) if kind is float else value + side
            refusal(kind(beyond if allowed else value))
    if kind is float:
        refusal(math.nan)
