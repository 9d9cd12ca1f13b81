"""Why planned runs cannot succeed, found before anything is trained: packages, models, lengths, evaluation sets."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from bench_lib.core.errors import Problems, Unsupported
from bench_lib.core.extras import check_installed
from bench_lib.core.spec import Profile, Ref, RunSpec, TechniqueSpec
from bench_lib.harness.datasets import (
    DataKey,
    Subset,
    data_key,
    dev_examples,
    evaluation_examples,
    evaluation_room,
    train_examples,
)
from bench_lib.harness.fitness import model_problems
from bench_lib.harness.formats import torch_half
from bench_lib.runner.resolved import resolve_run
from bench_lib.tasks.scoring.constant_baseline import room
from bench_lib.tasks.task import Data, Task
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import from_spec


@dataclass(frozen=True)
class Setting:
    """What is shared by runs that differ in seeds, and in techniques that leave the profile alone."""

    data: Data
    model: Ref
    profile: Profile

    @property
    def task(self) -> Task:
        return self.data.task


def hindrances(specs: Sequence[RunSpec]) -> list[str]:
    """Why runs of the specs would come to nothing, whatever their seed, a line each.

    Packages that the techniques need are looked for, the model is loaded, once for each head, and questions and
    prompts are read for each subset that the seeds draw.
    """
    problems = Problems()
    for stack in dict.fromkeys(spec.stack for spec in specs):
        problems.of(_check_packages, stack)
    named: dict[Setting, str] = {}
    scored: dict[tuple[Setting, Subset | None], None] = {}
    drawn: dict[tuple[Setting, Subset | None], None] = {}
    for spec, setting in _settings(specs, problems):
        named.setdefault(setting, spec.profile_name)
        subset = Subset.of(setting.profile, spec.base_seed("subset"))
        scored[setting, subset if setting.profile.scored_on == "dev" else None] = None
        if setting.task.format.reads_windows or setting.task.format.writes_text:
            drawn[setting, subset] = None
            drawn[setting, None] = None
    for setting, dev_of in scored:
        problems.of(_check_distinct, setting, dev_of, named[setting])
    unusable = {setting: _misfits(setting) for setting in named}
    problems.found += chain.from_iterable(unusable.values())
    for setting, asked in drawn:
        if not unusable[setting]:
            problems.of(_check_inputs, setting, asked)
    return list(dict.fromkeys(problems.found))


def _check_packages(stack: tuple[TechniqueSpec, ...]) -> None:
    """Raise `Unavailable` where a package is not installed that a technique of the stack needs."""
    for technique in from_spec(stack, TECHNIQUES).techniques:
        check_installed(technique.packages, technique.name)


def _settings(specs: Sequence[RunSpec], problems: Problems) -> Iterator[tuple[RunSpec, Setting]]:
    """Each spec with its setting; those with the same one are resolved once."""
    settings: dict[tuple[object, ...], Setting | None] = {}
    for spec in specs:
        key = (spec.profile, spec.stack, spec.task, spec.data, spec.model)
        if key not in settings:
            settings[key] = problems.of(_setting, spec)
        setting = settings[key]
        if setting is not None:
            yield spec, setting


def _setting(spec: RunSpec) -> Setting:
    """The setting with the profile as the techniques configure it; one that declines the task is left to the run."""
    run = resolve_run(spec)
    try:
        run.check(run.techniques)
        profile = run.profile
    except Unsupported:
        profile = spec.profile
    return Setting(run.data, spec.model, profile)


def _check_distinct(setting: Setting, dev_of: Subset | None, name: str) -> None:
    """Raise `Unsupported` where the evaluation set, or the dev set of a subset, cannot tell a model from a constant."""
    task, profile = setting.task, setting.profile
    if dev_of is None:
        examples = evaluation_examples(setting.data, profile.eval_examples)
        scores = evaluation_room(setting.data, profile.eval_examples)
    else:
        examples = dev_examples(setting.data, dev_of, profile.dev_examples)
        scores = room(task, examples)
    if not scores:
        raise Unsupported(
            f"the {profile.scored_on} set of {task.name} under profile {name} ({len(examples):,} examples) cannot tell "
            f"a model from a constant: {task.primary} of the best constant is {scores.constant:.3f} of "
            f"{scores.best:.3f}; evaluate more or other examples{task.format.why_no_room(task.primary)}"
        )


def _misfits(setting: Setting) -> list[str]:
    """Why the model cannot take the task under the profile."""
    return model_problems(setting.model, setting.task.format, len(setting.task.labels), setting.profile)


def _check_inputs(setting: Setting, subset: Subset | None) -> None:
    """Raise `Unsupported` for a question or prompt of a subset, or of the evaluation set, that has no place."""
    key = data_key(setting.data, setting.model, setting.profile)
    problem = _unreadable(key, setting.profile.eval_examples if subset is None else subset)
    if problem:
        raise Unsupported(f"{setting.task.name}: {problem}")


@functools.lru_cache(maxsize=1024)
def _unreadable(key: DataKey, examples: Subset | int | None) -> str:
    """What is wrong with one of the inputs, or nothing: too long for its sequence, or answered by no token."""
    try:
        if isinstance(examples, Subset):
            chosen = train_examples(key.data, examples)
        else:
            chosen = evaluation_examples(key.data, examples)
    except Unsupported:
        return ""  # such a subset cannot be drawn, which is said of each run that asks for it
    try:
        half = torch_half(key.format).under(key.chat_template, key.answer_tokens)
        half.check(chosen, key.tokenizer(), key.max_length, key.stride)
    except Unsupported as error:
        return str(error)
    return ""
