from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core import errors
from bench_lib.core.errors import (
    BadPlan,
    BadValue,
    BenchError,
    Diverged,
    Problems,
    UnknownName,
    check_name,
    check_path,
    one_line,
    require,
    shortened,
)


def test_an_unknown_name_answers_with_the_nearest() -> None:
    error = UnknownName("task", "sst", ["imdb", "sst2", "squad"])
    assert str(error) == "unknown task 'sst': did you mean 'sst2'?"
    assert error.name == "sst"


def test_several_near_names_are_all_offered() -> None:
    assert str(UnknownName("model", "bert-base", ["bert-base-cased", "bert-base-uncased", "tiny"])) == (
        "unknown model 'bert-base': did you mean 'bert-base-cased' or 'bert-base-uncased'?"
    )


def test_a_name_near_to_none_is_answered_with_all() -> None:
    assert str(UnknownName("task", "zzz", iter(["squad", "imdb"]))) == "unknown task 'zzz': known: imdb, squad"


def test_a_bad_value_says_what_it_is_and_what_is_allowed() -> None:
    assert str(BadValue("profile field epochs", -1, "1 or more")) == "profile field epochs is -1; allowed: 1 or more"


def test_require_raises_only_where_the_condition_fails() -> None:
    require(True, "epochs", 1, "1 or more")
    with pytest.raises(BadValue, match="epochs is 0; allowed: 1 or more"):
        require(False, "epochs", 0, "1 or more")


@pytest.mark.parametrize("name", ["UnknownName", "BadValue", "BadData", "BadStore", "Unavailable", "Unsupported"])
def test_what_a_user_can_put_right_is_one_family(name: str) -> None:
    assert issubclass(getattr(errors, name), BenchError)


def test_a_divergence_is_no_fault_of_the_input_and_survives_another_process() -> None:
    error = pickle.loads(pickle.dumps(Diverged(17)))
    assert type(error) is Diverged
    assert error.step == 17
    assert str(error) == "the loss was not finite at step 17"
    assert not issubclass(Diverged, BenchError)


def test_a_long_value_is_shown_by_its_ends() -> None:
    message = str(BadValue("seed", "1" * 5000, "less"))
    assert len(message) < 400
    assert message.startswith("seed is '111")
    assert message.endswith("111'; allowed: less")
    assert len(str(UnknownName("task", "9" * 5000, ["imdb"]))) < 400


@given(st.text(), st.integers(20, 80))
def test_a_shortened_text_keeps_its_beginning_and_its_end(text: str, limit: int) -> None:
    short = shortened(text, limit)
    assert len(short) == min(len(text), limit)
    assert text.startswith(short[: limit // 2 - 3])
    assert text.endswith(short[-(limit // 2 - 3) :])


@given(st.text(st.characters(exclude_categories=())))
def test_one_line_is_one_that_can_be_printed(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    line.encode()
    assert one_line(line) == line


@pytest.mark.parametrize("name", ["sst2", "modèle été", "a b", "x" * 200])
def test_a_clean_name_is_taken(name: str) -> None:
    check_name("name", name)


@pytest.mark.parametrize("name", ["", " ", "a ", "a\nb", "a\x1b[0m", "a\x00", "\ud800", "x" * 201, "\u202eabc", "a\tb"])
def test_a_name_that_no_table_can_show_is_refused(name: str) -> None:
    with pytest.raises(BadValue, match="allowed: 1 to 200 printable characters, without blanks at the ends"):
        check_name("name", name)


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 256, "é" * 128, "/".join(["x" * 200] * 21)])
def test_what_no_file_can_be_called_is_refused(path: str) -> None:
    with pytest.raises(BadValue, match="allowed: a path, with at most 255 bytes for each of its names"):
        check_path("path", path)


@pytest.mark.parametrize("path", [".", "/", "a/b", "x" * 255, "\udcff", "a\nb"])
def test_what_a_file_can_be_called_is_taken(path: str) -> None:
    check_path("path", path)


def test_problems_are_gathered_until_they_are_told() -> None:
    def fails(error: Exception) -> int:
        raise error

    problems = Problems()
    problems.refuse()
    assert problems.of(len, "abc") == 3
    assert problems.of(fails, BadValue("a", 1, "2")) is None
    assert problems.of(fails, BadPlan(["x", "y"])) is None
    with pytest.raises(ZeroDivisionError):
        problems.of(fails, ZeroDivisionError())
    with pytest.raises(BadPlan) as refused:
        problems.refuse()
    assert refused.value.problems == ("a is 1; allowed: 2", "x", "y")
