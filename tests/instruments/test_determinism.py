from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch

from bench_lib.instruments.determinism import isolated

CPU = torch.device("cpu")


def draws() -> tuple[float, float, float]:
    return random.random(), float(np.random.random()), float(torch.rand(()))


def disturb() -> None:
    """Leave every global that a technique might touch in another state."""
    random.seed(99)
    np.random.seed(99)
    torch.manual_seed(99)
    draws()
    torch.set_num_threads(3)
    torch.use_deterministic_algorithms(False)


def fail() -> None:
    disturb()
    raise ValueError("a technique failed")


@pytest.fixture(params=[(False, False), (True, True), (True, False)], ids=["free", "warning", "deterministic"])
def settings(request: pytest.FixtureRequest) -> Iterator[tuple[bool, bool, int]]:
    """Global settings of the process around the run, put back after the test."""
    threads = torch.get_num_threads()
    enabled, warn_only = request.param
    torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
    torch.set_num_threads(2)
    yield enabled, warn_only, 2
    torch.use_deterministic_algorithms(False)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("body", [disturb, fail])
def test_everything_global_is_restored(settings: tuple[bool, bool, int], body: Callable[[], None]) -> None:
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    expected = draws()
    random.seed(5)
    np.random.seed(5)
    torch.manual_seed(5)
    try:
        with isolated(1, CPU):
            body()
    except ValueError:
        assert body is fail
    else:
        assert body is disturb
    assert draws() == expected
    found = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    assert (*found, torch.get_num_threads()) == settings


def test_kernels_are_deterministic_inside_and_threads_are_as_asked(settings: tuple[bool, bool, int]) -> None:
    with isolated(1, CPU):
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.get_num_threads() == 1


def test_a_failure_inside_is_passed_on() -> None:
    with pytest.raises(ValueError, match="a technique failed"), isolated(1, CPU):
        fail()
