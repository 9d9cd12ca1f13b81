"""The model card of an exported model: what it was trained on and how, its score, and the spread of its cell."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from bench_lib.core.record import RunRecord, Status
from bench_lib.integrations.model_folder import ADAPTER, BASE
from bench_lib.integrations.trained_run import TrainedRun
from bench_lib.store import Store

CARD = """---
library_name: transformers
tags: [stabbench]
---

# {technique} on {task}

`{model}`, fine-tuned on `{task}` ({source}) with `{technique}`, seed {seed}, by stabbench.

| | |
| --- | --- |
| {metric} | {score} |
| status | {status} |
| best constant prediction | {constant} |
{spread}| run | `{run_id}` |

{note}## Loading

```python
{loading}
```

Sequences were of at most {length} tokens in training.

## Specification

```json
{spec}
```
"""

MERGED = """from transformers import {auto}, AutoTokenizer

model = {auto}.from_pretrained("FOLDER")
tokenizer = AutoTokenizer.from_pretrained("FOLDER")"""
APART = """from peft import PeftModel
from transformers import {auto}, AutoTokenizer

model = PeftModel.from_pretrained({auto}.from_pretrained("FOLDER/{base}"), "FOLDER/{adapter}")
tokenizer = AutoTokenizer.from_pretrained("FOLDER/{base}")"""


def card_of(trained: TrainedRun, adapters: str, cell: Sequence[RunRecord] = (), note: str = "") -> str:
    """The card as Markdown; `cell` are the stored runs of the other seeds, and this one."""
    record, task = trained.record, trained.run.task
    loading = (APART if adapters == "apart" else MERGED).format(auto=task.format.auto_model, base=BASE, adapter=ADAPTER)
    return CARD.format(
        technique=record.technique,
        task=record.task,
        model=record.model,
        source="generated data" if record.data_source == "embedded" else f"data: {record.data_source}",
        seed=record.seed,
        metric=record.metric,
        score=_fraction(record.score),
        status=record.status,
        constant=_fraction(record.constant_baseline),
        spread=_spread(cell),
        run_id=record.run_id,
        note=f"{note}\n\n" if note else "",
        loading=loading,
        length=trained.run.profile.max_length,
        spec=json.dumps(json.loads(record.spec), indent=1, sort_keys=True),
    )


def cell_of(store: Store, record: RunRecord) -> list[RunRecord]:
    """The stored runs that differ from one only in the seed."""
    return [each for each in store.records() if _without_seed(each) == _without_seed(record)]


def _without_seed(record: RunRecord) -> dict[str, object]:
    identity: dict[str, object] = json.loads(record.spec)
    return {name: value for name, value in identity.items() if name != "seed"}


def _spread(cell: Sequence[RunRecord]) -> str:
    """Lines of the table on all seeds of a cell, where there are at least two with a score."""
    scores = np.array([each.score for each in cell if each.score is not None])
    if len(scores) < 2:
        return ""
    failed = sum(each.status != Status.CONVERGED for each in cell)
    return (
        f"| this stack over {len(cell)} seeds | mean {scores.mean():.4f}, standard deviation {scores.std(ddof=1):.4f}, "
        f"from {scores.min():.4f} to {scores.max():.4f}; {failed} did not converge |\n"
    )


def _fraction(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4f}"
