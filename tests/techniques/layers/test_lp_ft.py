from __future__ import annotations

import pytest
import torch

from bench_lib.techniques.layers.lp_ft import LPFT

HEAD = {"classifier.weight", "classifier.bias"}
SETTINGS = {"eval_examples": 4, "warmup": 0.0, "weight_decay": 0.0, "learning_rate": 4e-4}


def parts(change):
    return {name.split(".encoder.")[-1].removeprefix("bert.").split(".")[0] for name in change}


def test_the_head_moves_first_and_then_everything(moves):
    record, changes = moves("sst2", "lp_ft:probe_rate=0.001", **SETTINGS, epochs=2)
    assert record.cost.steps == len(changes) == 8
    assert [change.keys() == HEAD for change in changes] == [True] * 4 + [False] * 4
    assert all(parts(change) == {"embeddings", "layer", "pooler", "classifier"} for change in changes[4:])
    assert record.cost.trainable_parameters == record.cost.parameters


def test_either_part_runs_through_the_schedule_at_its_own_rate(moves):
    changes = SETTINGS | {"warmup": 0.25}
    record, _ = moves("sst2", "lp_ft", **changes, epochs=2)
    shape = [0, 1, 2 / 3, 1 / 3]
    assert record.curve.learning_rate == pytest.approx([1e-2 * s for s in shape] + [4e-4 * s for s in shape])


def test_fine_tuning_goes_on_from_the_probed_head_with_a_new_optimiser(moves):
    _, probed = moves("sst2", "linear_probe:learning_rate=0.001", **SETTINGS)
    _, changes = moves("sst2", "lp_ft:probe_rate=0.001", **SETTINGS, epochs=2)
    for one, other in zip(probed, changes[:4], strict=True):
        assert all(torch.equal(one[name], other[name]) for name in HEAD)
    # The first update of an Adam moves every weight by its rate; one that goes on moves by less where gradients turn.
    first = changes[4]["classifier.weight"].abs()
    torch.testing.assert_close(first, torch.full_like(first, 4e-4), rtol=0.05, atol=0)
    later = changes[5]["classifier.weight"].abs()
    assert later.min() < 4e-4 / 2


@pytest.mark.parametrize(("share", "starts"), [(0.0, []), (0.01, []), (0.3, [0, 3]), (0.5, [0, 5]), (1.0, [0])])
def test_where_the_parts_begin(toy, share, starts):
    phases = LPFT(share).phases(toy)
    assert [phase.first_step for phase in phases] == starts
    assert [phase.restarts for phase in phases] == [False, True][: len(starts)]
