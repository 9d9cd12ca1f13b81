"""Numbers as text of fixed width, read back as the page's script reads them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.report.html.coding import (
    ALPHABET,
    Coded,
    Scaled,
    factored,
    fixed,
    halved,
    hexadecimal,
    linear,
    logarithmic,
    missing,
    narrow,
    ranges,
    repeated,
    short,
    stretches,
)

LOSSES = st.lists(st.one_of(st.floats(1e-4, 1e3), st.just(math.nan), st.just(math.inf)), min_size=2, max_size=20)


def codes(text: str, width: int) -> list[int]:
    parts = [text[at : at + width] for at in range(0, len(text), width)]
    return [sum(ALPHABET.index(letter) * 64 ** (width - 1 - i) for i, letter in enumerate(part)) for part in parts]


def read(scaled: Scaled) -> list[float]:
    last = missing(scaled.width) - 1
    shares = [math.nan if code > last else code / last for code in codes(scaled.text, scaled.width)]
    if scaled.log:
        return [math.exp(share * math.log(scaled.high / scaled.low)) * scaled.low for share in shares]
    return [scaled.low + share * (scaled.high - scaled.low) for share in shares]


@given(st.lists(st.integers(0, 64**3 - 1)), st.integers(3, 4))
def test_whole_numbers_come_back(values: list[int], width: int) -> None:
    assert codes(fixed(values, width), width) == values


@given(st.lists(st.integers(0, 10**6)))
def test_the_width_is_the_least_that_leaves_the_code_of_the_unknown_free(values: list[int]) -> None:
    told = narrow(values)
    assert codes(told["text"], told["width"]) == values
    assert max(values, default=0) < missing(told["width"])
    assert told["width"] == 1 or max(values) >= missing(told["width"] - 1)


@given(st.lists(st.one_of(st.floats(-2, 2), st.just(math.nan))))
def test_equal_steps_keep_a_number_to_half_a_step(values: list[float]) -> None:
    found = read(linear(values, -1, 1, 2))
    for value, again in zip(values, found, strict=True):
        assert math.isnan(again) if math.isnan(value) else abs(again - min(max(value, -1), 1)) <= 1 / (missing(2) - 1)


@given(LOSSES)
def test_equal_ratios_keep_a_number_to_its_share(values: list[float]) -> None:
    for value, again in zip(values, read(logarithmic(values, 3)), strict=True):
        assert again == pytest.approx(value, rel=1e-4) if math.isfinite(value) else math.isnan(again)


@given(LOSSES.filter(lambda values: len(values) % 2 == 0))
def test_pairs_keep_a_number_in_nine_bits(values: list[float]) -> None:
    told = halved(values)
    found = [part for pair in codes(told["text"], 3) for part in divmod(pair, 512)]
    assert len(told["text"]) == 3 * len(values) // 2
    for value, code in zip(values, found, strict=True):
        if math.isfinite(value):
            assert told["low"] * (told["high"] / told["low"]) ** (code / 510) == pytest.approx(value, rel=0.02)
        else:
            assert code == 511


def test_what_is_not_positive_is_the_least_of_the_positive() -> None:
    assert read(logarithmic([0.0, -1.0, 0.5, 5.0], 2)) == pytest.approx([0.5, 0.5, 0.5, 5.0])
    assert read(logarithmic([math.nan], 2)) == pytest.approx([math.nan], nan_ok=True)


@given(st.lists(st.text("0123456789abcdef", min_size=20, max_size=20)))
def test_identifiers_come_back_whole(ids: list[str]) -> None:
    told = hexadecimal(ids)
    digits = "".join(f"{code:03x}" for code in codes(told["text"], 2))
    each = told["width"] // 2 * 3
    assert [digits[i * each : i * each + told["length"]] for i in range(len(ids))] == ids


def test_other_identifiers_stand_as_they_are() -> None:
    assert hexadecimal(["x1", "y"]) == {"text": "x1y ", "width": 2, "length": 2, "hex": False}


@given(st.lists(st.integers(0, 5)))
def test_numbers_that_repeat_are_told_once(values: list[int]) -> None:
    told = repeated(values)
    each, times = (codes(told[name]["text"], told[name]["width"]) for name in ("each", "times"))
    assert [value for value, count in zip(each, times, strict=True) for _ in range(count)] == values


@given(st.lists(st.integers(0, 9)))
def test_stretches_hold_every_number_in_its_place(values: list[int]) -> None:
    told = stretches(values)
    pairs = zip(told[::2], told[1::2], strict=True)
    assert [first + i for first, count in pairs for i in range(count)] == values


def test_seeds_that_follow_one_another_are_one_number() -> None:
    assert ranges([3, 4, 5]) == 3
    assert ranges([0, 2]) == [0, 2]
    assert ranges([]) == 0


def test_values_are_as_json_takes_them() -> None:
    told = [short(v) for v in (np.float64(1 / 3), math.nan, np.int64(3), np.bool_(True), None, "a")]
    assert told == [0.333333, None, 3, True, None, "a"]


def test_maps_share_their_entries() -> None:
    parts = Coded()
    told = factored([{"a": 1, "b": [2]}, {"b": [2], "c": 1}], parts)
    assert [[parts.values[i] for i in one] for one in told] == [[["a", 1], ["b", [2]]], [["b", [2]], ["c", 1]]]
    assert len(parts.values) == 3
