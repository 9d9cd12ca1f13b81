from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue
from bench_lib.core.seeds import LARGEST, TUNING_SEEDS
from bench_lib.submissions.seeds import FIRST, RANGES, WIDTH, submission_seeds, written


def test_the_rule_gives_the_seeds_that_it_always_gave() -> None:
    """What was submitted must stay what was declared."""
    assert submission_seeds(b"x = 1\n", "sst2", 20) == range(725_435_000, 725_435_020)


@settings(max_examples=40)
@given(st.binary(max_size=50), st.text(max_size=10), st.integers(3, WIDTH))
def test_every_range_is_apart_from_tuning_and_from_usual_seeds(file: bytes, task: str, count: int) -> None:
    seeds = submission_seeds(file, task, count)
    assert len(seeds) == count
    assert seeds == submission_seeds(file, task, count)
    assert TUNING_SEEDS.stop < FIRST <= seeds[0] < seeds[-1] < FIRST + WIDTH * RANGES <= LARGEST
    assert seeds[0] % WIDTH == 0


def test_file_task_and_count_each_change_the_range() -> None:
    asked = [(b"a", "sst2", 20), (b"a ", "sst2", 20), (b"a", "imdb", 20), (b"a", "sst2", 21)]
    assert len({submission_seeds(*one)[0] for one in asked}) == len(asked)


@pytest.mark.parametrize("count", [0, 2, WIDTH + 1])
def test_a_number_that_cannot_be_compared_is_refused(count: int) -> None:
    with pytest.raises(BadValue, match=f"seeds of a submission is {count}; allowed: 3 to 1,000"):
        submission_seeds(b"", "sst2", count)


def test_a_range_is_written_as_the_command_line_takes_it() -> None:
    assert written(range(1000, 1020)) == "1000-1019"
