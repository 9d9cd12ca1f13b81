from __future__ import annotations

import dataclasses

import pytest
import torch
import transformers
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.models.architecture import architecture_of
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.regularisation.dropout import Dropout
from bench_lib.techniques.toolkit.dropout_rates import RATE, dropout_places, dropout_sites, drops_out, set_dropout

SIZES = {
    "vocab_size": 50,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 8,
    "hidden_dropout_prob": 0.31,
    "attention_probs_dropout_prob": 0.32,
    "classifier_dropout": 0.33,
}
DISTIL = {"vocab_size": 50, "dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 8}
DISTIL |= {"dropout": 0.31, "attention_dropout": 0.32, "seq_classif_dropout": 0.33, "qa_dropout": 0.33}
DEBERTA = {**SIZES, "relative_attention": True, "pos_att_type": ["c2p"], "share_att_key": False}
DEBERTA |= {"cls_dropout": 0.33, "pooler_dropout": 0.33}
OWN = {"hidden": 0.31, "attention": 0.32, "head": 0.33}
MODELS = {
    "bert": transformers.BertConfig(**SIZES),
    "roberta": transformers.RobertaConfig(**SIZES),
    "electra": transformers.ElectraConfig(embedding_size=8, **SIZES),
    "distilbert": transformers.DistilBertConfig(**DISTIL),
    "deberta-v2": transformers.DebertaV2Config(**DEBERTA),
    "albert": transformers.AlbertConfig(embedding_size=8, classifier_dropout_prob=0.33, **SIZES),
}


def training_of(toy, model) -> Training:
    return dataclasses.replace(toy, model=model, architecture=architecture_of(model), trained=None)


def built(toy, name, head=transformers.AutoModelForSequenceClassification) -> Training:
    with torch.random.fork_rng():
        return training_of(toy, head.from_config(MODELS[name], attn_implementation="eager"))


def counts(training):
    found = [place for _, place in dropout_places(training)]
    return {place: found.count(place) for place in sorted(set(found))}


@pytest.mark.parametrize("name", MODELS)
def test_every_layer_has_the_place_that_the_models_own_settings_say(toy, name):
    """The configuration sets each place to a rate of its own, so the model itself says which layer is which."""
    training = built(toy, name)
    assert {place for _, place in dropout_places(training)} == OWN.keys()
    assert {(site.rate, place) for site, place in dropout_places(training)} == {(rate, p) for p, rate in OWN.items()}


def test_the_layers_of_bert(toy):
    assert counts(built(toy, "bert")) == {"attention": 1, "head": 1, "hidden": 3}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("place", OWN)
def test_each_rate_is_set_alone(toy, name, place):
    training = built(toy, name)
    Dropout(**{**dict.fromkeys(OWN), place: 0.5}).prepare(training)
    rates = {(p, site.rate) for site, p in dropout_places(training)}
    assert rates == set({**OWN, place: 0.5}.items())


def test_none_keeps_all_and_the_published_rate_is_set_everywhere(toy):
    training = built(toy, "roberta")
    Dropout(None, None, None).prepare(training)
    assert {site.rate for site, _ in dropout_places(training)} == set(OWN.values())
    Dropout().prepare(training)
    assert {site.rate for site, _ in dropout_places(training)} == {0.2}


@pytest.mark.parametrize("stack", ["mixout+dropout", "lora+dropout"])
def test_layers_are_found_among_replaced_and_wrapped_ones(train, stack):
    changes = {"train_examples": 8, "eval_examples": 4}
    training = train("sst2", f"{stack}:hidden=0.4:attention=0.3:head=0.0", **changes).training
    rates = [(site.rate, place) for site, place in dropout_places(training)]
    assert sorted(rates) == [(0.0, "head"), *[(0.3, "attention")] * 2, *[(0.4, "hidden")] * 5]


@pytest.mark.parametrize("place", OWN)
def test_each_rate_is_felt_in_training_and_not_in_evaluation(train, place):
    settings = ":".join(f"{p}={0.5 if p == place else None}" for p in OWN)
    changes = {"train_examples": 8, "eval_examples": 4, "dropout": 0.0, "learning_rate": 0.0}
    usual, dropped = (train("sst2", stack, **changes).record for stack in ("adamw", f"dropout:{settings}"))
    assert dropped.curve.loss != usual.curve.loss
    assert dropped.predictions.values.tobytes() == usual.predictions.values.tobytes()


def test_a_head_for_spans_has_none_and_the_rest_is_set(toy):
    training = built(toy, "bert", transformers.AutoModelForQuestionAnswering)
    Dropout().prepare(training)
    assert {(place, site.rate) for site, place in dropout_places(training)} == {("hidden", 0.2), ("attention", 0.2)}
    with pytest.raises(Unsupported, match="no place in BertForQuestionAnswering that drops out, for any of: head"):
        Dropout(hidden=None, attention=None).prepare(training)


def test_it_says_so_where_there_is_none_at_all(toy):
    assert not [m for m in toy.model.modules() if isinstance(m, nn.Dropout)]
    with pytest.raises(Unsupported, match="no place in ToyModel that drops out, for any of: hidden, attention, head"):
        Dropout().prepare(toy)
    Dropout(None, None, None).prepare(toy)


FAMILIES = ["bert", "roberta", "xlm-r", "distilbert", "electra", "albert", "deberta-v2", "deberta", "mpnet"]
FAMILIES += ["modernbert", "nomic", "convbert", "rembert", "roformer", "xlm-r-xl", "megatron-bert", "xlm", "flaubert"]
BY_ATTRIBUTE = {"modernbert", "nomic"}
"""Families whose code reads the rate of the attention from an attribute."""


def two_passes(model: nn.Module, seeds: tuple[int, int] = (0, 1), train: bool = True) -> list[torch.Tensor]:
    """The logits of a model in two passes on one text, with dropout masks of two seeds."""
    found = []
    for seed in seeds:
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(seed)
            found.append(model.train(train)(torch.arange(8, 20)[None]).logits)
    return found


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("place", OWN)
def test_a_rate_is_felt_in_every_family_and_only_where_it_is_set(families, toy, name, place):
    """In each place alone: two passes differ if and only if its rate is above 0."""
    model = families.model(name)
    set_dropout(model, 0.0)
    assert torch.equal(*two_passes(model))
    training = training_of(toy, model)
    Dropout(**{**dict.fromkeys(OWN), place: 0.5}).prepare(training)
    one, other = two_passes(model)
    assert not torch.equal(one, other)
    assert torch.equal(one, two_passes(model, (0, 0))[1])
    assert torch.equal(*two_passes(model, train=False))
    assert {site.rate for site, where in dropout_places(training) if where != place} == {0.0}
    # And what a profile sets is set everywhere, back to nothing at 0.
    set_dropout(model, 0.3)
    assert {site.rate for site in dropout_sites(model)} == {0.3}
    set_dropout(model, 0.0)
    assert torch.equal(*two_passes(model))


def rates_felt(model: nn.Module, monkeypatch) -> set[float]:
    """The rates at which one pass in training really drops something out, by layers and by functions."""
    felt, real = set(), nn.functional.dropout

    def dropout(hidden, p=0.5, training=True, inplace=False):
        felt.add(p if training else 0.0)
        return real(hidden, p, training, inplace)

    with monkeypatch.context() as patch:
        patch.setattr(nn.functional, "dropout", dropout)
        two_passes(model, (0, 0))
    return felt


@pytest.mark.parametrize("name", FAMILIES)
def test_nothing_drops_out_at_another_rate_than_was_set(families, name, monkeypatch):
    """The configuration has a rate above 0 in every place, those that are layers and those that are read by code."""
    own = {key: 0.4 for key in families.config(name).to_dict() if RATE.search(key)}
    model = families.model(name, **own)
    assert rates_felt(model, monkeypatch) == {0.4}
    for rate in (0.3, 0.0):
        set_dropout(model, rate)
        assert rates_felt(model, monkeypatch) == {rate}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "xlm",
            {
                "transformer.dropout": "hidden",
                "transformer.attention_dropout": "attention",
                "transformer.attentions.0.dropout": "attention",
                "transformer.ffns.0.dropout": "hidden",
                "sequence_summary.first_dropout": "head",
                "sequence_summary.last_dropout": "head",
            },
        ),
        (
            "deberta-v2",
            {
                "deberta.embeddings.dropout": "hidden",
                "deberta.encoder.layer.0.attention.self.pos_dropout": "hidden",
                "deberta.encoder.layer.0.attention.self.dropout": "attention",
                "deberta.encoder.layer.0.attention.output.dropout": "hidden",
                "deberta.encoder.layer.0.output.dropout": "hidden",
                "deberta.encoder.conv.dropout": "hidden",
                "pooler.dropout": "head",
                "dropout": "head",
            },
        ),
    ],
)
def test_where_dropout_stands_beside_the_blocks_and_in_them(families, toy, name, expected):
    training = training_of(toy, families.model(name, num_hidden_layers=1))
    assert {site.name.removesuffix(".p"): place for site, place in dropout_places(training)} == expected


@pytest.mark.parametrize("name", sorted(BY_ATTRIBUTE))
def test_the_rate_of_the_attention_is_set_where_it_is_no_layer(families, toy, name):
    training = training_of(toy, families.model(name))
    Dropout(hidden=None, head=None, attention=0.5).prepare(training)
    attentions = [m for m in training.model.modules() if hasattr(m, "attention_dropout")]
    assert len(attentions) == training.architecture.depth
    assert {m.attention_dropout for m in attentions} == {0.5}
    assert {type(site.module) for site, place in dropout_places(training) if place == "attention"} == {
        type(attentions[0])
    }


def test_a_decoders_only_rate_is_set(families):
    model = families.model("llama")
    assert not drops_out(model)
    set_dropout(model, 0.5)
    assert drops_out(model)
    assert not torch.equal(*two_passes(model))


def test_dropout_is_set_everywhere_or_left_alone(toy):
    training = built(toy, "bert")
    before = [site.rate for site in dropout_sites(training.model)]
    set_dropout(training.model, None)
    assert [site.rate for site in dropout_sites(training.model)] == before
    set_dropout(training.model, 0.0)
    assert not drops_out(training.model)


def test_a_model_without_dropout_says_so():
    with pytest.raises(Unsupported, match=r"Linear has no dropout whose rate could be set to 0\.1"):
        set_dropout(nn.Linear(2, 2), 0.1)
    for rate in (None, 0.0):
        set_dropout(nn.Linear(2, 2), rate)


def test_rates_are_told_from_other_numbers():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention_dropout, self.drop_prob, self.resid_pdrop, self.layerdrop = 0.1, 0, 0.2, 0.3
            self.dropout_layer, self.use_dropout, self.hidden_dropout_prob = "x", True, 0.4

    assert {s.attribute for s in dropout_sites(Odd())} == {
        "attention_dropout", "drop_prob", "resid_pdrop", "hidden_dropout_prob",
    }  # fmt: skip
