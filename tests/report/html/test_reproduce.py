"""The command repeats the run, and what it cannot is said."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from bench_lib.core.profiles import PROFILES
from bench_lib.report.html.registry_entries import Catalogue
from bench_lib.report.html.reproduce import Commands
from bench_lib.tasks import TASKS

RUN = {"task": "sst2", "technique": "mixout", "profile": "desk", "model": "minilm", "data": "embedded"}


@pytest.fixture
def spec() -> dict[str, Any]:
    profile = PROFILES.get("desk")("sst2", TASKS.get("sst2").format).settings()
    stack = [["mixout", {"p": 0.9}, "1"]]
    return {
        "protocol": 1,
        "task": ["sst2", "1"],
        "data": "rows0",
        "profile": profile,
        "stack": stack,
        "frozen": {"subset": 0},
    }


@pytest.fixture
def commands(catalogue: Catalogue) -> Commands:
    return Commands(catalogue)


def test_a_run_as_it_would_be_today_needs_no_note(commands: Commands, spec: dict[str, Any]) -> None:
    line = commands.line(RUN, spec)
    assert (
        line == "stabbench run --tasks sst2 --techniques mixout --profile desk --model minilm --data embedded --seeds"
    )
    assert commands.notes(RUN, spec) == []


def test_real_data_are_named_by_their_fingerprint(commands: Commands, spec: dict[str, Any]) -> None:
    run = RUN | {"data": "real"}
    assert "--data DIR" in commands.line(run, spec)
    assert commands.notes(run, spec) == [
        "DIR is hub, or a folder that holds the same rows: their fingerprint is rows0."
    ]


def test_a_users_own_task_is_named_by_its_file(commands: Commands, spec: dict[str, Any]) -> None:
    run, own = RUN | {"task": "reviews", "data": "real"}, {**spec, "task": ["reviews", "own-1a2b3c"]}
    line = "stabbench run --task TASK --techniques mixout --profile desk --model minilm --seeds"
    assert commands.line(run, own) == line
    assert commands.notes(run, own) == [
        "TASK is the file or folder of the user's own task reviews: its rows' fingerprint is rows0."
    ]


def test_a_model_from_a_folder_is_named_by_what_it_holds(commands: Commands, spec: dict[str, Any]) -> None:
    run, held = RUN | {"model": "checkpoint-500@1a2b3c"}, {**spec, "model": "sha256:1a2b3c4d"}
    assert "--model FOLDER" in commands.line(run, held)
    assert commands.notes(run, held) == [
        "FOLDER is the folder of the model checkpoint-500@1a2b3c: the digest of its files is sha256:1a2b3c4d."
    ]


def test_names_are_one_word_of_the_shell(commands: Commands, spec: dict[str, Any]) -> None:
    run = RUN | {"technique": "a b'; rm -rf $HOME", "model": "dir/with space"}
    words = shlex.split(commands.line(run, spec))
    assert words[words.index("--techniques") + 1] == run["technique"]
    assert words[words.index("--model") + 1] == run["model"]


@pytest.mark.parametrize(("frozen", "option"), [({}, "none"), ({"subset": 0, "init": 3}, "init=3,subset=0")])
def test_other_frozen_streams_are_options(
    commands: Commands, spec: dict[str, Any], frozen: dict[str, int], option: str
) -> None:
    assert f"--freeze {option} " in commands.line(RUN, spec | {"frozen": frozen})


def test_a_profile_that_changed_says_how(commands: Commands, spec: dict[str, Any]) -> None:
    spec["profile"] = spec["profile"] | {"epochs": 99}
    (note,) = commands.notes(RUN, spec)
    assert (
        note
        == f"The profile desk is another one today; the run had epochs 99 (today {PROFILES.get('desk').base.epochs})."
    )
    assert "no profile other" in commands.notes(RUN | {"profile": "other"}, spec)[0]


def test_techniques_that_changed_say_how(commands: Commands, spec: dict[str, Any]) -> None:
    spec["stack"] = [["mixout", {"p": 0.5}, "0"], ["mine", {}, "abc"]]
    version, default, unknown = commands.notes(RUN, spec)
    assert version == "mixout was at version 0, and is at 1 today."
    assert default == "mixout ran with p=0.5; its default today is 0.9."
    assert unknown == "mine is not in this version's registry: give its file as PATH.py:Class."
    assert len(commands.notes(RUN | {"technique": "mixout:p=0.5"}, spec)) == 2


def test_another_protocol_or_task_version_is_said(commands: Commands, spec: dict[str, Any]) -> None:
    notes = commands.notes(RUN, spec | {"protocol": 0, "task": ["sst2", "0"]})
    assert [note.split(" was")[0] for note in notes] == ["The harness's protocol", "The task sst2"]
