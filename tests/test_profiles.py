from __future__ import annotations

import dataclasses

import pytest

from bench_lib.errors import UnknownName
from bench_lib.examples import Kind
from bench_lib.profiles import PROFILES, ProfileFamily, stressed
from bench_lib.spec import Profile
from bench_lib.tasks import TASKS
from bench_lib.tasks.base import Task

PLAIN = [name for name in PROFILES.names() if not name.endswith("-stress")]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("name", PROFILES.names())
def test_every_profile_resolves_for_every_task(name: str, task: Task) -> None:
    family = PROFILES.get(name)
    assert isinstance(family(task.name, task.kind), Profile)
    assert family.name == name
    assert family.description


def test_every_profile_has_its_stress_variant() -> None:
    assert set(PLAIN) == {"smoke", "quick", "desk", "few1k", "full"}
    assert set(PROFILES.names()) == {*PLAIN, *(f"{name}-stress" for name in PLAIN)}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("name", PLAIN)
def test_stress_is_a_higher_rate_without_warmup_and_nothing_else(name: str, task: Task) -> None:
    plain, stress = (PROFILES.get(n)(task.name, task.kind) for n in (name, f"{name}-stress"))
    assert stress.learning_rate > 1.5 * plain.learning_rate
    assert plain.warmup > 0
    assert stress.warmup == 0
    assert dataclasses.replace(stress, learning_rate=plain.learning_rate, warmup=plain.warmup) == plain


@pytest.mark.parametrize("name", PROFILES.names())
def test_settings_are_for_tasks_and_kinds_that_exist(name: str) -> None:
    family = PROFILES.get(name)
    assert set(family.by_task) <= set(TASKS.names())
    assert set(family.by_kind) <= set(Kind)


FAMILY = ProfileFamily(
    "some",
    "for this test",
    Profile(learning_rate=1e-5, epochs=3, max_length=64, stride=16),
    {Kind.SPAN: {"learning_rate": 2e-5, "epochs": 5}},
    {"squad": {"learning_rate": 4e-5}, "imdb": {"max_length": 128}},
)


def test_a_task_goes_before_its_kind_and_a_kind_before_the_base() -> None:
    assert (FAMILY("squad", Kind.SPAN).learning_rate, FAMILY("squad", Kind.SPAN).epochs) == (4e-5, 5)
    assert FAMILY("other", Kind.SPAN).learning_rate == 2e-5
    assert (FAMILY("imdb", Kind.SEQUENCE).learning_rate, FAMILY("imdb", Kind.SEQUENCE).max_length) == (1e-5, 128)
    assert FAMILY("sst2", Kind.SEQUENCE) == FAMILY.base


@pytest.mark.parametrize(("task", "kind"), [("squad", Kind.SPAN), ("other", Kind.SPAN), ("imdb", Kind.SEQUENCE)])
def test_stress_raises_the_rate_by_its_factor_wherever_it_is_set(task: str, kind: Kind) -> None:
    harsh = stressed(FAMILY, 3.0)
    assert harsh(task, kind).learning_rate == pytest.approx(3 * FAMILY(task, kind).learning_rate)
    assert harsh.name == "some-stress"
    assert "3 times" in harsh.description


def test_an_unknown_profile_answers_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown profile 'dsek': did you mean 'desk'"):
        PROFILES.get("dsek")
