"""The options of `run` that take several values of a profile's field."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE
from bench_lib.cli.run import add_to
from bench_lib.core.errors import BadValue
from bench_lib.core.spec import Profile
from bench_lib.runner.options import AXES
from bench_lib.runner.request import parse_axes
from bench_lib.store import Store

Small = tuple[str, ...]


def parsed(*arguments: str) -> object:
    parser = argparse.ArgumentParser()
    add_to(parser)
    return parse_axes(parser.parse_args(arguments))


def test_options_are_fields_of_a_profile() -> None:
    assert AXES.keys() < vars(Profile()).keys()
    assert parsed() == ()


def test_values_are_read_by_the_type_of_their_field() -> None:
    assert parsed("--label-noise", "0, 0.1,0", "--train-examples", "0,100,all") == (
        ("train_examples", (0, 100, None)),
        ("label_noise", (0.0, 0.1)),
    )
    assert parsed("--per-class", "8,16", "--perturb", "1", "--attack", "0.5") == (
        ("per_class", (8, 16)),
        ("perturb", (1.0,)),
        ("attack", (0.5,)),
    )


@pytest.mark.parametrize(
    ("option", "text"), [("--per-class", "8,all"), ("--per-class", ""), ("--label-noise", "a"), ("--attack", "None")]
)
def test_other_values_are_refused(option: str, text: str) -> None:
    with pytest.raises(BadValue, match=rf"{option} is '{text.split(',')[-1]}'; allowed: a value of type"):
        parsed(option, text)


def test_every_combination_is_run_under_its_own_name(tmp_path: Path, small: Small) -> None:
    store = tmp_path / "results"
    options = ["--seeds", "0", "--store", str(store), "--per-class", "2,4", "--label-noise", "0,0.5"]
    assert main(["run", *small, *options]) == DONE
    frame = Store(store).frame()
    assert dict(zip(frame["profile"], frame["examples"], strict=True)) == {
        "smoke:per_class=2": 4,
        "smoke:per_class=2:label_noise=0.5": 4,
        "smoke:per_class=4": 8,
        "smoke:per_class=4:label_noise=0.5": 8,
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--per-class", "2", "--train-examples", "8"], "profile field per_class is 2; allowed: None where"),
        (["--per-class", "2", "--train-examples", "32"], "profile field per_class is 2; allowed: None where"),
        (["--attack", "inf"], "profile field attack is inf; allowed: 0 or more, finite"),
        (["--label-noise", "1.5"], "profile field label_noise is 1.5; allowed: a share, 0 to 1"),
        (
            ["--profile", "smoke:attack=1", "--attack", "2"],
            "axis attack of profile smoke:attack=1 is (2.0,); allowed: ",
        ),
    ],
)
def test_bad_axes_are_answered_and_nothing_is_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, small: Small, options: list[str], message: str
) -> None:
    assert main(["run", *small, "--store", str(tmp_path / "results"), *options]) == USAGE
    assert capsys.readouterr().err.startswith(f"stabbench: {message}")
    assert not (tmp_path / "results").exists()
