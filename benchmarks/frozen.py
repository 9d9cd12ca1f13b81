"""LoRA on a decoder with frozen weights in fp32 and in bf16, for `test_frozen_weights.py`.

`python benchmarks/frozen.py DTYPE MODEL` prints seconds a step, the peak memory of the process, the bytes of the
model's weights and the losses as JSON. The work is an epoch of 16 generated descriptions in batches of 4, under bf16 on
one thread.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import Any

import torch
import transformers

from bench_lib.core.spec import RunSpec
from bench_lib.instruments.memory import PeakMemory
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan

SIZES = {"train_examples": 16, "epochs": 1, "batch_size": 4, "eval_examples": 1, "evaluations": 1}
SETTINGS = {"precision": "bf16", "max_length": 96, "answer_tokens": 32, "threads": 1}


def spec_of(dtype: str, model: str) -> RunSpec:
    """The work as a run of the suite."""
    (spec,) = plan(Grid(("e2e_nlg",), ("lora",), (0,), "sft-desk", model=model))
    changes: dict[str, Any] = {**SIZES, **SETTINGS, "frozen_weights": dtype}
    return dataclasses.replace(spec, profile=dataclasses.replace(spec.profile, **changes))


def main(dtype: str, model: str) -> None:
    """Do the work and print its figures."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    memory, weights = PeakMemory(torch.device("cpu")), []
    (record,) = execute([spec_of(dtype, model)], lambda training, _: weights.append(_bytes(training.model)))
    assert record.timing.train_seconds, record.reason
    figures = {
        "seconds": record.timing.train_seconds / record.cost.steps,
        "peak_memory_bytes": memory.peak(),
        "weights_bytes": weights[-1],
        "losses": record.curve.loss,
    }
    print(json.dumps(figures))


def _bytes(model: torch.nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())


if __name__ == "__main__":
    main(*sys.argv[1:])
