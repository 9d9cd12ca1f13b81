from __future__ import annotations

import json
import tarfile
from typing import Any

import pytest

from bench_lib.core.errors import BadData, BenchError
from bench_lib.core.spec import TechniqueSpec
from bench_lib.store import Store
from bench_lib.submissions.submission import Submission, environments, read_submission

PART = {"name": "mine", "params": {"p": 0.1}, "version": "abc", "observer": False, "label": "mine"}
GOOD: dict[str, Any] = {
    "format": 1,
    "technique": "technique.py:Mine",
    "stack": [PART],
    "baseline": "adamw",
    "tasks": ["sst2"],
    "profile": "smoke",
    "model": "tiny",
    "data": "embedded",
    "seeds": 3,
    "environments": [],
}


def read(changes: dict[str, Any]) -> Submission:
    return read_submission(json.dumps(GOOD | changes).encode())[0]


def test_what_is_written_reads_the_same(small: Any) -> None:
    with tarfile.open(small.archive) as tar:
        text = tar.extractfile("submission.json").read()
    submission, machines = read_submission(text)
    records = Store(small.store).records()
    assert submission.as_json(records) == text
    assert machines == environments(records)
    assert (machines[0]["runs"], submission.label, submission.technique) == (6, "shaken", "technique.py:Shaken")


def test_a_stack_and_settings_are_read() -> None:
    stack = [PART | {"label": "mine:p=0.2"}, PART | {"name": "llrd", "label": "llrd", "version": "1"}]
    found = read({"technique": "technique.py:Mine:p=0.2+llrd", "stack": stack})
    assert (found.label, found.version) == ("mine:p=0.2+llrd", "abc")
    assert found.stack[0] == TechniqueSpec("mine", (("p", 0.1),), "abc", False, "mine:p=0.2")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b"\xff", b'{"format": 2}', b"[" * 100_000, json.dumps(GOOD | {"stack": 3}).encode()]
)
def test_what_is_no_submission_cannot_be_read(text: bytes) -> None:
    with pytest.raises(BadData, match=r"submission\.json cannot be read"):
        read_submission(text)


@pytest.mark.parametrize("name", [name for name in GOOD if name != "format"])
def test_a_part_that_is_missing_or_of_another_type_is_named(name: str) -> None:
    with pytest.raises(BadData, match=f"there is no '{name}'"):
        read_submission(json.dumps({k: v for k, v in GOOD.items() if k != name}).encode())
    with pytest.raises(BenchError):
        read({name: {"a": 1}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline": "evil.py:Mine"}, "unknown technique 'evil.py'"),
        ({"baseline": "adamw+technique.py:Mine"}, "unknown technique 'technique.py'"),
        ({"technique": "technique.py:Mine+/tmp/evil.py:Mine"}, "unknown technique '/tmp/evil.py'"),
        ({"technique": "/tmp/evil.py:Mine"}, "technique of a submission is"),
        ({"technique": "technique.py:Mine+technique.py:Other"}, "technique of a submission is"),
        ({"technique": "llrd"}, "technique of a submission is"),
        ({"technique": "technique.py:Mine+llrd"}, "as many techniques"),
        ({"tasks": ["/tmp/task.toml"]}, "unknown task '/tmp/task.toml'"),
        ({"tasks": ["sst2", "sst2"]}, "tasks is"),
        ({"tasks": []}, "tasks is"),
        ({"model": "/tmp"}, "unknown model '/tmp'"),
        ({"model": "someone/model"}, "unknown model 'someone/model'"),
        ({"data": "/tmp"}, "data of a submission is '/tmp'"),
        ({"profile": "smok"}, "unknown profile 'smok'"),
        ({"profile": "smoke:scored_on=dev"}, "profile is 'smoke:scored_on=dev'"),
        ({"seeds": 2}, "seeds of a submission is 2"),
        ({"seeds": True}, "not of their types"),
        ({"model": "ti\nny"}, "unprintable"),
        ({"model": "t" * 2000}, "a text is missing, or has more than 1,000 characters"),
        ({"stack": [PART | {"params": {"p": [1]}}]}, "no plain values"),
    ],
)
def test_what_a_maintainer_could_not_check_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        read(changes)
