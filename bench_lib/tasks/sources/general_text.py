"""General text, on which a model is measured for what it forgets: generated, or a file of the user's."""

from __future__ import annotations

import dataclasses
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from bench_lib.core.errors import BadData, BadValue, Unavailable
from bench_lib.core.spec import digest
from bench_lib.tasks.further import GeneralText
from bench_lib.tasks.sources.load import source_folder
from bench_lib.tasks.sources.synthetic import generate
from bench_lib.tasks.task import Data

GENERATED, FOLDER = "generated", "folder"
FILE = "general_text.txt"
CORPORA = {"sst2": "sentence", "stsb": "sentence1", "ag_news": "text", "squad": "context"}
"""The generated corpora whose texts are taken, with their column; none of them is an item of a run's own data."""
SEED = 1_000_003
EACH = 50
"""Texts of each corpus."""


def load_general_text(kind: str, source: str) -> GeneralText | None:
    """The general text that a profile's `forgetting` asks for, None where it asks for none.

    Raises `BadValue` for another kind, `Unavailable` where the source is no folder, `BadData` for a file without text.
    """
    if not kind:
        return None
    if kind == GENERATED:
        return _generated()
    if kind != FOLDER:
        raise BadValue("profile field forgetting", kind, f"{GENERATED}, or {FOLDER} for {FILE} in the folder of --data")
    folder = source_folder(source)
    if folder is None:
        raise Unavailable(f"forgetting={FOLDER} reads {FILE} in the folder of `--data DIR`, which {source} is not")
    return _read(folder / FILE)


@lru_cache(maxsize=8)
def with_general_text(data: Data, text: GeneralText | None) -> Data:
    """The data with a general text, if there is one; the same object for the same two."""
    return dataclasses.replace(data, general_text=text) if text else data


@cache
def _generated() -> GeneralText:
    rows = [
        (row, column)
        for task, column in CORPORA.items()
        for row in generate(task, seed=SEED, noise=0.0, train_items=EACH, eval_items=1)["train"]
    ]
    texts = tuple(dict.fromkeys(row[column] for row, column in rows))
    order = np.random.default_rng(SEED).permutation(len(texts))
    return _of(tuple(texts[i] for i in order))


@cache
def _read(path: Path) -> GeneralText:
    if not path.is_file():
        raise BadData(f"no {path}, which forgetting={FOLDER} reads: plain text in UTF-8, a paragraph a line")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise BadData(f"{path} is not in UTF-8: {error.reason} at byte {error.start}") from error
    texts = tuple(text for line in lines if (text := line.strip()))
    if not texts:
        raise BadData(f"{path} holds no text")
    return _of(texts)


def _of(texts: tuple[str, ...]) -> GeneralText:
    return GeneralText(digest(texts), texts)
