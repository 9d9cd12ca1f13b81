from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.techniques.toolkit.averaging import held


@pytest.fixture
def parameters():
    return [nn.Parameter(torch.tensor([1.0, 2.0])), nn.Parameter(torch.tensor([[0.1]]))]


OTHERS = [torch.tensor([5.0, 6.0]), torch.tensor([[7.0]])]


@pytest.mark.parametrize("raising", [False, True])
def test_parameters_have_other_values_for_a_while_and_get_their_own_tensors_back(parameters, raising):
    before = [(p.data_ptr(), p.detach().clone()) for p in parameters]
    try:
        with held(iter(parameters), OTHERS):
            assert all(torch.equal(p, other) for p, other in zip(parameters, OTHERS, strict=True))
            if raising:
                raise RuntimeError("out of luck")
    except RuntimeError:
        assert raising
    for parameter, (address, value) in zip(parameters, before, strict=True):
        assert parameter.data_ptr() == address
        assert torch.equal(parameter, value)


def test_gradients_taken_meanwhile_are_those_of_the_other_values(parameters):
    with held(parameters, OTHERS):
        (parameters[0] ** 2).sum().backward()
    assert parameters[0].grad.tolist() == [10.0, 12.0]
    assert parameters[0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize("values", [OTHERS[:1], [*OTHERS, OTHERS[0]]])
def test_a_missing_value_changes_nothing(parameters, values):
    with pytest.raises(ValueError, match="argument"), held(parameters, values):
        pytest.fail("entered")
    assert [p.flatten().tolist()[0] for p in parameters] == [1.0, pytest.approx(0.1)]
