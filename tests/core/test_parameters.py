"""Settings as text; what stacks and profiles make of them is tested there."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from bench_lib.core.errors import BadValue, BenchError, UnknownName
from bench_lib.core.parameters import check_field, read_settings, read_value


@dataclass
class Made:
    """Fields of every type that settings have."""

    share: float = 0.5
    count: int | None = 3
    name: str = "x"
    whole: bool = False


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("share=1", 1.0),
        ("share=-inf", float("-inf")),
        ("count=None", None),
        ("count=-2", -2),
        ("name=anything", "anything"),
        ("whole=True", True),
    ],
)
def test_a_value_is_of_the_type_that_its_field_declares(text: str, value: object) -> None:
    (found,) = read_settings([text], Made, "thing", "made").values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        (["share"], BadValue, "setting of thing made is 'share'; allowed: field=value"),
        (["shre=1"], UnknownName, "unknown field of thing made 'shre': did you mean 'share'"),
        (["share=1", "share=2"], BenchError, "field 'share' of thing made stands twice in 'share=1:share=2'"),
        (["share=x"], BadValue, "made:share is 'x'; allowed: a value of type float, such as 0.5"),
        (["count=1.5"], BadValue, "made:count is '1.5'; allowed: a value of type int or None, such as 3"),
        (["count=True"], BadValue, "made:count is 'True'"),
        (["name=None"], BadValue, "made:name is 'None'; allowed: a value of type str, such as x"),
    ],
)
def test_what_does_not_fit_is_answered(parts: list[str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_settings(parts, Made, "thing", "made")


def test_nothing_is_nothing() -> None:
    assert read_settings([], Made, "thing", "made") == {}
    check_field("share", Made, "thing made")
    assert read_value("0.25", Made, "share", "here") == 0.25
