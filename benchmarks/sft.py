"""The same fine-tuning of a decoder two ways, for `test_sft.py`: the harness, and TRL's SFTTrainer.

`python benchmarks/sft.py MODE MODEL` prints seconds a step, the peak memory of the process and the mean loss as JSON.
The work is one epoch of 64 generated descriptions in batches of 8, in fp32 on one thread, with the loss of the answers
alone; what is evaluated in the end is not timed.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import warnings
from collections.abc import Callable
from typing import Any

import torch
import transformers

from bench_lib.core.spec import RunSpec
from bench_lib.harness.datasets import Subset, train_examples
from bench_lib.instruments.memory import PeakMemory
from bench_lib.models.load import instantiate, load_template, load_tokenizer
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.resolved import resolve_run

SIZES = {"train_examples": 64, "epochs": 1, "batch_size": 8, "eval_examples": 1, "evaluations": 1}
SETTINGS = {"precision": "fp32", "max_length": 128, "answer_tokens": 64, "learning_rate": 2e-5, "threads": 1}


def spec_of(model: str) -> RunSpec:
    """The work as a run of the suite."""
    (spec,) = plan(Grid(("e2e_nlg",), ("adamw",), (0,), "sft-desk", model=model))
    return dataclasses.replace(spec, profile=dataclasses.replace(spec.profile, **SIZES, **SETTINGS))


def harness(model: str) -> dict[str, float]:
    """The suite's harness."""
    (record,) = execute([spec_of(model)])
    assert record.timing.train_seconds, record.reason
    losses = record.curve.loss
    return {"seconds": record.timing.train_seconds / record.cost.steps, "loss": sum(losses) / len(losses)}


def sft_trainer(model: str) -> dict[str, float]:
    """TRL's SFTTrainer with its loss on completions only, without gradient checkpointing, which is slower."""
    import datasets
    import trl

    run = resolve_run(spec_of(model))
    examples = train_examples(run.data, Subset(64, run.spec.base_seed("subset")))
    loaded = instantiate(load_template(run.spec.model, run.task.format, 0), torch.Generator())
    loaded.set_attn_implementation("sdpa")  # its default, where the suite takes eager attention
    rows: list[dict[str, Any]] = [{"prompt": e.prompt, "completion": f" {e.references[0]}"} for e in examples]
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = trl.SFTConfig(
            folder,
            learning_rate=2e-5,
            num_train_epochs=1,
            per_device_train_batch_size=8,
            max_length=128,
            completion_only_loss=True,
            gradient_checkpointing=False,
            weight_decay=0.01,
            save_strategy="no",
            logging_strategy="epoch",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
        )
        trainer = trl.SFTTrainer(
            loaded,
            arguments,
            train_dataset=datasets.Dataset.from_list(rows),
            processing_class=load_tokenizer(run.spec.model),
        )
        done = trainer.train()
    return {"seconds": done.metrics["train_runtime"] / done.global_step, "loss": done.training_loss}


MODES: dict[str, Callable[[str], dict[str, float]]] = {"harness": harness, "sft-trainer": sft_trainer}


def main(mode: str, model: str) -> None:
    """Do the work and print its figures."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    memory = PeakMemory(torch.device("cpu"))
    print(json.dumps({**MODES[mode](model), "peak_memory_bytes": memory.peak()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
