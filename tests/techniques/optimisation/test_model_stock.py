from __future__ import annotations

import math

import pytest
import torch

from bench_lib.techniques.optimisation.model_stock import ModelStock

START = {"w": torch.tensor([10.0, 10.0])}


def merged(*moves, start=START):
    """What members become that moved so far from the start; each has a new head besides, of its own number."""
    members = [
        {"w": START["w"] + torch.tensor(move, dtype=torch.float32), "head": torch.tensor([float(i)])}
        for i, move in enumerate(moves)
    ]
    return ModelStock(members=len(moves)).merge_weights([lambda m=m: m for m in members], start)


def moved(*moves):
    return (merged(*moves)["w"] - START["w"]).tolist()


def test_two_members_at_sixty_degrees_by_hand():
    # t = 2 * 0.5 / (1 + 0.5) = 2/3 of their mean, which is (1.5, sqrt(3) / 2) for lengths of 2.
    half = math.sqrt(3)
    assert moved([2, 0], [1, half]) == pytest.approx([2 / 3 * 1.5, 2 / 3 * half / 2], abs=1e-5)


def test_the_lengths_do_not_matter_for_the_ratio():
    assert moved([2, 0], [10, 10]) == pytest.approx(
        [12 / 2 * (2 * math.sqrt(0.5)) / (1 + math.sqrt(0.5)), 5 * (2 * math.sqrt(0.5)) / (1 + math.sqrt(0.5))],
        abs=1e-4,
    )


def test_three_members_by_the_mean_of_their_angles():
    # Pairs at 30, 30 and 60 degrees: 40 on average, where the mean of the cosines would be another.
    directions = [[math.cos(math.radians(a)), math.sin(math.radians(a))] for a in (0, 30, 60)]
    cosine = math.cos(math.radians(40))
    t = 3 * cosine / (1 + 2 * cosine)
    expected = [t * sum(d[i] for d in directions) / 3 for i in (0, 1)]
    assert moved(*directions) == pytest.approx(expected, abs=1e-5)


def test_members_that_agree_are_their_mean():
    assert moved([1, 2], [2, 4]) == pytest.approx([1.5, 3.0], abs=1e-3)


@pytest.mark.parametrize("second", [[0.0, 1.0], [-1.0, 1.0], [-1.0, 0.0]])
def test_at_a_right_angle_and_beyond_it_is_the_pretrained_model(second):
    assert moved([1.0, 0.0], second) == pytest.approx([0.0, 0.0], abs=1e-5)


def test_a_tensor_that_did_not_move_is_the_pretrained_one():
    assert torch.equal(merged([0, 0], [0, 0])["w"], START["w"])
    assert torch.equal(merged([0, 0], [1, 0])["w"], START["w"])


def test_small_moves_count_as_large_ones():
    assert moved([2e-5, 0], [4e-5, 0]) == pytest.approx([3e-5, 0], abs=2e-6)


def test_a_new_head_is_averaged_and_so_is_all_where_nothing_has_a_start():
    assert merged([1, 0], [0, 1], [1, 1])["head"].item() == pytest.approx(1.0)
    assert merged([1, 0], [0, 1], start={})["w"].tolist() == [10.5, 10.5]


def test_one_member_is_handed_through():
    member = {"w": torch.ones(2)}
    assert ModelStock(members=1).merge_weights([lambda: member], START)["w"] is member["w"]


def test_what_it_pools():
    assert (ModelStock().pools(), ModelStock(members=5).pools()) == (2, 5)
