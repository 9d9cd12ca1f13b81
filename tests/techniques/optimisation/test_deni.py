from __future__ import annotations

import math

import pytest
import torch

from bench_lib.core.errors import BadValue, BenchError, Diverged
from bench_lib.core.seeds import derive
from bench_lib.harness import evaluate as evaluation
from bench_lib.harness import robustness
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Group
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.techniques.optimisation.deni import DENI
from bench_lib.techniques.toolkit.voting import majority

RATE = 0.1


class Batch:
    """An update whose loss is a function of the weights; it notes the weights and the masks of every pass."""

    def __init__(self, training, loss=lambda weights: sum((p**2).sum() for p in weights), scale=1.0):
        self.training, self.loss, self.scale = training, loss, scale
        self.seen, self.masks = [], []

    def backward(self, masks=0):
        self.training.model.zero_grad(set_to_none=True)
        self.seen.append(weights(self.training))
        self.masks.append(masks)
        loss = self.loss(list(self.training.trainable().values()))
        (loss * self.scale).backward()
        return loss.detach()


def weights(training):
    return {name: p.detach().clone() for name, p in training.trainable().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.fixture
def started(toy):
    """The toy with an optimiser whose rate the schedule has lowered to a tenth."""
    toy.optimizer = decoupled_adam([Group(dict(toy.model.named_parameters()), RATE, 0.0)], toy.profile)
    for group in toy.optimizer.param_groups:
        group |= {"initial_lr": RATE, "lr": RATE / 10}
    return toy


def steps_with_copies(technique, steps):
    return [step for step in range(steps) if technique.passes_at(step, steps) != (1, 1)]


# ---- when copies train -----------------------------------------------------------------------------------------------


def test_the_rounds_and_the_ensemble_of_the_published_script():
    found = steps_with_copies(DENI(), 1250)
    assert found == [*range(375, 500), *range(625, 750), *range(1125, 1250)]
    assert sum(DENI().passes_at(step, 1250)[0] for step in range(1250)) == 1250 + 9 * 375


def test_a_round_ends_past_the_end_and_before_the_ensemble():
    assert steps_with_copies(DENI(interval=0.2, begin=0.0, end=0.5, ensemble=1.0), 10) == [0, 1, 4, 5]
    assert steps_with_copies(DENI(interval=0.5, begin=0.4, end=0.5, ensemble=1.0), 10) == [4, 5, 6, 7, 8]
    assert DENI(interval=0.5, begin=0.4, end=0.5, ensemble=0.7)._interval_of(6, 10) == range(4, 7)


def test_either_part_may_be_left_out():
    assert steps_with_copies(DENI(begin=0.6), 100) == [*range(90, 100)]
    assert steps_with_copies(DENI(ensemble=1.0), 100) == [*range(30, 40), *range(50, 60)]
    assert steps_with_copies(DENI(members=1), 100) == []


@pytest.mark.parametrize("steps", [1, 2, 3, 7])
def test_the_shortest_run_ends_with_an_ensemble(steps):
    assert steps - 1 in steps_with_copies(DENI(), steps)


@pytest.mark.parametrize(("fields", "field"), [({"begin": 0.7}, "end"), ({"ensemble": 0.5}, "ensemble")])
def test_settings_out_of_their_order_are_refused(fields, field):
    with pytest.raises(BadValue, match=f"deni:{field}"):
        DENI(**fields)


# ---- the noise -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "spread"), [(4, math.sqrt(0.3 / 4)), (9, math.sqrt(0.3))])
def test_copies_differ_from_the_model_by_noise_on_the_head(started, step, spread):
    technique = DENI(members=3, noise=0.3, begin=0.4, end=0.5)
    started.step = step
    before, batch = weights(started), Batch(started)
    technique.update(batch)
    assert len(batch.seen) == 3
    for place, seen in enumerate(batch.seen[:2], start=1):
        for name, value in seen.items():
            expected = before[name]
            if name.startswith("classifier"):
                generator = torch.Generator().manual_seed(derive(0, "init", "deni", step, place, name))
                values = expected.flatten().double()
                std = ((values - values.mean()) ** 2).sum().div(values.numel() - 1).sqrt()
                expected = expected + spread * std * torch.randn(expected.shape, generator=generator)
            torch.testing.assert_close(value, expected.float(), rtol=1e-6, atol=1e-7)
            assert name.startswith("classifier") or torch.equal(value, before[name])
    assert equal(batch.seen[2], before), "and the model is as it was"
    assert batch.masks == [1, 1, 0], "copies share dropout masks that are not the model's"


def test_what_has_no_pretrained_value_gets_noise_wherever_it_is(started):
    started.pretrained = {n: v for n, v in started.pretrained.items() if ".layer.0." not in n}
    started.step = 9
    before, batch = weights(started), Batch(started)
    DENI(members=2).update(batch)
    noisy = {name for name, value in batch.seen[0].items() if not torch.equal(value, before[name])}
    fresh = {"body.layer.0.weight", "body.layer.0.bias"}
    assert noisy == fresh | {"classifier.weight", "classifier.bias"}


def test_a_tensor_of_one_value_has_no_spread(started):
    model = started.model
    model.classifier.bias = torch.nn.Parameter(torch.ones(1))
    started.optimizer.param_groups[0]["params"] = list(model.parameters())
    started.step = 9
    batch = Batch(started)
    DENI(members=2).update(batch)
    assert batch.seen[0]["classifier.bias"].tolist() == [1.0]


# ---- the training of the copies --------------------------------------------------------------------------------------


def test_copies_take_steps_of_an_adam_of_their_own_at_the_full_rate(started):
    technique = DENI(members=2, begin=0.2, end=0.3, interval=0.2)
    first, second = Batch(started), Batch(started)
    for started.step, batch in ((2, first), (3, second)):
        technique.update(batch)
        assert all(torch.equal(p.grad, 2 * p) for p in started.model.parameters()), "the model's own gradient is left"
    profile = started.profile
    for name, value in second.seen[0].items():
        gradient = 2 * first.seen[0][name]
        clipped = gradient / max(1.0, math.sqrt(sum(float((2 * v).square().sum()) for v in first.seen[0].values())))
        # The first step of Adam, bias-corrected: the rate times the gradient's sign, nearly.
        moved = RATE * clipped / (clipped.abs() + profile.eps)
        torch.testing.assert_close(value, first.seen[0][name] - moved, rtol=1e-5, atol=1e-6)


def test_the_scale_of_fp16_is_taken_out(started):
    ends = []
    for scale in (1.0, 65536.0):
        technique = DENI(members=2)
        started.step, batch = 9, Batch(started, scale=scale)
        technique.update(batch)
        ends.append(technique._beside(started).copies[0].values)
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other)


def test_what_is_frozen_stays_to_the_bit_through_a_round(started):
    started.trained = dict(started.model.named_parameters())
    frozen = started.model.body.layer[0].weight.requires_grad_(False)
    before = frozen.detach().clone()
    technique = DENI(members=4, interval=0.2)
    for started.step in (3, 4):
        technique.update(Batch(started, lambda weights: sum((p**2).sum() for p in weights if p.requires_grad)))
        technique.after_update(started)
    assert torch.equal(frozen, before)
    assert started.reported == {"deni.rounds": 1}


# ---- the mean --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skipped", [False, True])
def test_the_model_becomes_the_mean_of_all_at_the_end_of_a_round(started, skipped):
    technique = DENI(members=3, interval=0.2)
    for started.step in (3, 4):
        batch = Batch(started)
        technique.update(batch)
        copies = [weights_of(copy) for copy in technique._beside(started).copies]
        model, addresses = weights(started), [p.data_ptr() for p in started.model.parameters()]
        if not (skipped and started.step == 4):
            technique.after_update(started)
    if skipped:
        assert equal(weights(started), model)
        started.step, batch = 5, Batch(started)
        technique.update(batch)
        assert batch.masks == [0], "there are no copies any more"
    for name, value in weights(started).items():
        expected = torch.stack([model[name], *(copy[name] for copy in copies)]).double().mean(0).float()
        torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-7)
    assert [p.data_ptr() for p in started.model.parameters()] == addresses
    assert technique._beside(started).copies == []


def weights_of(copy):
    return {name: p.detach().clone() for name, p in copy.weights.items()}


def test_rounds_have_noise_of_their_own(started):
    technique = DENI(members=2, interval=0.1)
    noises = []
    for started.step in (3, 5):
        before, batch = weights(started), Batch(started)
        technique.update(batch)
        technique.after_update(started)
        noises.append(batch.seen[0]["classifier.weight"] - before["classifier.weight"])
    # Drawn anew, and smaller the later it is.
    assert not torch.allclose(noises[0], noises[1])
    assert started.reported == {"deni.rounds": 2}


# ---- the vote --------------------------------------------------------------------------------------------------------


@pytest.fixture
def watched(train, monkeypatch):
    """A run, with the predictions of each member at its last evaluation and the state that they were made in."""
    seen = []
    predict = evaluation.predict

    def noted(training, *rest):
        found = predict(training, *rest)
        seen.append((training.step, weights(training), found))
        return found

    def run(task, stack, **changes):
        seen.clear()
        monkeypatch.setattr(evaluation, "predict", noted)
        trained = train(task, stack, **changes)
        return trained, [entry for entry in seen if entry[0] == trained.record.cost.steps], list(seen)

    return run


FEW = {"train_examples": 16, "eval_examples": 8, "batch_size": 4}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("task", ["sst2", "conll2003"])
def test_the_last_prediction_is_the_vote_of_the_model_and_its_copies(watched, task, precision):
    run, last, _ = watched(task, "deni:members=4:noise=4.0", precision=precision, learning_rate=0.05, **FEW)
    assert len(last) == 4
    assert equal(last[0][1], {n: p for n, p in run.parameters.items() if n in last[0][1]}), "the model first"
    tables = [found.values for _, _, found in last]
    assert all((tables[0] != table).any() for table in tables[1:]), "each predicts with weights of its own"
    expected = majority([found for _, _, found in last])
    assert (run.record.predictions.values == expected.values).all()


def test_of_answers_the_most_common_span_counts(watched):
    run, last, _ = watched("squad", "deni:members=3:noise=1.0", **FEW)
    spans = [[tuple(m.values[row, :2]) for _, _, m in last] for row in range(len(last[0][2].values))]
    for chosen, given in zip(run.record.predictions.values, spans, strict=True):
        assert given.count(tuple(chosen[:2])) == max(map(given.count, given))


def test_before_the_ensemble_the_model_predicts_alone(watched):
    _, last, everything = watched("sst2", "deni:members=3", **{**FEW, "evaluations": 4})
    assert [step for step, _, _ in everything] == [1, 2, 3, 4, 4, 4]
    assert len(last) == 3


def test_under_an_attack_all_members_vote(train, monkeypatch):
    calls = []
    forward = robustness._under_attack
    monkeypatch.setattr(robustness, "_under_attack", lambda *rest: calls.append(1) or forward(*rest))
    changes = {**FEW, "attack": 0.1, "perturb": 0.2, "eval_batch_size": 8}
    record = train("sst2", "deni:members=3", **changes).record
    assert len(calls) == 3
    assert record.robustness.adversarial is not None
    assert record.robustness.perturbed is not None


def test_a_compressed_model_predicts_alone(watched):
    _, last, _ = watched("sst2", "deni:members=3+prune_magnitude", **FEW)
    assert len(last) == 1


def test_an_early_stop_before_the_ensemble_leaves_the_model_alone(watched):
    run, last, _ = watched(
        "sst2", "deni:members=3+early_stopping:patience=1:on=evaluation", **{**FEW, "evaluations": 4}
    )
    assert run.record.status in ("converged", "collapsed")
    assert len(last) in (1, 3)


# ---- what is not finite ----------------------------------------------------------------------------------------------


def only_for_copies(bad):
    """A loss that is as given for the first pass of two, the copy's."""
    calls = []

    def loss(weights):
        calls.append(1)
        total = sum((p**2).sum() for p in weights)
        return bad(total) if len(calls) % 2 else total

    return loss


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_copys_loss_that_is_not_finite_is_the_models(started, number):
    started.step = 9
    loss = DENI(members=2).update(Batch(started, only_for_copies(lambda total: total + number)))
    assert not loss.isfinite()


def test_a_copys_gradient_that_is_not_finite_is_not_taken_and_lets_the_step_be_skipped(started):
    technique = DENI(members=2)
    started.step, batch = 9, Batch(started, only_for_copies(lambda total: total + (total * 0).sqrt()))
    loss = technique.update(batch)
    assert loss.isfinite()
    assert any(p.grad.isnan().any() for p in started.model.parameters())
    (copy,) = technique._beside(started).copies
    assert equal(weights_of(copy), batch.seen[0])


def test_copies_that_are_finite_change_nothing_of_the_loss(started):
    alone, beside = Batch(started), Batch(started)
    started.step = 9
    assert torch.equal(DENI(members=1).update(alone), DENI(members=3).update(beside))


def test_weights_of_a_copy_that_are_not_finite_do_not_vote(started):
    technique = DENI(members=2)
    started.step = 9
    technique.update(Batch(started))
    technique._beside(started).copies[0].values[0][0] = math.inf
    started.step = 10
    with pytest.raises(Diverged, match="the norm of a copy's weights was not finite at step 10"):
        technique.evaluate_under(started)


def test_a_run_whose_copies_alone_diverge_has_diverged(train):
    record = train("sst2", "deni:members=2:noise=1e90:begin=0.6", **FEW).record
    assert record.status == "diverged"
    assert record.reason == "the loss was not finite at step 4"


# ---- stacks and precisions -------------------------------------------------------------------------------------------


def test_it_claims_the_optimiser():
    with pytest.raises(BenchError, match="lion and deni cannot be stacked"):
        parse_stack("lion+deni", TECHNIQUES)


@pytest.mark.parametrize("stack", ["lora+deni:members=3", "llrd+deni:members=3", "lp_ft+deni:members=3"])
def test_it_trains_beside_others(train, stack):
    record = train("sst2", stack, **{**FEW, "epochs": 3}).record
    assert record.status in ("converged", "collapsed"), record.reason
    assert record.reported["deni.rounds"] >= 1


def test_fp16_trains_and_votes(watched):
    run, last, _ = watched("sst2", "deni:members=3", precision="fp16", **{**FEW, "epochs": 3})
    assert run.record.status in ("converged", "collapsed"), run.record.reason
    assert len(last) == 3


def test_what_copies_repeat_counts_as_passes_and_not_as_tokens(train):
    usual, copied = (train("sst2", stack, **FEW).record for stack in ("adamw", "deni:members=5"))
    assert (copied.cost.tokens, copied.cost.examples) == (usual.cost.tokens, usual.cost.examples)
    expected = sum(DENI(members=5).passes_at(step, 4)[0] for step in range(4))
    assert copied.cost.forward_passes == copied.cost.backward_passes == expected > usual.cost.forward_passes
