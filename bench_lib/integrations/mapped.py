"""Which hooks run in a training loop of a user's own, and why the others cannot."""

from __future__ import annotations

from collections.abc import Mapping

from bench_lib.core.errors import Unsupported
from bench_lib.core.extras import check_installed
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import (
    AfterBackward,
    AfterUpdate,
    Augments,
    BuildsOptimizer,
    ChoosesRun,
    Compresses,
    ComputesLoss,
    Configures,
    Estimates,
    EvaluatesUnder,
    Groups,
    MergesWeights,
    Phases,
    PoolsPredictions,
    PoolsWeights,
    Prepares,
    Pretrains,
    Prompts,
    RunsBackward,
    RunsUpdate,
    Saves,
    Selects,
    TrainsJointly,
    has,
)
from bench_lib.techniques.interface.stack import Stack, parse_stack

MAPPED = (
    *(Configures, Prepares, Groups, Estimates, Phases, BuildsOptimizer, ComputesLoss, RunsBackward, RunsUpdate),
    *(AfterBackward, AfterUpdate, EvaluatesUnder, Saves),
)
"""The hooks that run in any loop; `Saves` concerns the size of a file alone."""

_SEEDS = "it combines several trained seeds, and this is one training; train the seeds and combine them"
REASONS: Mapping[type, str] = {
    Augments: "it makes new examples from raw ones, and a training loop has tensors alone; augment the data set itself",
    Prompts: "it replaces the head and writes prompts from raw examples, and a training loop has tensors alone",
    Pretrains: "it trains on raw texts or other tasks before the training; do so first, and train from that checkpoint",
    TrainsJointly: "it needs the data of further tasks, and there is one data set here",
    Compresses: "it changes a trained model; train without it, and compress what was trained",
    Selects: "it selects a checkpoint by scores on a dev set, which the Trainer's own EarlyStoppingCallback and "
    "load_best_model_at_end do",
    PoolsPredictions: _SEEDS,
    PoolsWeights: _SEEDS,
    MergesWeights: _SEEDS,
    ChoosesRun: _SEEDS,
}
"""Why a hook cannot run in a loop of a user's own."""


def mapped_stack(text: str) -> Stack:
    """The stack of a text such as `llrd+mixout`; `Unsupported` for a technique that cannot run in a loop of one's own.

    Raises `BenchError` for unknown names, clashes and missing packages too.
    """
    stack = parse_stack(text, TECHNIQUES)
    reasons = [
        f"{technique.name} cannot run in a training loop of your own: {reason}"
        for technique in stack.techniques
        for reason in dict.fromkeys(reason for hook, reason in REASONS.items() if has(technique, hook))
    ]
    reasons += [
        f"{technique.name} cannot run in a training loop of your own: it predicts by several states of the model, and "
        "such a loop evaluates one"
        for technique in stack.techniques
        if technique.predicts_by_several()
    ]
    if reasons:
        raise Unsupported("; ".join(reasons))
    for technique in stack.techniques:
        check_installed(technique.packages, technique.name)
    return stack
