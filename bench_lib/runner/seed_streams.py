"""Check before training which seed streams affect a run, and refuse configurations with identical runs."""

from __future__ import annotations

from collections.abc import Iterable

from bench_lib.core.errors import BenchError
from bench_lib.core.seeds import STREAMS
from bench_lib.core.spec import RunSpec
from bench_lib.runner.resolved import spec_data
from bench_lib.runner.trials import parse_arm
from bench_lib.tasks import TASKS
from bench_lib.tasks.sources.load import data_facts
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import Prepares, Pretrains, Prompts
from bench_lib.techniques.interface.stack import from_spec, parse_stack


def refuse_pools(techniques: Iterable[str]) -> None:
    """Raise `BenchError` for a seed ensemble, whose members vary together in every stream."""
    for text in techniques:
        if parse_arm(text) is None and any(technique.pools() for technique in parse_stack(text, TECHNIQUES).techniques):
            raise BenchError(
                f"{text} pools several seeds into one record, so no stream of it varies alone; leave it out"
            )


def check_frozen_configurations(cells: Iterable[RunSpec]) -> None:
    """Raise `BenchError` for a frozen-seed configuration with identical runs, or with the same runs as another one."""
    seen: set[tuple[object, ...]] = set()
    for spec in cells:
        inert = _inert_streams(spec)
        varied = set(STREAMS) - dict(spec.frozen).keys()
        effective = frozenset((stream, seed) for stream, seed in spec.frozen if stream not in inert)
        configuration = (spec.task, spec.stack, spec.profile, effective)
        if configuration in seen or (varied and varied <= inert.keys()):
            raise BenchError(
                f"runs of {spec.technique()} on {spec.task} would be equal, since "
                f"{' and '.join(dict.fromkeys(inert.values()))}; leave {' and '.join(inert)} out of what varies"
            )
        seen.add(configuration)


def _inert_streams(spec: RunSpec) -> dict[str, str]:
    """The streams that cannot change the run, each with the reason."""
    profile, stack, available = spec.profile, from_spec(spec.stack, TECHNIQUES), _available(spec)
    # Modules added by techniques are drawn from init as well; a prompted model without them has no new parameters.
    drawn_anew = stack.having(Prepares) or stack.having(Pretrains) or not stack.having(Prompts)
    found = {} if drawn_anew else {"init": "no part of the model is drawn"}
    if not profile.trains:
        return found | dict.fromkeys((s for s in STREAMS if s != "init"), "there is nothing to train on")
    drawn = {stream for technique in stack.techniques for stream in technique.draws()}
    if "augment" not in drawn:
        found["augment"] = "no technique of the stack draws from augment"
    whole = profile.per_class is None and (profile.train_examples is None or profile.train_examples >= available)
    if whole and not profile.label_noise and "subset" not in drawn:
        found["subset"] = f"all {available:,} examples are trained on"
    return found


def _available(spec: RunSpec) -> int:
    """The number of examples that the runs of a spec can train on."""
    if spec.task_path or spec.profile.also:
        return len(spec_data(spec).train)
    return data_facts(TASKS.get(spec.task), spec.data.name).train
