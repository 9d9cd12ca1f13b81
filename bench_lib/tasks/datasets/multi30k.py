"""Multi30k: descriptions of images, translated from English into German."""

from __future__ import annotations

from bench_lib.tasks.formats.text_generation import TEXT_GENERATION
from bench_lib.tasks.formats.writing import Writing
from bench_lib.tasks.task import Task

MULTI30K = Task(
    name="multi30k",
    format=TEXT_GENERATION,
    description="translation of image descriptions from English into German, 29,000 for training; test of 2016",
    columns=("en", "de"),
    labels=(),
    metrics=("bleu", "chrf", "likelihood", "nonempty", "ended", "unrepeated"),
    licence="not stated; the descriptions are of images from Flickr",
    citation=(
        "@inproceedings{elliott2016multi30k, author={Elliott, Desmond and Frank, Stella and Sima'an, Khalil and Specia,"
        " Lucia}, title={Multi30K: Multilingual English-German Image Descriptions}, booktitle={Vision and Language},"
        " pages={70--74}, year={2016}}"
    ),
    eval_split="test",
    writing=Writing("English: {}\nGerman:", language="German"),
)
