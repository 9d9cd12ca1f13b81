from __future__ import annotations

import pytest
import torch

from bench_lib.errors import BadValue
from bench_lib.techniques.training import Group
from bench_lib.techniques.wd_pre import WdPre


def pulled(toy, technique, rate=0.1):
    """How much of a distance of 1 from the start is left, by parameter."""
    start = {name: p.detach().clone() for name, p in toy.model.named_parameters()}
    toy.optimizer = torch.optim.SGD(toy.model.parameters(), lr=rate)
    with torch.no_grad():
        for parameter in toy.model.parameters():
            parameter += 1.0
    technique.after_update(toy)
    return {name: (p.detach() - start[name]).mean().item() for name, p in toy.model.named_parameters()}


def test_one_pull_by_hand_and_neither_pooler_nor_head(toy):
    left = pulled(toy, WdPre(0.5))
    for name, distance in left.items():
        expected = 1 - 0.1 * 0.5 if toy.anatomy.is_pretrained(name) else 1.0
        assert distance == pytest.approx(expected, abs=1e-6), name


def test_the_decay_towards_zero_is_off_where_it_pulls(toy):
    groups = [Group(dict(toy.model.named_parameters()), 0.1, 0.01)]
    decay = {n: g.weight_decay for g in WdPre().groups(groups, toy) for n in g.parameters}
    assert decay == {n: 0.0 if toy.anatomy.is_pretrained(n) else 0.01 for n in decay}
    assert WdPre(0.0).groups(groups, toy) is groups


@pytest.mark.parametrize("strength", [-1e-9, 1001.0, float("nan")])
def test_bad_settings(strength):
    with pytest.raises(BadValue, match="wd_pre:strength"):
        WdPre(strength)
