from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.techniques.optimisation.greedy_soup import GreedySoup


def toy(*points):
    """Members of two weights each; the second goes along."""
    return [{"w": torch.tensor([float(p)]), "v": torch.tensor([[float(p), -float(p)]])} for p in points]


def readers(members):
    """Members as a pool gets them: each is read when it is called for."""
    return [lambda member=member: member for member in members]


class Judge:
    """Scores weights by a function of `w`, and keeps what it was asked."""

    def __init__(self, score):
        self.score, self.asked = score, []

    def __call__(self, weights):
        self.asked.append(round(weights["w"].item(), 5))
        return self.score(weights["w"].item())


def soup(points, score):
    judge = Judge(score)
    return GreedySoup(members=len(points)).pool_weights(readers(toy(*points)), judge), judge.asked


def near(target):
    return lambda w: -abs(w - target)


def test_by_hand():
    # Target 3. Alone: 1 -> -2, 2 -> -1, 6 -> -3, 4.5 -> -1.5; so the order is 2, 4.5, 1, 6.
    # 2 and 4.5: 3.25 -> -0.25, kept. With 1: 2.5 -> -0.5, left out. With 6: 12.5 / 3 = 4.1667 -> -1.1667, left out.
    found, asked = soup([1, 2, 6, 4.5], near(3))
    assert asked == [1, 2, 6, 4.5, 3.25, 2.5, 4.16667]
    assert found["w"].item() == 3.25
    assert found["v"].tolist() == [[3.25, -3.25]]


def test_all_that_help_have_equal_weights():
    # Target 3. Order 2, 5, 0.5, 6: 2; 3.5 -> -0.5, kept; 7.5 / 3 = 2.5 -> -0.5, a tie, kept; 13.5 / 4 = 3.375, kept.
    found, asked = soup([6, 0.5, 5, 2], near(3))
    assert asked == [6, 0.5, 5, 2, 3.5, 2.5, 3.375]
    assert found["w"].item() == pytest.approx(3.375)


def test_a_member_that_harms_is_left_out_and_the_next_is_still_tried():
    # By score 1.0, 0.9, 0.8; with the second the soup falls to 0.5, with the third it rises.
    values = {0.0: 1.0, 10.0: 0.9, 1.0: 0.8, 5.0: 0.5, 0.5: 1.1}
    found, asked = soup([0, 10, 1], values.__getitem__)
    assert asked == [0, 10, 1, 5, 0.5]
    assert found["w"].item() == 0.5


def test_ties_are_kept_and_equal_members_go_by_their_seed():
    found, asked = soup([5, 1, 3], lambda w: 0.5)
    assert asked == [5, 1, 3, 3, 3]  # the means of 5 and 1, and of all three
    assert found["w"].item() == pytest.approx(3)
    # Of the equal 4 and 2, which come after 9, the first goes first, and then the second only harms.
    values = {9.0: 1.0, 4.0: 0.5, 2.0: 0.5, 6.5: 1.0, 5.0: 0.9}
    assert soup([4, 9, 2], values.__getitem__)[1] == [4, 9, 2, 6.5, 5]


def test_where_each_other_harms_the_best_is_left_as_it_was():
    members = toy(1, 2, 3)
    found = GreedySoup(members=3).pool_weights(readers(members), lambda w: float(w["w"].item() == 2))
    assert all(torch.equal(found[name], weight) for name, weight in members[1].items())


def test_one_member_is_handed_through():
    (member,) = toy(7)
    found = GreedySoup(members=1).pool_weights(readers([member]), Judge(near(0)))
    assert all(found[name] is weight for name, weight in member.items())


@given(st.lists(st.integers(-20, 20), min_size=1, max_size=6), st.integers(-20, 20))
def test_the_soup_is_no_worse_than_any_member_and_the_members_are_untouched(points, target):
    members = toy(*points)
    found = GreedySoup(members=len(points)).pool_weights(readers(members), Judge(near(target)))
    assert near(target)(found["w"].item()) >= max(map(near(target), points)) - 1e-5
    assert [m["w"].item() for m in members] == points


def test_what_it_pools():
    assert (GreedySoup().pools(), GreedySoup(members=10).pools()) == (5, 10)
