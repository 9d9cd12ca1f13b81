"""A run by value: what its spec names is looked up once, here, and functions below take the objects."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from bench_lib.core.errors import BadData
from bench_lib.core.seeds import derive
from bench_lib.core.spec import Profile, RunSpec
from bench_lib.harness.datasets import DataKey, Evaluation, Subset, data_key, dev_set, evaluation_set
from bench_lib.tasks import TASKS
from bench_lib.tasks.further import FORGETTING
from bench_lib.tasks.robustness.loading import with_further, without_leaks
from bench_lib.tasks.sources.general_text import load_general_text, with_general_text
from bench_lib.tasks.sources.load import load_data
from bench_lib.tasks.sources.own.reading import own_data
from bench_lib.tasks.task import Data, Task
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import Configures
from bench_lib.techniques.interface.stack import Stack, from_spec, is_foreign


@dataclass(frozen=True, eq=False)
class ResolvedRun:
    """A spec with its data, its task and its techniques.

    `techniques` are all of them, `stack` those that train, and `observers` those that observe a training or pool runs.
    `profile` is as the techniques configure it, `spec.profile` as it was asked for.
    """

    spec: RunSpec
    data: Data
    techniques: Stack

    @property
    def task(self) -> Task:
        return self.data.task

    @functools.cached_property
    def stack(self) -> Stack:
        return Stack(tuple(t for t in self.techniques.techniques if not t.observer))

    @functools.cached_property
    def observers(self) -> Stack:
        return Stack(tuple(t for t in self.techniques.techniques if t.observer))

    @functools.cached_property
    def profile(self) -> Profile:
        return configured(self.spec.profile, self.stack)

    @functools.cached_property
    def foreign(self) -> bool:
        """Whether some technique is no part of this package."""
        return is_foreign(self.spec.stack, TECHNIQUES)

    @functools.cached_property
    def key(self) -> DataKey:
        return data_key(self.data, self.spec.model, self.profile, self.stack)

    @property
    def subset(self) -> Subset:
        return Subset.of(self.profile, self.spec.base_seed("subset"))

    def evaluation(self) -> Evaluation:
        """The set that the run is scored on."""
        if self.profile.scored_on == "dev":
            return self.dev()
        return evaluation_set(self.key, self.profile.eval_examples)

    def dev(self) -> Evaluation:
        """The set that observers and seed ensembles select on; `Unsupported` where no example is left for it."""
        return dev_set(self.key, self.subset, self.profile.dev_examples)

    def check(self, stack: Stack) -> None:
        """Raise `Unsupported` if a technique of a stack declines the task's format or the run's trimmed vocabulary."""
        stack.check(self.task.format, self.profile.trim_vocabulary)

    def seed(self, stream: str, *names: str | int) -> int:
        """The seed of a stream of the run, for the parts of these names."""
        return derive(self.spec.base_seed(stream), stream, *names)

    def other_data(self, task: str) -> Data:
        """The data of another task from the run's source; raises as `load_data`, and for an unknown name."""
        return without_leaks(load_data(TASKS.get(task), self.spec.data.name), self.data.further)

    def check_data(self) -> None:
        """Raise `BadData` if the data changed since the run was planned."""
        then, now = self.spec.data.fingerprint, self.data.fingerprint
        if now != then:
            raise BadData(f"the data of {self.task.name} changed since this run was planned: {then} then, {now} now")
        for one in self.data.further:
            if (one.set.name, one.fingerprint) not in self.spec.also:
                raise BadData(f"the robustness set {one.set.name} changed since this run was planned")
        text = self.data.general_text
        if text is not None and (FORGETTING, text.fingerprint) not in self.spec.also:
            raise BadData("the general text on which forgetting is measured changed since this run was planned")


def resolve_run(spec: RunSpec) -> ResolvedRun:
    """Look up the task, data and techniques of a spec; raises `BenchError` for what is unknown or unavailable."""
    return ResolvedRun(spec, spec_data(spec), from_spec(spec.stack, TECHNIQUES))


def spec_data(spec: RunSpec) -> Data:
    """The task and data of a spec; `BadData` for a user's own task whose file changed since the run was planned."""
    text = load_general_text(spec.profile.forgetting, spec.data.name)
    if not spec.task_path:
        data = load_data(TASKS.get(spec.task), spec.data.name)
        return with_general_text(with_further(data, spec.profile.also, spec.data.name), text)
    data = own_data(spec.task_path)
    if (data.task.name, data.task.version) != (spec.task, spec.task_version):
        raise BadData(f"the task {spec.task} in {spec.task_path} changed since this run was planned")
    return with_general_text(data, text)


def configured(profile: Profile, stack: Stack) -> Profile:
    """The profile with the settings that the stack's techniques change."""
    return functools.reduce(lambda p, technique: technique.configure(p), stack.having(Configures), profile)
