"""The same fine-tuning in several ways, for `test_overhead.py`: a bare loop, the harness, transformers' Trainer.

`python benchmarks/overhead.py MODE DATA` does the work three times, and prints the seconds of the faster of the last
two, the peak memory of the process and the accuracy as JSON. The work is 320 examples of SST-2, 3 epochs, 3 evaluations
on 400, with minilm.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import transformers
from torch import Tensor

from bench_lib.core.spec import Profile, RunSpec
from bench_lib.harness.datasets import Subset, data_key, evaluation_set, train_examples
from bench_lib.instruments.memory import PeakMemory
from bench_lib.models import MODELS
from bench_lib.models.source import package_folder
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.resolved import spec_data
from bench_lib.tasks.formats import TextExample

PROFILE = Profile(train_examples=320, eval_examples=400, learning_rate=5e-4, precision="bf16", max_length=64, stride=16)
BUCKET = 8
Examples = Sequence[TextExample]


def spec_of(data: str, seed: int = 0, trims: bool = False) -> RunSpec:
    """The work as a run of the suite, with a trimmed vocabulary or the whole one."""
    (spec,) = plan(Grid(("sst2",), ("adamw",), (seed,), "desk", data=data))
    return dataclasses.replace(spec, profile=dataclasses.replace(PROFILE, trim_vocabulary=trims))


def examples_of(data: str) -> tuple[Examples, Examples]:
    """The training and evaluation examples of the work."""
    spec = spec_of(data)
    evaluation = evaluation_set(data_key(spec_data(spec), spec.model, PROFILE), 400).examples
    return train_examples(spec_data(spec), Subset(320, 0)), evaluation


def fresh_model() -> tuple[Any, Any]:
    """minilm with a new head, and its tokenizer."""
    folder = package_folder(MODELS.get("minilm"))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=2, attn_implementation="eager", dtype=torch.float32
    )
    return model, tokenizer


def bare(data: str) -> Callable[[], float]:
    """A hand-written loop with what makes the harness fast: bf16, batches by length, fused AdamW, eager attention."""
    train, evaluation = examples_of(data)

    def work() -> float:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        model, tokenizer = fresh_model()
        ids = [tokenizer(e.text, truncation=True, max_length=64)["input_ids"] for e in train]
        eval_ids = [tokenizer(e.text, truncation=True, max_length=64)["input_ids"] for e in evaluation]
        optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.01, fused=True)
        schedule = transformers.get_linear_schedule_with_warmup(optimizer, 6, 60)
        accuracy = 0.0
        for _ in range(3):
            model.train()
            for rows in _shuffled(ids):
                inputs, labels = _padded([ids[i] for i in rows]), torch.tensor([train[i].label for i in rows])
                with torch.autocast("cpu", torch.bfloat16):
                    loss = model(**inputs, labels=labels).loss
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
            accuracy = _accuracy(model, eval_ids, [e.label for e in evaluation])
        return accuracy

    return work


def _shuffled(ids: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    order = torch.randperm(len(ids)).tolist()
    batches = []
    for start in range(0, len(order), 16 * BUCKET):
        pool = sorted(order[start : start + 16 * BUCKET], key=lambda i: len(ids[i]))
        batches += [pool[i : i + 16] for i in range(0, len(pool), 16)]
    return (batches[i] for i in torch.randperm(len(batches)).tolist())


def _padded(rows: Sequence[Sequence[int]]) -> dict[str, Tensor]:
    length = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (length - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (length - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def _accuracy(model: Any, ids: Sequence[Sequence[int]], labels: Sequence[int]) -> float:
    model.eval()
    order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
    right = 0
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            guess = model(**_padded([ids[i] for i in rows])).logits.argmax(-1)
            right += int((guess == torch.tensor([labels[i] for i in rows])).sum())
    return right / len(labels)


def harness(data: str, trims: bool = False) -> Callable[[], float]:
    """The suite's harness, on one thread as it runs by default."""
    spec = spec_of(data, trims=trims)
    return lambda: float(execute([spec])[0].score or 0.0)


def trainer(data: str, bf16: bool) -> Callable[[], float]:
    """transformers' Trainer as its tutorials have it: dynamic padding, all cores."""
    train, evaluation = examples_of(data)

    def work() -> float:
        model, tokenizer = fresh_model()

        def rows(examples: Examples) -> list[dict[str, Any]]:
            return [{**tokenizer(e.text, truncation=True, max_length=64), "labels": e.label} for e in examples]

        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            arguments = transformers.TrainingArguments(
                folder,
                learning_rate=5e-4,
                num_train_epochs=3,
                per_device_train_batch_size=16,
                per_device_eval_batch_size=64,
                weight_decay=0.01,
                warmup_steps=6,
                eval_strategy="epoch",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                use_cpu=True,
                bf16=bf16,
            )
            one = transformers.Trainer(
                model,
                arguments,
                train_dataset=rows(train),
                eval_dataset=rows(evaluation),
                data_collator=transformers.DataCollatorWithPadding(tokenizer),
                compute_metrics=lambda p: {"accuracy": float((np.argmax(p.predictions, -1) == p.label_ids).mean())},
            )
            one.train()
            evaluated = [log for log in one.state.log_history if "eval_accuracy" in log]
            return float(evaluated[-1]["eval_accuracy"])

    return work


MODES: dict[str, Callable[[str], Callable[[], float]]] = {
    "bare": bare,
    "harness": harness,
    "trimmed": lambda data: harness(data, trims=True),
    "trainer-fp32": lambda data: trainer(data, bf16=False),
    "trainer-bf16": lambda data: trainer(data, bf16=True),
}


def main(mode: str, data: str) -> None:
    """Do the work once to warm up and twice more, and print the figures of the faster time."""
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    memory = PeakMemory(torch.device("cpu"))
    work = MODES[mode](data)
    work()
    times: list[float] = []
    for _ in range(2):
        start = time.perf_counter()
        accuracy = work()
        times.append(time.perf_counter() - start)
    seconds = min(times)
    print(json.dumps({"seconds": seconds, "peak_memory_bytes": memory.peak(), "accuracy": accuracy}))


if __name__ == "__main__":
    main(*sys.argv[1:])
