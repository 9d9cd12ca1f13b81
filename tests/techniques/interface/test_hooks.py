"""Every protocol of the file is declared to be a hook, and the lists of hooks follow from what stands on each."""

from __future__ import annotations

import inspect

import pytest

from bench_lib.techniques.interface import hooks
from bench_lib.techniques.interface.hooks import EXCLUSIVE, HOOKS, OBSERVING, POOLING, TRAINING
from bench_lib.techniques.interface.roles import DECLARED, Role, hook, hooks_of


def test_every_protocol_of_the_file_is_a_hook_with_a_role() -> None:
    own = {value for value in vars(hooks).values() if inspect.isclass(value) and value.__module__ == hooks.__name__}
    assert set(HOOKS) == own
    assert all(DECLARED[protocol].roles for protocol in HOOKS)


def test_a_hook_of_pools_is_of_nothing_else() -> None:
    assert {*TRAINING, *OBSERVING} | {*POOLING} == {*HOOKS}
    assert not {*TRAINING, *OBSERVING} & {*POOLING}


def test_lists_follow_from_the_declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench_lib.techniques.interface.roles.DECLARED", {})

    @hook(Role.TRAINING, Role.OBSERVING)
    class Both: ...

    @hook(Role.OBSERVING, exclusive=True)
    class Observing: ...

    assert hooks_of(Role.TRAINING) == (Both,)
    assert hooks_of(Role.OBSERVING) == (Both, Observing)
    assert hooks_of(Role.POOLING) == ()


def test_what_only_one_technique_can_have() -> None:
    assert {protocol.__name__ for protocol in EXCLUSIVE} == {
        "Prompts",
        "TrainsJointly",
        "Phases",
        "BuildsOptimizer",
        "ComputesLoss",
        "RunsBackward",
        "RunsUpdate",
        "EvaluatesUnder",
        "Compresses",
    }
