from __future__ import annotations

import pickle

import pytest

from bench_lib import errors
from bench_lib.errors import BadValue, BenchError, Diverged, UnknownName, require


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
