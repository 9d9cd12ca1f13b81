from __future__ import annotations

import pytest
import torch
import transformers
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.models.architecture import Architecture, architecture_of, word_embeddings
from bench_lib.models.load import load_template
from bench_lib.tasks import TASKS

SMALL = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 8, "vocab_size": 30}
MODELS = {
    "roberta": transformers.RobertaConfig(**SMALL),
    "electra": transformers.ElectraConfig(**SMALL, embedding_size=16),
    "distilbert": transformers.DistilBertConfig(dim=16, n_layers=3, n_heads=2, hidden_dim=8, vocab_size=30),
    "deberta-v2": transformers.DebertaV2Config(**SMALL),
}


def model_of(config):
    with torch.random.fork_rng():
        return transformers.AutoModelForSequenceClassification.from_config(config)


def test_the_toy(toy):
    architecture = toy.architecture
    assert (architecture.body, architecture.embeddings, architecture.block_list) == (
        "body",
        "body.embeddings",
        "body.layer",
    )
    assert (architecture.depth, architecture.pooler) == (2, "body.pooler")
    layers = {name.rpartition(".")[0]: architecture.layer_index(name) for name, _ in toy.model.named_parameters()}
    assert layers == {"body.embeddings": 0, "body.layer.0": 1, "body.layer.1": 2, "body.pooler": 3, "classifier": 3}


@pytest.mark.parametrize(("task", "pooler"), [("sst2", "bert.pooler"), ("conll2003", None), ("squad", None)])
def test_the_tiny_model_with_each_head(make_spec, task, pooler):
    found = TASKS.get(task)
    architecture = architecture_of(load_template(make_spec(task).model, found.format, len(found.labels)).model)
    assert (architecture.embeddings, architecture.block_list) == ("bert.embeddings", "bert.encoder.layer")
    assert (architecture.depth, architecture.pooler) == (2, pooler)


@pytest.mark.parametrize("name", MODELS)
def test_other_encoders(name):
    model = model_of(MODELS[name])
    architecture = architecture_of(model)
    layers = {n: architecture.layer_index(n) for n, _ in model.named_parameters()}
    assert (architecture.depth, set(layers.values())) == (3, {0, 1, 2, 3, 4})
    assert layers[next(n for n in layers if "word_embeddings" in n)] == 0
    assert {layers[n] for n in layers if "classifier" in n or "pooler" in n} == {4}
    assert sorted({layers[n] for n in layers if ".layer." in n}) == [1, 2, 3]


def test_two_digit_blocks_and_a_wrappers_prefix():
    architecture = Architecture("bert", ("bert.embeddings",), ("bert.encoder.layer",), 12, "bert.pooler")
    names = {
        "bert.encoder.layer.1.output.dense.weight": 2,
        "bert.encoder.layer.11.output.dense.weight": 12,
        "base_model.model.bert.encoder.layer.10.attention.self.query.lora_A.default.weight": 11,
        "base_model.model.bert.embeddings.LayerNorm.bias": 0,
        "base_model.model.classifier.modules_to_save.default.weight": 13,
        "bert.pooler.dense.bias": 13,
    }
    assert {name: architecture.layer_index(name) for name in names} == names
    assert [architecture.is_pretrained(name) for name in names] == [True, True, True, True, False, False]


def test_what_has_no_blocks_is_unsupported():
    with pytest.raises(Unsupported, match="Linear has no embeddings followed by a list of equal blocks"):
        architecture_of(nn.Linear(2, 2))


def test_word_embeddings_are_those_of_the_token_ids(toy):
    assert word_embeddings(toy.model) is toy.model.body.embeddings
