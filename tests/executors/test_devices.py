from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from bench_lib.executors import LocalExecutor
from bench_lib.executors.devices import VARIABLE, least_taken, visible_devices


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0,1", ("0", "1")),
        ("GPU-8932f937, MIG-1", ("GPU-8932f937", "MIG-1")),
        ("", ()),
        ("-1", ()),
        ("3,-1,2", ("3",)),
    ],
)
def test_the_variable_says_which_devices_are_visible(
    text: str, expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, text)
    assert visible_devices() == expected


def test_without_the_variable_the_driver_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setattr(Path, "glob", lambda *_: iter([Path("/dev/nvidia1"), Path("/dev/nvidia0")]))
    assert visible_devices() == ("0", "1")


def test_the_device_with_the_fewest_workers_is_next() -> None:
    assert least_taken(("a", "b"), []) == "a"
    assert least_taken(("a", "b"), ["a", None]) == "b"
    assert least_taken(("a", "b"), ["a", "b", "b"]) == "a"
    assert least_taken(("a",), ["a"]) == "a"
    assert least_taken((), []) is None


@pytest.mark.exhaustive
def test_workers_are_bound_to_the_devices_in_turn(
    jobs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "a,b")
    done = [*LocalExecutor(4).run(jobs.device, [5.0] * 4)]
    assert Counter(one.result for one in done) == {"a": 2, "b": 2}
    # A worker in place of one that died takes its device.
    found = [*LocalExecutor(2).run(jobs.die_on_a_device, [tmp_path / "marker", tmp_path / "marker"])]
    assert sum(one.attempts for one in found) >= 3
    assert {one.result for one in found} <= {"a", "b"}


def test_what_the_environment_says_stays_where_there_is_one_device(
    jobs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "3")
    (done,) = LocalExecutor(2).run(jobs.device, [0.0])
    assert done.result == "3"


def test_a_job_that_ran_out_of_memory_is_tried_again_with_the_device_for_itself(
    jobs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "a")
    done = [*LocalExecutor(3).run(jobs.crowd, [tmp_path] * 3)]
    # The last process to come may have been there before the others.
    assert [one.result for one in done] == [(False, "a")] * 3
    assert sorted(one.attempts for one in done)[1:] == [2, 2]


@pytest.mark.exhaustive
def test_of_several_devices_only_the_one_of_such_a_job_is_cleared(
    jobs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "a,b")
    done = [*LocalExecutor(4).run(jobs.crowd, [tmp_path] * 6)]
    assert not any(one.result and one.result[0] for one in done)
    assert {one.attempts for one in done} <= {1, 2}
    assert sum(one.attempts for one in done) > 6


def test_where_no_device_is_shared_nothing_is_tried_again(
    jobs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("", "a,b"):
        monkeypatch.setenv(VARIABLE, text)
        done = [*LocalExecutor(2).run(jobs.ask_for_the_device, [1, 2])]
        assert sorted((one.result, one.attempts) for one in done) == [(1, 1), (2, 1)]
