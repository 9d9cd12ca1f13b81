"""The registry of task formats; each has a light half here and names its torch half."""

from __future__ import annotations

from bench_lib.core.errors import BenchError
from bench_lib.core.registry import Registry
from bench_lib.tasks.formats.base import Example, Format
from bench_lib.tasks.formats.multi_label_classification import MULTI_LABEL_CLASSIFICATION, LabelSetExample
from bench_lib.tasks.formats.question_answering import QUESTION_ANSWERING, SpanExample
from bench_lib.tasks.formats.regression import REGRESSION, NumberExample
from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION, TextExample
from bench_lib.tasks.formats.token_classification import TOKEN_CLASSIFICATION, TagExample

__all__ = [
    "FORMATS",
    "MULTI_LABEL_CLASSIFICATION",
    "QUESTION_ANSWERING",
    "REGRESSION",
    "TEXT_CLASSIFICATION",
    "TOKEN_CLASSIFICATION",
    "Example",
    "Format",
    "LabelSetExample",
    "NumberExample",
    "SpanExample",
    "TagExample",
    "TextExample",
]


def check_format(entry: object, where: str) -> None:
    """Raise `BenchError` for what is not a task format."""
    if not isinstance(entry, Format):
        raise BenchError(f"the task format {where} is not a bench_lib.tasks.formats.base.Format")


FORMATS: Registry[Format] = Registry("task format", "stabbench.formats", check_format)

FORMATS.add(TEXT_CLASSIFICATION.name, TEXT_CLASSIFICATION)
FORMATS.add(TOKEN_CLASSIFICATION.name, TOKEN_CLASSIFICATION)
FORMATS.add(QUESTION_ANSWERING.name, QUESTION_ANSWERING)
FORMATS.add(MULTI_LABEL_CLASSIFICATION.name, MULTI_LABEL_CLASSIFICATION)
FORMATS.add(REGRESSION.name, REGRESSION)
