from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from transformers import PreTrainedTokenizerBase

from bench_lib.core.seeds import derive
from bench_lib.core.spec import Profile, Ref
from bench_lib.harness.datasets import Evaluation
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Feature
from bench_lib.models import MODELS
from bench_lib.models.architecture import architecture_of
from bench_lib.models.load import instantiate, load_template, load_tokenizer
from bench_lib.models.source import resolve
from bench_lib.tasks.formats import (
    MULTI_LABEL_CLASSIFICATION,
    QUESTION_ANSWERING,
    REGRESSION,
    TEXT_CLASSIFICATION,
    TOKEN_CLASSIFICATION,
    Example,
    Format,
    LabelSetExample,
    NumberExample,
    SpanExample,
    TagExample,
    TextExample,
)
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.toolkit.dropout_rates import set_dropout

LABELS = {TEXT_CLASSIFICATION: 2, TOKEN_CLASSIFICATION: 9, QUESTION_ANSWERING: 0}
LABELS |= {MULTI_LABEL_CLASSIFICATION: 28, REGRESSION: 0}
EXAMPLES: dict[Format, list[Example]] = {
    TEXT_CLASSIFICATION: [
        TextExample("a fine film with a heart", 1),
        TextExample("dull", 0),
        TextExample("the plot is thin, the acting thinner and the end does not come soon enough", 0),
        TextExample("great fun", 1),
        TextExample("not bad at all", 1),
    ],
    TOKEN_CLASSIFICATION: [
        TagExample(("Peter", "Blackburn", "left", "Brussels"), (1, 2, 0, 5)),
        TagExample(("EU", "rejects", "German", "call"), (3, 0, 7, 0)),
        TagExample(("nothing", "happened"), (0, 0)),
        TagExample(("The", "Ministry", "of", "Works", "said", "so", "on", "Monday"), (0, 3, 4, 4, 0, 0, 0, 0)),
        TagExample(("Oslo",), (5,)),
    ],
    QUESTION_ANSWERING: [
        SpanExample("a", "It was built in 1879 by the Fathers.", "When was it built?", ("1879",), (16,)),
        SpanExample("b", "The river Aare flows through Berne.", "Which river?", ("Aare", "The river Aare"), (10, 0)),
        SpanExample("c", "Anna sold the red boat to her uncle.", "What was sold?", ("the red boat",), (10,)),
    ],
    MULTI_LABEL_CLASSIFICATION: [
        LabelSetExample("I laughed until I cried", (1, 17)),
        LabelSetExample("so it is", (27,)),
        LabelSetExample("who would have thought, and how kind of them to come all the way", (0, 15, 26)),
        LabelSetExample("nothing", ()),
    ],
    REGRESSION: [
        NumberExample("A man plays the flute.", 4.5, "A man is playing a flute."),
        NumberExample("It rains.", 0.0, "The shop opens at nine on every day but the last one of the month."),
        NumberExample("Two dogs run.", 2.25, "A dog runs."),
    ],
}


@pytest.fixture(scope="session")
def tiny() -> Ref:
    return resolve("tiny", MODELS)


@pytest.fixture(scope="session")
def tokenizer(tiny: Ref) -> PreTrainedTokenizerBase:
    return load_tokenizer(tiny)


@pytest.fixture
def examples() -> dict[Format, list[Example]]:
    return EXAMPLES


@pytest.fixture
def featurise(tokenizer: PreTrainedTokenizerBase) -> Callable[..., list[Feature]]:
    def features(
        task_format: Format, rows: Sequence[Example] | None = None, max_length: int = 32, stride: int = 8
    ) -> list[Feature]:
        return torch_half(task_format).encode(
            EXAMPLES[task_format] if rows is None else rows, tokenizer, max_length, stride
        )

    return features


@pytest.fixture
def prepare(tiny: Ref) -> Callable[..., Training]:
    """A run of the tiny model about to be trained, without dropout unless asked for."""

    def training(task_format: Format, seed: int = 0, **changes: Any) -> Training:
        profile = dataclasses.replace(
            Profile(max_length=32, stride=8, batch_size=2, learning_rate=1e-3, dropout=0.0), **changes
        )
        template = load_template(tiny, task_format, LABELS[task_format])
        model = instantiate(template, torch.Generator().manual_seed(seed))
        set_dropout(model, profile.dropout)
        return Training(
            model=model.train(),
            architecture=architecture_of(model),
            format=task_format,
            profile=profile,
            pretrained=template.pretrained(),
            seed=lambda stream, *names: derive(seed, stream, *names),
        )

    return training


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with SST-2 in the hub's columns: 40 rows to train on, 20 to evaluate."""
    rows = [
        {"idx": i, "sentence": f"a {'fine' if i % 2 else 'dull'} film of {i} scenes", "label": i % 2} for i in range(60)
    ]
    folder = tmp_path / "data" / "sst2"
    folder.mkdir(parents=True)
    for split, part in (("train", rows[:40]), ("validation", rows[40:])):
        pq.write_table(pa.Table.from_pylist(part), folder / f"{split}.parquet")
    return folder.parent


@pytest.fixture
def evaluation(
    featurise: Callable[..., list[Feature]], examples: dict[Format, list[Example]]
) -> Callable[..., Evaluation]:
    def build(task_format: Format, rows: Sequence[Example] | None = None, max_length: int = 32) -> Evaluation:
        chosen = tuple(examples[task_format] if rows is None else rows)
        return Evaluation(chosen, tuple(featurise(task_format, chosen, max_length)), 0.0)

    return build
