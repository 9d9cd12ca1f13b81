"""SAMSum: what was said in a chat, in a sentence or two."""

from __future__ import annotations

from bench_lib.tasks.formats.text_generation import TEXT_GENERATION
from bench_lib.tasks.formats.writing import Writing
from bench_lib.tasks.task import Task

SAMSUM = Task(
    name="samsum",
    format=TEXT_GENERATION,
    description="summaries of chats between friends, 14,731 for training; the one chat without words is left out",
    columns=("dialogue", "summary"),
    labels=(),
    metrics=("rouge_l", "rouge_1", "rouge_2", "likelihood", "nonempty", "ended", "unrepeated"),
    licence="CC BY-NC-ND 4.0",
    citation=(
        "@inproceedings{gliwa2019samsum, author={Gliwa, Bogdan and Mochol, Iwona and Biesek, Maciej and Wawer,"
        " Aleksander}, title={SAMSum Corpus: A Human-annotated Dialogue Dataset for Abstractive Summarization},"
        " booktitle={New Frontiers in Summarization}, pages={70--79}, year={2019}}"
    ),
    eval_split="test",
    writing=Writing("{}\n\nSummary:", drops_blank=True),
)
