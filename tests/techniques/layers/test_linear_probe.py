from __future__ import annotations

import pytest

HEADS = {"sst2": "classifier", "conll2003": "classifier", "squad": "qa_outputs"}


@pytest.mark.parametrize("task", HEADS)
def test_only_the_head_moves_and_it_moves_at_every_update(moves, task):
    record, changes = moves(task, "linear_probe", eval_examples=4, warmup=0.0)
    head = HEADS[task]
    assert len(changes) == record.cost.steps > 3
    assert all(change.keys() == {f"{head}.weight", f"{head}.bias"} for change in changes)
    assert record.cost.trainable_parameters < record.cost.parameters / 100
    assert set(record.curve.grad_norm_first) <= {0.0}, "the body has no gradient"


def test_the_rate_is_its_own_and_the_schedule_the_profiles(moves):
    record, _ = moves("sst2", "linear_probe", eval_examples=4, warmup=0.25, learning_rate=0.5)
    assert record.curve.learning_rate == pytest.approx([0.0, 1e-2, 1e-2 * 2 / 3, 1e-2 / 3])
    record, _ = moves("sst2", "linear_probe:learning_rate=0.01", eval_examples=4, warmup=0.0)
    assert record.curve.learning_rate[0] == 0.01


def test_under_a_wrapper_it_is_the_same_head(moves):
    _, changes = moves("sst2", "lora+linear_probe", eval_examples=4, warmup=0.0)
    assert all("classifier.modules_to_save" in name for change in changes for name in change)
    assert all(changes)
