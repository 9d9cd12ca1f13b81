from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from bench_lib.core.errors import BadStore
from bench_lib.store import Submission, new_folder, submissions
from bench_lib.store.submissions import journal


def submitted(root: Path) -> Submission:
    submission = Submission(new_folder(root), ("12_0", "12_1"), (("a", "b"), ("c",)))
    submission.record()
    return submission


def test_a_journal_says_what_was_begun_stored_and_lost(tmp_path: Path) -> None:
    told = journal(tmp_path, 0).read()
    assert (told.begun, told.stored, told.over) == (Counter(), frozenset(), False)
    one = journal(tmp_path, 0)
    one.begun(["a", "b"])
    one.stored("a")
    assert one.read().lost() == {"b": 1}
    # The cluster began the job again.
    one.begun(["b"])
    assert one.read().lost() == {"b": 2}
    one.stored("b")
    one.over()
    told = one.read()
    assert (told.stored, told.over, told.lost()) == ({"a", "b"}, True, {"b": 1})
    assert not journal(tmp_path, 1).read().begun


def test_a_line_that_was_broken_off_says_nothing(tmp_path: Path) -> None:
    one = journal(tmp_path, 0)
    one.begun(["a"])
    one.path.write_text(one.path.read_text() + 'nonsense\n["unknown", []]\n7\n["stored", ["a')
    told = one.read()
    assert (told.begun, told.stored, told.over) == ({"a": 1}, frozenset(), False)


def test_submissions_are_found_until_they_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert submissions(tmp_path) == []
    first, second = submitted(tmp_path), submitted(tmp_path)
    assert sorted(submissions(tmp_path), key=str) == sorted([first, second], key=str)
    monkeypatch.chdir(tmp_path.parent)
    assert {*submissions(Path(tmp_path.name))} == {first, second}
    new_folder(Path(tmp_path.name)).rmdir()
    first.forget()
    assert submissions(tmp_path) == [second]
    second.forget()
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"jobs": ["1"]}', '{"jobs": ["1"], "runs": []}', "\0"])
def test_what_is_no_submission_counts_for_none(tmp_path: Path, text: str) -> None:
    (new_folder(tmp_path) / "jobs.json").write_text(text)
    new_folder(tmp_path)
    assert submissions(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_an_error_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "submissions").write_text("")
    with pytest.raises(BadStore, match=r"submissions/.* cannot be written: Not a directory"):
        new_folder(tmp_path)
