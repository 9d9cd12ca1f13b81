from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench_lib.comparison.contrasts import Contrasts
from bench_lib.core.errors import BadPlan, BadValue, BenchError
from bench_lib.plans.plan_file import read_plan
from bench_lib.runner.grid import Grid
from bench_lib.runner.limits import Limits
from bench_lib.stats.design import Margins
from bench_lib.store import Store

TEXT = """
title = "A plan"
model = "tiny"
data = "embedded"
profiles = ["smoke"]
tasks = ["sst2", "imdb"]

[limits]
max_runs = 7
max_hours = 1.5

[[sweep]]
name = "baseline"
techniques = ["adamw", "early_stopping"]
seeds = "0-2,7"

[[sweep]]
name = "streams"
tasks = ["conll2003"]
techniques = ["adamw"]
profiles = ["smoke", "smoke-stress"]
seeds = "3"
freeze = "order=1"

[[contrasts]]
name = "techniques"
baseline = "adamw"
techniques = ["mixout", "llrd+reinit"]
first_seed = 3
max_seeds = 20
alpha = 0.01
margin = 1.5
"""


@pytest.fixture
def problems(written: Any) -> Any:
    """What is wrong with a text, without the name of the file."""

    def found(text: str) -> list[str]:
        path = written(text)
        with pytest.raises(BadPlan) as caught:
            read_plan(path)
        assert all(problem.startswith(str(path)) for problem in caught.value.problems)
        return [problem.removeprefix(str(path)) for problem in caught.value.problems]

    return found


def test_a_plan_is_its_sweeps_and_contrasts_in_order(written: Any) -> None:
    found = read_plan(written(TEXT))
    assert (found.title, found.limits) == ("A plan", Limits(7, 1.5))
    assert list(found.sweeps.items()) == [
        ("baseline", Grid(("sst2", "imdb"), ("adamw", "early_stopping"), (0, 1, 2, 7), ("smoke",), "tiny")),
        (
            "streams",
            Grid(("conll2003",), ("adamw",), (3,), ("smoke", "smoke-stress"), "tiny", frozen=((("order", 1),),)),
        ),
    ]
    assert dict(found.contrasts) == {
        "techniques": Contrasts(
            "adamw",
            ("mixout", "llrd+reinit"),
            ("sst2", "imdb"),
            ("smoke",),
            "tiny",
            first_seed=3,
            max_seeds=20,
            alpha=0.01,
            margins=Margins(ratio=1.5),
        )
    }


def test_data_given_beside_a_plan_take_the_place_of_its_own(written: Any, data_folder: Path) -> None:
    found = read_plan(written(TEXT), str(data_folder))
    assert {part.data for part in (*found.sweeps.values(), *found.contrasts.values())} == {str(data_folder)}


def test_a_plan_needs_no_limits_and_no_contrasts(written: Any) -> None:
    head, _, _ = TEXT.replace("[limits]\nmax_runs = 7\nmax_hours = 1.5", "").partition("[[contrasts]]")
    found = read_plan(written(head))
    assert (found.limits, found.contrasts) == (Limits(), {})


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('title = "A plan"', "", ": the key 'title' is missing: one line of text in quotes"),
        ('title = "A plan"', "title = 3", ": title is 3; allowed: one line of text in quotes"),
        ('model = "tiny"', 'model = "tinny"', ": unknown model 'tinny': did you mean 'tiny' or 'tiny-llama'?"),
        ('data = "embedded"', 'data = "hbu"', ": data source 'hbu' is neither 'hub' nor 'embedded' nor a folder"),
        ('data = "embedded"', 'date = "embedded"', ": unknown key 'date': did you mean 'data'"),
        ("max_runs = 7", "max_runs = 0", ", limits: max_runs is 0; allowed: a whole number, 1 or more"),
        ("max_runs = 7", "max_runs = true", ", limits: max_runs is True; allowed: a whole number"),
        ("max_hours = 1.5", "max_hours = nan", ", limits: max_hours is nan; allowed: a number above 0"),
        ("max_hours = 1.5", "hours = 1", ", limits: unknown key 'hours': did you mean 'max_hours'?"),
        ('name = "baseline"', "", ", sweep 1: the key 'name' is missing: one line of text in quotes"),
        ('name = "baseline"', "name = []", ", sweep []: name is []; allowed: one line of text in quotes"),
        ('name = "streams"', 'name = "baseline"', ", sweep baseline: name is 'baseline'; allowed: a name of its own"),
        ('name = "techniques"', 'name = "streams"', ", contrasts streams: name is 'streams'; allowed: a name of its"),
        ('techniques = ["adamw"]', "", ", sweep streams: the key 'techniques' is missing: a list of names in quotes"),
        ('seeds = "3"', "seed = 3", ", sweep streams: the key 'seeds' is missing: one line of text in quotes"),
        ('seeds = "3"', 'seeds = "4-1"', ", sweep streams: seed range is '4-1'; allowed: numbers and rising ranges"),
        ('["conll2003"]', '"conll2003"', ", sweep streams: tasks is 'conll2003'; allowed: a list of names in quotes"),
        ('["conll2003"]', "[]", ", sweep streams: tasks is []; allowed: a list of names in quotes"),
        ('["conll2003"]', '["conl2003"]', ", sweep streams: unknown task 'conl2003': did you mean 'conll2003'"),
        ('"smoke-stress"', '"smok"', ", sweep streams: unknown profile 'smok': did you mean 'smoke'"),
        ('["smoke", "smoke-stress"]', '["smoke", "smoke"]', ", sweep streams: profiles is ['smoke', 'smoke']; allowed"),
        ('"order=1"', '"odrer=1"', ", sweep streams: --freeze is 'odrer=1'; allowed: STREAM=SEED"),
        ('"mixout"', '"mixuot"', ", contrasts techniques: unknown technique 'mixuot': did you mean 'mixout'"),
        ('"mixout"', '"ensemble"', ", contrasts techniques: ensemble pools several seeds into one record, so it"),
        ("alpha = 0.01", "alpha = 0.7", ", contrasts techniques: alpha is 0.7; allowed: between 0 and 0.5"),
        ("margin = 1.5", "margin = 1", ", contrasts techniques: margin of the MAD ratio is 1; allowed: above 1"),
        (
            "max_seeds = 20",
            "max_seeds = 2",
            ", contrasts techniques: greatest number of seeds is 2; allowed: 3 or more",
        ),
        ("max_seeds = 20", "seeds = 20", ", contrasts techniques: unknown key 'seeds': did you mean 'max_seeds'"),
        ("first_seed = 3", "first_seed = -1", ", contrasts techniques: first seed is -1; allowed: 0 or more"),
        (
            "[limits]",
            "[[limits]]",
            ": limits is [{'max_runs': 7, 'max_hours': 1.5}]; allowed: a table that begins with",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(problems: Any, old: str, new: str, problem: str) -> None:
    assert TEXT.count(old) == 1
    assert any(found.startswith(problem) for found in problems(TEXT.replace(old, new)))


def test_all_that_is_wrong_is_told_at_once(problems: Any) -> None:
    wrong = TEXT.replace('title = "A plan"', 'titel = ""').replace("max_runs = 7", "max_runs = 0.5")
    wrong = wrong.replace('seeds = "3"', 'seeds = "x"').replace('"mixout"', '"mixuot"').replace('"adamw"]', '"adam"]')
    assert [found.partition(";")[0].partition("did you")[0].strip() for found in problems(wrong)] == [
        ": unknown key 'titel':",
        ": the key 'title' is missing: one line of text in quotes",
        ", limits: max_runs is 0.5",
        ", sweep streams: seed range is 'x'",
        ", sweep streams: unknown technique 'adam':",
        ", contrasts techniques: unknown technique 'mixuot':",
    ]


def test_a_plan_without_anything_to_run_is_refused(problems: Any) -> None:
    assert problems('title = "Nothing"') == [": plan is {}; allowed: at least one [[sweep]]"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"title = ", r"is not TOML: .*at line 1, column 9|is not TOML"),
        (b'title = "\xff"', "is not TOML: 'utf-8' codec"),
        (b"title = " + b"[" * 100_000, "is not TOML: "),
    ],
)
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_bytes(content)
    with pytest.raises(BenchError, match=message) as caught:
        read_plan(path)
    assert str(caught.value).startswith(str(path))


def test_the_arms_of_a_plan_may_be_tuned(written: Any, tmp_path: Path) -> None:
    text = TEXT.replace('"mixout"', '"mixout[tuned@2]"').replace('["adamw", "early', '["adamw[tuned@2]", "early')
    found = read_plan(written(text), tuned_from=str(tmp_path / "trials"))
    assert {grid.tuned_from for grid in found.sweeps.values()} == {str(tmp_path / "trials")}
    with pytest.raises(BadPlan, match=r", baseline: adamw\[tuned@2\] on sst2: 4 of 4 trials .* are missing") as caught:
        found.checked_runs(Store(tmp_path / "results"))
    assert any(", techniques: mixout[tuned@2] on imdb: " in problem for problem in caught.value.problems)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"none\.toml'; allowed: a file that exists"):
        read_plan(tmp_path / "none.toml")


def test_what_cannot_succeed_is_named_with_its_part(written: Any, tmp_path: Path) -> None:
    found = read_plan(written(TEXT), str(tmp_path))
    with pytest.raises(BadPlan) as caught:
        found.checked_runs(Store(tmp_path / "results"))
    places = [problem.split(":")[0].removeprefix(str(found.path)) for problem in caught.value.problems]
    assert list(dict.fromkeys(places)) == [", baseline", ", streams", ", techniques"]


TUNED = """
title = "Tuned"
model = "tiny"
tasks = ["sst2"]
profiles = ["smoke"]
techniques = ["adamw", "mixout"]

[[tuning]]
name = "tuning"
budget = 2
"""


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("budget = 2", "budget = 0"), ", tuning tuning: budget is 0; allowed: a whole number, 1 or more"),
        (("budget = 2", "budget = 2_000"), ", tuning tuning: budget of a tuning is 2000; allowed: 1 to 1,024"),
        (
            ("budget = 2", 'techniques = ["mixuot"]'),
            ", tuning tuning: unknown technique 'mixuot': did you mean 'mixout'",
        ),
        (("budget = 2", 'techniques = ["ensemble"]'), ", tuning tuning: ensemble is not tuned: it pools runs of 5"),
        (("budget = 2", 'seeds = "3"'), ", tuning tuning: unknown key 'seeds'"),
    ],
)
def test_a_tuning_that_cannot_be_is_named(problems: Any, change: tuple[str, str], problem: str) -> None:
    assert any(found.startswith(problem) for found in problems(TUNED.replace(*change))), problems(
        TUNED.replace(*change)
    )
