from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bench_lib.core.errors import BadData
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import LabelSetExample, NumberExample, TextExample
from bench_lib.tasks.formats.reading import A_TEXT_A_COLUMN, Reading
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.texts import read_texts
from bench_lib.tasks.sources.parse import parse

ROW = {"premise": "The pond froze.", "question": "cause", "choice1": "It {was} cold.", "choice2": "Ducks came."}
COPA = TASKS.get("copa")


def test_a_task_reads_a_text_a_column_unless_it_says_otherwise() -> None:
    assert [task.name for task in TASKS if task.reading != A_TEXT_A_COLUMN] == ["copa"]


def test_columns_stand_where_the_templates_have_them() -> None:
    row = {"a": "x {b}", "b": "y", "c": "z", "d": 1}

    def read(*templates: str) -> tuple[str, str | None]:
        return read_texts(RowReader(("a", "b", "c", "d"), (), row, "here", 0, reading=Reading(templates)))

    assert read("{c}, {a}{{}}", "{b}.") == ("z, x {b}{}", "y.")
    assert read("{a}{b}{c}") == ("x {b}yz", None)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"question": "reason"}, r"here, row 0 .*: question is 'reason'; expected 'cause' or 'effect'"),
        ({"question": None}, r"here, row 0 .*: question is None; expected text"),
        ({"choice2": 3}, r"here, row 0 .*: choice2 is 3; expected text"),
        ({"label": 2}, r"here, row 0 .*: label is 2; expected 0 \(choice1\) or 1 \(choice2\)"),
    ],
)
def test_a_row_that_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BadData, match=message):
        parse(COPA, [{**ROW, "label": 0, **changes}], "here")
    lacking = {name: value for name, value in {**ROW, "label": 0}.items() if name not in changes}
    with pytest.raises(BadData, match=f"column '{next(iter(changes))}' is missing"):
        parse(COPA, [lacking], "here")


def test_every_format_of_texts_takes_templates() -> None:
    text, pair = "The pond froze. What was the cause?", "Choice 1: It {was} cold. Choice 2: Ducks came."
    expected = {"sst2": TextExample(text, 1, pair), "stsb": NumberExample(text, 1.0, pair)}
    expected |= {"go_emotions": LabelSetExample(text, (1,), pair)}
    for name, example in expected.items():
        task = dataclasses.replace(TASKS.get(name), columns=COPA.columns, reading=COPA.reading)
        label: Any = [1] if name == "go_emotions" else 1.0 if name == "stsb" else 1
        assert parse(task, [{**ROW, "label": label}], "here") == (example,)
