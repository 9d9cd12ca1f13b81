from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue
from bench_lib.core.spec import Profile
from bench_lib.runner.execute import execute
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.parameter_efficient.adalora import AdaLoRA, orthogonal_gradients

FEW = {"train_examples": 8, "eval_examples": 4}
LINEAR = ("attention.self.query", "attention.self.key", "attention.self.value")
LINEAR += ("attention.output.dense", "intermediate.dense", "output.dense")


def matrices(training, letter):
    return {n: p for n, p in training.model.named_parameters() if f".lora_{letter}." in n}


def test_orthogonality_by_hand():
    """Of P = (2, 0), |P P^T - 1| = 3 with gradient 2 P; of two bases, each counts half; an orthogonal one counts 0."""
    long, unit = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    assert torch.equal(orthogonal_gradients([long])[0], torch.tensor([[4.0, 0.0]]))
    two = orthogonal_gradients([long, unit])
    assert torch.equal(two[0], torch.tensor([[2.0, 0.0]]))
    assert torch.equal(two[1], torch.zeros(1, 3))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(2, 5), min_size=1, max_size=5), st.integers(0, 99))
def test_orthogonality_is_the_gradient_of_the_mean_norm(widths, seed):
    draws = torch.Generator().manual_seed(seed)
    bases = [torch.randn(2, width, generator=draws, dtype=torch.float64).requires_grad_() for width in widths]
    norms = [(basis @ basis.T - torch.eye(2)).square().sum().sqrt() for basis in bases]
    expected = torch.autograd.grad(sum(norms) / len(norms), bases)
    torch.testing.assert_close(orthogonal_gradients([basis.detach() for basis in bases]), list(expected))


def test_the_term_is_part_of_the_gradient(micro_step):
    step = micro_step("sst2", "adalora")
    training, bases = step.training, [*matrices(step.training, "A").values()]
    step.backward(step.loss(step.forward()))
    before = {n: p.grad.clone() for n, p in training.trainable().items()}
    AdaLoRA(orthogonality=0.1).after_backward(training)
    added = {n: p.grad - before[n] for n, p in training.trainable().items()}
    penalty = [(p @ p.T - torch.eye(2)).norm() for p in bases]
    penalty += [(p.T @ p - torch.eye(2)).norm() for p in matrices(training, "B").values()]
    assert len(penalty) == 2 * 2 * len(LINEAR)
    (0.1 * sum(penalty) / len(penalty)).backward()
    for name, parameter in training.trainable().items():
        if name in matrices(training, "A").keys() | matrices(training, "B").keys():
            assert added[name].any()
            torch.testing.assert_close(parameter.grad - before[name], 2 * added[name], rtol=1e-4, atol=1e-7)
        else:
            assert not added[name].any()


def test_the_update_by_hand(train):
    training = train("sst2", "adalora", **FEW).training
    layer = training.model.get_submodule("base_model.model.bert.encoder.layer.0.intermediate.dense").eval()
    with torch.no_grad():
        layer.lora_E["default"].copy_(torch.tensor([[2.0], [-1.0]]))
    a, b, e = (getattr(layer, f"lora_{letter}")["default"] for letter in "ABE")
    assert (tuple(a.shape), tuple(b.shape)) == ((2, 32), (64, 2))
    inputs = torch.randn(5, 32, generator=torch.Generator().manual_seed(0))
    expected = inputs @ (layer.base_layer.weight + 16 / 2 * b @ torch.diag(e.flatten()) @ a).T + layer.base_layer.bias
    torch.testing.assert_close(layer(inputs), expected, rtol=1e-4, atol=1e-5)


def test_all_linear_layers_of_the_blocks_and_the_head_learn(train):
    training = train("conll2003", "adalora", **FEW).training
    names = {n.removeprefix("base_model.model.") for n in training.trainable()}
    expected = {
        f"bert.encoder.layer.{i}.{part}.lora_{letter}.default" for i in (0, 1) for part in LINEAR for letter in "ABE"
    }
    assert names == expected | {f"classifier.modules_to_save.default.{part}" for part in ("weight", "bias")}


@pytest.fixture
def ranks(train, monkeypatch):
    """The ranks after each update, summed over the layers, and the training."""
    seen = []

    class Watch(Technique):
        """Counts singular values that are not zero."""

        name, paper, identity = "ranks", "none", None

        def after_update(self, training):
            seen.append(sum(int(p.count_nonzero()) for p in matrices(training, "E").values()))

    def run(stack="adalora", **changes):
        monkeypatch.setitem(TECHNIQUES._entries, "ranks", Watch)
        seen.clear()
        found = train("sst2", f"{stack}+ranks", train_examples=32, eval_examples=4, warmup=0.0, **changes)
        assert found.record.status in ("converged", "collapsed"), found.record.reason
        return seen[:], found.training

    return run


# 12 layers of rank 2 come to 24, of rank 1 to 12. Of 20 updates, 0.12 * 20 = 2 are before the fall and 0.44 * 20 = 9
# after it: the budget is 12 + 12 * (1 - (t - 2) / 9)^3 at t = 3 ... 11, rounded down.
BUDGET = [24, 24, 20, 17, 15, 14, 13, 12, 12, 12] + [12] * 10


def test_the_ranks_fall_with_the_budget(ranks):
    found, training = ranks(epochs=5)
    assert found == BUDGET
    assert training.reported == {"adalora.rank": 1.0}
    # Not every layer the same: where it matters more, more is kept.
    assert len({int(p.count_nonzero()) for p in matrices(training, "E").values()}) > 1


def test_importance_is_smoothed_sensitivity_times_uncertainty(train):
    """|theta * g|, averaged with beta1, and its distance from that average, averaged with beta2, by hand."""
    training = train("sst2", learning_rate=0.0, **FEW).training
    technique = AdaLoRA(beta1=0.6, beta2=0.7)
    technique.prepare(training)
    training.total_steps, training.step = 10, 0
    lora = {n: p for n, p in training.model.named_parameters() if ".lora_" in n}
    for parameter in lora.values():
        parameter.grad = torch.full_like(parameter, -3.0)
    technique.after_update(training)
    allocator = training.model.rankallocator
    for name, parameter in lora.items():
        own = name.removeprefix("base_model.model.")
        sensitivity = 3 * parameter.detach().abs()
        torch.testing.assert_close(allocator.exp_avg_ipt[own], 0.4 * sensitivity)
        torch.testing.assert_close(allocator.exp_avg_unc[own], 0.3 * 0.6 * sensitivity)


def test_updates_that_are_skipped_when_the_last_cut_is_due_do_not_lose_it(ranks, monkeypatch):
    allocate = AdaLoRA.after_update

    def skipping(self, training):
        if training.step not in range(5, 11):
            allocate(self, training)

    monkeypatch.setattr(AdaLoRA, "after_update", skipping)
    found, training = ranks(epochs=5)
    assert found[11:] == BUDGET[11:]
    assert training.reported == {"adalora.rank": 1.0}


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_the_shortest_runs_reach_the_target(ranks, steps):
    found, training = ranks(batch_size=-(-32 // steps))
    assert (len(found), found[-1]) == (steps, 12)
    assert training.reported == {"adalora.rank": 1.0}


def test_other_ranks_and_shares(ranks):
    found, training = ranks("adalora:rank=4:target_rank=2:before=0.0:after=0.5", epochs=2)
    # 24 + 24 * (1 - t / 4)^3 at t = 1 ... 4 of 8 updates.
    assert found == [34, 27, 24, 24, 24, 24, 24, 24]
    assert training.reported == {"adalora.rank": 2.0}


@pytest.mark.parametrize("other", ["freeze_bottom", "linear_probe", "gradual_unfreezing"])
def test_importance_needs_the_gradients_of_all(train, other):
    record = train("sst2", f"adalora+{other}", **FEW).record
    assert record.status == "unsupported"
    assert "freezes some of its matrices" in record.reason


def test_a_stack_without_plain_layers_is_refused(train):
    record = train("sst2", "mixout+adalora", **FEW).record
    assert (record.status, record.reason) == ("unsupported", "adalora finds no plain linear layer in the blocks")


@pytest.mark.parametrize("wrong", [{"target_rank": 2}, {"before": 0.6}])
def test_settings_that_do_not_fit_each_other_are_refused(wrong):
    with pytest.raises(BadValue, match="adalora:"):
        AdaLoRA(**wrong)


def test_it_has_a_rate_of_its_own():
    assert AdaLoRA().configure(Profile()) == Profile(learning_rate=8e-4)


def test_a_file_holds_the_triplets_that_are_left():
    """Of rank 3, the second is cut: 2 of 3 values, rows and columns are kept; the head as it is."""
    tensors = {
        "base.query.lora_A.default": torch.arange(12.0).view(3, 4),
        "base.query.lora_E.default": torch.tensor([[2.0], [0.0], [-1.0]]),
        "base.query.lora_B.default": torch.arange(6.0).view(2, 3),
        "base.classifier.weight": torch.ones(2, 2),
    }
    kept = AdaLoRA().saved(tensors)
    assert kept["base.query.lora_A.default"].tolist() == [[0, 1, 2, 3], [8, 9, 10, 11]]
    assert kept["base.query.lora_E.default"].flatten().tolist() == [2, -1]
    assert kept["base.query.lora_B.default"].tolist() == [[0, 2], [3, 5]]
    assert kept["base.classifier.weight"] is tensors["base.classifier.weight"]
    assert tensors["base.query.lora_A.default"].shape == (3, 4)


def test_a_smaller_budget_is_a_smaller_file(train):
    sizes = {target: train("sst2", f"adalora:rank=4:target_rank={target}", **FEW).record for target in (1, 3)}
    assert all(record.status != "unsupported" for record in sizes.values())
    assert sizes[1].cost.parameters == sizes[3].cost.parameters
    # 12 layers, two triplets less in each on average, of 4 bytes a number: (32 + 1 + 32) or (32 + 1 + 64) of them.
    assert sizes[3].size.saved_bytes - sizes[1].size.saved_bytes > 0.8 * 12 * 2 * 65 * 4


def test_it_reports_the_rank_at_the_step_where_a_track_stopped(make_spec):
    # So small a rate changes no prediction: the second evaluation is the first without a better score.
    changes = {"train_examples": 32, "eval_examples": 4, "evaluations": 4, "epochs": 5}
    stacks = [f"adalora:learning_rate=1e-30{rest}" for rest in ("", "+early_stopping:patience=1")]
    specs = [make_spec("sst2", stack, **changes) for stack in stacks]
    whole, stopped = execute(specs)
    (alone,) = execute(specs[1:])
    assert stopped.cost.steps == alone.cost.steps < whole.cost.steps
    assert stopped.reported == alone.reported
