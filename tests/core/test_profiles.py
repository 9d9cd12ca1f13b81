from __future__ import annotations

import dataclasses

import pytest

from bench_lib.core.errors import BadValue, UnknownName
from bench_lib.core.profiles import PROFILES, ProfileFamily, along, find_profile, stressed
from bench_lib.core.spec import Profile
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import FORMATS, QUESTION_ANSWERING, TEXT_CLASSIFICATION, Format
from bench_lib.tasks.task import Task

PLAIN = [name for name in PROFILES.names() if not name.endswith("-stress")]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("name", PROFILES.names())
def test_every_profile_resolves_for_every_task(name: str, task: Task) -> None:
    family = PROFILES.get(name)
    assert isinstance(family(task.name, task.format), Profile)
    assert family.name == name
    assert family.description


def test_every_profile_has_its_stress_variant() -> None:
    assert set(PLAIN) == {"smoke", "quick", "desk", "few1k", "full", "sft-quick", "sft-desk", "sft"}
    assert set(PROFILES.names()) == {*PLAIN, *(f"{name}-stress" for name in PLAIN)}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("name", PLAIN)
def test_stress_is_a_higher_rate_without_warmup_and_nothing_else(name: str, task: Task) -> None:
    plain, stress = (PROFILES.get(n)(task.name, task.format) for n in (name, f"{name}-stress"))
    assert stress.learning_rate > 1.5 * plain.learning_rate
    assert plain.warmup > 0
    assert stress.warmup == 0
    assert dataclasses.replace(stress, learning_rate=plain.learning_rate, warmup=plain.warmup) == plain


@pytest.mark.parametrize("name", PROFILES.names())
def test_settings_are_for_tasks_and_kinds_that_exist(name: str) -> None:
    family = PROFILES.get(name)
    assert set(family.by_task) <= set(TASKS.names())
    assert set(family.by_format) <= set(FORMATS.names())


FAMILY = ProfileFamily(
    "some",
    "for this test",
    Profile(learning_rate=1e-5, epochs=3, max_length=64, stride=16),
    {QUESTION_ANSWERING: {"learning_rate": 2e-5, "epochs": 5}},
    {"squad": {"learning_rate": 4e-5}, "imdb": {"max_length": 128}},
)


def test_a_task_goes_before_its_kind_and_a_kind_before_the_base() -> None:
    assert (FAMILY("squad", QUESTION_ANSWERING).learning_rate, FAMILY("squad", QUESTION_ANSWERING).epochs) == (4e-5, 5)
    assert FAMILY("other", QUESTION_ANSWERING).learning_rate == 2e-5
    assert (FAMILY("imdb", TEXT_CLASSIFICATION).learning_rate, FAMILY("imdb", TEXT_CLASSIFICATION).max_length) == (
        1e-5,
        128,
    )
    assert FAMILY("sst2", TEXT_CLASSIFICATION) == FAMILY.base


@pytest.mark.parametrize(
    ("task", "task_format"),
    [("squad", QUESTION_ANSWERING), ("other", QUESTION_ANSWERING), ("imdb", TEXT_CLASSIFICATION)],
)
def test_stress_raises_the_rate_by_its_factor_wherever_it_is_set(task: str, task_format: Format) -> None:
    harsh = stressed(FAMILY, 3.0)
    assert harsh(task, task_format).learning_rate == pytest.approx(3 * FAMILY(task, task_format).learning_rate)
    assert harsh.name == "some-stress"
    assert "3 times" in harsh.description


def test_an_unknown_profile_answers_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown profile 'dsek': did you mean 'desk'"):
        PROFILES.get("dsek")


# ---- settings of one's own -------------------------------------------------------------------------------------------


def test_settings_in_the_text_hold_for_every_task() -> None:
    family = find_profile("desk:label_noise=0.1:train_examples=100:dropout=None:clip_norm=inf")
    assert family.name == "desk:train_examples=100:clip_norm=inf:label_noise=0.1"
    for task in TASKS:
        plain = PROFILES.get("desk")(task.name, task.format)
        changed = dataclasses.replace(plain, train_examples=100, clip_norm=float("inf"), label_noise=0.1)
        assert family(task.name, task.format) == changed


def test_a_number_for_each_class_takes_the_place_of_one_for_all() -> None:
    family = find_profile("desk:per_class=8")
    assert family.name == "desk:per_class=8"
    assert {(p.train_examples, p.per_class) for t in TASKS for p in [family(t.name, t.format)]} == {(None, 8)}
    both = find_profile("desk:per_class=8:train_examples=100")
    with pytest.raises(BadValue, match="profile field per_class is 8; allowed: None where train_examples says"):
        both("sst2", TEXT_CLASSIFICATION)


def test_one_number_for_all_and_one_for_each_are_refused_whatever_they_are() -> None:
    own = PROFILES.get("smoke")("sst2", TEXT_CLASSIFICATION).train_examples
    for text in (f"smoke:per_class=4:train_examples={own}", f"smoke:train_examples={own}:per_class=4"):
        with pytest.raises(BadValue, match="profile field per_class is 4; allowed: None where train_examples says"):
            find_profile(text)("sst2", TEXT_CLASSIFICATION)
    for base, axis in (("smoke:per_class=4", "train_examples"), ("smoke:train_examples=8", "per_class")):
        (found,) = along(base, [(axis, (own if axis == "train_examples" else 4,))])
        with pytest.raises(BadValue, match="profile field per_class is 4; allowed: None where train_examples says"):
            found("sst2", TEXT_CLASSIFICATION)


def test_what_changes_nothing_is_no_part_of_the_name() -> None:
    plain = PROFILES.get("desk")
    assert find_profile("desk:label_noise=0:per_class=None:epochs=3") == plain
    # 640 is what the base has, but not what every task has.
    assert find_profile("desk:train_examples=640").name == "desk:train_examples=640"
    assert find_profile("desk:train_examples=None").name == "desk:train_examples=None"


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("dsek:per_class=8", UnknownName, "unknown profile 'dsek': did you mean 'desk'"),
        ("desk:perclass=8", UnknownName, "unknown field of profile desk 'perclass': did you mean 'per_class'"),
        ("desk:per_class=x", BadValue, "desk:per_class is 'x'; allowed: a value of type int or None"),
        ("desk:per_class", BadValue, "setting of profile desk is 'per_class'; allowed: field=value"),
    ],
)
def test_bad_settings_are_answered(text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        find_profile(text)


def test_axes_are_crossed_and_each_profile_stands_once() -> None:
    found = along("desk", [("label_noise", (0.0, 0.2)), ("per_class", (8, 16, 8))])
    assert [family.name for family in found] == [
        "desk:per_class=8",
        "desk:per_class=16",
        "desk:per_class=8:label_noise=0.2",
        "desk:per_class=16:label_noise=0.2",
    ]
    assert [family.name for family in along("desk:perturb=0.1", [("label_noise", (0.0, 0.1))])] == [
        "desk:perturb=0.1",
        "desk:label_noise=0.1:perturb=0.1",
    ]
    assert along("desk", []) == [PROFILES.get("desk")]


@pytest.mark.parametrize(
    ("text", "axes", "message"),
    [
        (
            "desk:label_noise=0.1",
            [("label_noise", (0.2,))],
            r"axis label_noise of profile .* \(0.2,\); allowed: given once",
        ),
        ("desk", [("attack", (1.0,)), ("attack", (2.0,))], r"axis attack of profile desk .*; allowed: given once"),
        ("desk", [("attack", ())], r"axis attack is \(\); allowed: at least one value"),
    ],
)
def test_bad_axes_are_refused(text: str, axes: list[tuple[str, tuple[float, ...]]], message: str) -> None:
    with pytest.raises(BadValue, match=message):
        along(text, axes)
