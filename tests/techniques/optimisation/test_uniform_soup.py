from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.techniques.optimisation.uniform_soup import UniformSoup


def merged(*points):
    members = [{"w": torch.tensor([float(p)]), "v": torch.tensor([[float(p), -float(p)]])} for p in points]
    found = UniformSoup(members=len(points)).merge_weights([lambda m=m: m for m in members], {})
    assert [m["w"].item() for m in members] == [float(p) for p in points], "the members are untouched"
    return found


def test_the_mean_by_hand():
    found = merged(1, 2, 9)
    assert found["w"].tolist() == [4.0]
    assert found["v"].tolist() == [[4.0, -4.0]]


def test_opposite_heads_cancel():
    assert merged(5, -5)["w"].item() == 0.0


def test_one_member_is_handed_through():
    member = {"w": torch.ones(1)}
    assert UniformSoup(members=1).merge_weights([lambda: member], {})["w"] is member["w"]


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=8))
def test_it_is_the_arithmetic_mean(points):
    assert merged(*points)["w"].item() == pytest.approx(sum(points) / len(points), abs=1e-4)


def test_each_member_is_read_once_and_in_order():
    read = []

    def reader(number):
        return lambda: read.append(number) or {"w": torch.tensor([float(number)])}

    UniformSoup(members=3).merge_weights([reader(i) for i in range(3)], {})
    assert read == [0, 1, 2]


def test_what_it_pools():
    assert (UniformSoup().pools(), UniformSoup(members=10).pools()) == (5, 10)
