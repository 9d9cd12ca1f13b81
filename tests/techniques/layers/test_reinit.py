from __future__ import annotations

import pytest
import torch
from scipy import stats

STILL = {"learning_rate": 0.0, "train_examples": 8, "eval_examples": 4}
"""Without a rate the parameters stay as they were prepared."""
TOP, POOLER = "bert.encoder.layer.1.", "bert.pooler."


@pytest.fixture(scope="module")
def start(train):
    return train("sst2", **STILL).parameters


def changed(parameters, start):
    return {name for name in start if not torch.equal(parameters[name], start[name])}


def of(start, *prefixes):
    return {name for name in start if name.startswith(prefixes)}


def fresh(start, *prefixes):
    """The matrices of these parts: the tiny model has norms at 1 and biases at 0 already."""
    return {name for name in of(start, *prefixes) if start[name].dim() == 2}


@pytest.mark.parametrize(
    ("stack", "parts"),
    [
        ("reinit", (TOP, POOLER)),
        ("reinit:pooler=False", (TOP,)),
        ("reinit:blocks=0", (POOLER,)),
        ("reinit:blocks=2", (TOP, "bert.encoder.layer.0.", POOLER)),
    ],
)
def test_the_top_blocks_and_the_pooler_and_nothing_else(train, start, stack, parts):
    assert changed(train("sst2", stack, **STILL).parameters, start) == fresh(start, *parts)


def test_a_model_without_a_pooler(train):
    start = train("squad", **STILL).parameters
    assert changed(train("squad", "reinit", **STILL).parameters, start) == fresh(start, TOP)


def test_matrices_are_normal_norms_one_and_biases_zero(train, start):
    parameters = train("sst2", "reinit", **STILL).parameters
    values = torch.cat([parameters[n].flatten() for n in sorted(fresh(start, TOP, POOLER))]).numpy()
    assert len(values) > 9000
    assert stats.kstest(values, "norm", args=(0, 0.02)).pvalue > 0.001
    for name in of(start, TOP, POOLER) - fresh(start, TOP, POOLER):
        assert (parameters[name] == (1 if name.endswith("LayerNorm.weight") else 0)).all(), name


def test_trained_norms_and_biases_are_set_back(toy):
    from bench_lib.models.initialisation import initialise

    block = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.LayerNorm(3))
    for parameter in block.parameters():
        torch.nn.init.constant_(parameter, 7.0)
    initialise(block, 0.02, torch.Generator().manual_seed(0))
    assert [block[0].bias.tolist(), block[1].weight.tolist(), block[1].bias.tolist()] == [[0] * 3, [1] * 3, [0] * 3]
    assert 0 < block[0].weight.abs().max() < 0.2


def test_the_draw_is_the_seeds_and_a_parts_own(train, start):
    both, top = (train("sst2", stack, **STILL).parameters for stack in ("reinit", "reinit:pooler=False"))
    again, other = (train("sst2", "reinit", seed=seed, **STILL).parameters for seed in (0, 1))
    assert not changed(again, both)
    assert changed(other, both) >= fresh(start, TOP, POOLER)
    assert all(torch.equal(both[name], top[name]) for name in fresh(start, TOP))


def test_more_blocks_than_there_are(train):
    record = train("sst2", "reinit:blocks=3", **STILL).record
    assert (record.status, record.reason) == ("unsupported", "reinit:blocks is 3, the model has 2 blocks")


@pytest.mark.parametrize("technique", ["lora", "adalora", "prefix", "ia3", "bitfit", "ln_only", "adapter"])
def test_what_is_drawn_anew_must_train(train, technique):
    after = train("sst2", f"{technique}+reinit", **STILL).record
    assert (after.status, after.reason) == (
        "unsupported",
        f"reinit cannot follow {technique}, which freezes what it would draw anew",
    )
    before = train("sst2", f"reinit+{technique}", **STILL).record
    assert before.status == "unsupported"
    assert before.reason.startswith(f"{technique} would freeze bert.encoder.layer.1, bert.pooler as they were drawn")
    for stack in (f"{technique}+reinit:blocks=0:pooler=False", f"reinit:blocks=0:pooler=False+{technique}"):
        assert train("sst2", stack, **STILL).record.status != "unsupported"
