"""What stands in the way of planned runs, found before anything is trained: models, lengths, evaluation sets."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench_lib.errors import Problems, Unsupported
from bench_lib.examples import Kind, SpanExample
from bench_lib.harness.data import (
    DataKey,
    Subset,
    data_key,
    evaluation_examples,
    evaluation_room,
    train_examples,
)
from bench_lib.harness.encode import check_room
from bench_lib.models.load import load_template, load_tokenizer
from bench_lib.run import configured
from bench_lib.spec import Profile, Ref, RunSpec
from bench_lib.tasks import TASKS
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.stack import from_spec


@dataclass(frozen=True)
class Setting:
    """What runs have in common that differ in seeds, and in techniques that leave the profile alone."""

    task: str
    data: Ref
    model: Ref
    profile: Profile


def hindrances(specs: Sequence[RunSpec]) -> list[str]:
    """Why runs of the specs would come to nothing, whatever their seed, a line each.

    The model is loaded, once for each head, and questions are read for each subset that the seeds draw.
    """
    problems = Problems()
    named: dict[Setting, str] = {}
    drawn: dict[tuple[DataKey, Subset | int | None], None] = {}
    for spec, setting in _settings(specs, problems):
        if setting not in named:
            named[setting] = spec.profile_name
        if TASKS.get(spec.task).kind is Kind.SPAN:
            key = data_key(TASKS.get(spec.task), spec.data, spec.model, setting.profile)
            drawn[key, Subset.of(setting.profile, spec.base_seed("subset"))] = None
            drawn[key, setting.profile.eval_examples] = None
    problems.found += dict.fromkeys(_indistinct(setting, name) for setting, name in named.items())
    loaded = {setting.model: problems.of(_model, setting) for setting in named}
    for key, examples in drawn:
        if loaded[key.model]:
            problems.of(_questions, key, examples)
    return [line for line in dict.fromkeys(problems.found) if line]


def _settings(specs: Sequence[RunSpec], problems: Problems) -> Iterator[tuple[RunSpec, Setting]]:
    """Each spec with its profile as its techniques set it; a technique that declines the task is left to the run."""
    profiles: dict[tuple[object, ...], Profile | None] = {}
    for spec in specs:
        key = (spec.profile, spec.stack, spec.task)
        if key not in profiles:
            profiles[key] = problems.of(_profile, spec)
        profile = profiles[key]
        if profile is not None:
            yield spec, Setting(spec.task, spec.data, spec.model, profile)


def _profile(spec: RunSpec) -> Profile:
    stack = from_spec(spec.stack, TECHNIQUES)
    try:
        stack.check(TASKS.get(spec.task).kind)
        return configured(spec.profile, stack)
    except Unsupported:
        return spec.profile


def _indistinct(setting: Setting, name: str) -> str:
    """Why the evaluation set cannot tell a model from a constant, or nothing where it can."""
    task, size = TASKS.get(setting.task), setting.profile.eval_examples
    room = evaluation_room(task.name, setting.data.name, size)
    if room:
        return ""
    given = len(evaluation_examples(task.name, setting.data.name, size))
    return (
        f"the evaluation set of {task.name} under profile {name} ({given:,} examples) cannot tell a model from a "
        f"constant: {task.primary} of the best constant is {room.constant:.3f} of {room.best:.3f}; evaluate more or "
        "other examples"
    )


def _model(setting: Setting) -> bool:
    """Load the model and its tokenizer, as a run does."""
    task = TASKS.get(setting.task)
    load_tokenizer(setting.model)
    load_template(setting.model, task.kind, len(task.labels))
    return True


def _questions(key: DataKey, examples: Subset | int | None) -> None:
    """Raise `Unsupported` for a question of a subset, or of an evaluation set of a size, that leaves no room."""
    if problem := _crowded(key, examples):
        raise Unsupported(f"{key.task}: {problem}")


@functools.lru_cache(maxsize=1024)
def _crowded(key: DataKey, examples: Subset | int | None) -> str:
    try:
        if isinstance(examples, Subset):
            chosen = train_examples(key.task, key.data.name, examples)
        else:
            chosen = evaluation_examples(key.task, key.data.name, examples)
    except Unsupported:
        return ""  # such a subset cannot be drawn, which is said of each run that asks for it
    asked = [example for example in chosen if isinstance(example, SpanExample)]
    try:
        check_room(asked, key.tokenizer(), key.max_length, key.stride)
    except Unsupported as error:
        return str(error)
    return ""
