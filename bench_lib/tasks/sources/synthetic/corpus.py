"""Corpora that the suite generates from a seed, for machines without a network.

Seven tasks in the hub's columns, from word lists and sentence frames of our own. A share `noise` of a split's labels,
rounded to whole labels and chosen at random, is wrong, in training and in evaluation alike: a review's label is
inverted; an entity has another type within the same boundaries; the answer is another span of its type from the same
context, which shares no word with it; a pair of sentences has the similarity of another pair; a label of a set is
another one, and so is a topic. A model that is always right hence scores 1 - noise in the primary metric, exactly, or
on average where that is a correlation or macro-F1 (`stsb`, `go_emotions`).
Evaluation holds names, and a quarter of the words or phrases that tell, that training does not.

Scores on 1,000 evaluation items at the default noise, where the best reachable is 0.95, after 2,000 training items:
bag of words with logistic regression, accuracy 0.67 on sst2, 0.73 on imdb and 0.72 on ag_news, and one for each label,
macro-F1 0.63 on go_emotions; the most frequent tag of each word, entity F1 0.25 on conll2003; the first span of the
right type in the sentence most like the question, token F1 0.54 on squad; the share of common words, Pearson 0.51 on
stsb.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np

from bench_lib.core.errors import UnknownName, require
from bench_lib.tasks.sources.synthetic import emotions, entities, news, questions, sentiment, similarity
from bench_lib.tasks.sources.synthetic.draw import Draw, Item, Row

_MAKERS: dict[str, Callable[[Draw, bool], Item]] = {
    "imdb": sentiment.long,
    "sst2": sentiment.short,
    "conll2003": entities.sentence,
    "squad": questions.question,
    "stsb": similarity.pair,
    "go_emotions": emotions.comment,
    "ag_news": news.article,
}
CORPORA: tuple[str, ...] = tuple(_MAKERS)
NOISE = 0.05


def generate(
    task: str, seed: int = 0, noise: float = NOISE, train_items: int = 2000, eval_items: int = 1000
) -> dict[str, list[Row]]:
    """Rows of the splits `train` and `evaluation`, the same in every bit for the same arguments.

    No text occurs twice, in one split or over both; the clean rows do not depend on `noise`, nor those of one split
    on the other's size. An unknown task raises `UnknownName`, a number out of range `BadValue`.
    """
    _check(task, noise)
    require(seed >= 0, "corpus seed", seed, "0 or more")
    for split, items in (("train", train_items), ("evaluation", eval_items)):
        require(items >= 1, f"size of the split {split}", items, "1 or more")
    return {"train": _rows(task, seed, 0, noise, train_items), "evaluation": _rows(task, seed, 1, noise, eval_items)}


def best_reachable(task: str, noise: float = NOISE) -> float:
    """The primary metric of a model that is always right, on evaluation rows with that share of wrong labels.

    Of `stsb` and `go_emotions` it is what is expected of many rows.
    """
    _check(task, noise)
    return 1.0 - noise


def _check(task: str, noise: float) -> None:
    if task not in _MAKERS:
        raise UnknownName("embedded corpus", task, _MAKERS)
    require(0 <= noise < 0.5, "label noise", noise, "0 or more, below 0.5")


def _rows(task: str, seed: int, split: int, noise: float, count: int) -> list[Row]:
    """The rows of split 0, training, or 1, evaluation."""
    texts, labels = (Draw(np.random.default_rng([seed, zlib.crc32(task.encode()), split, part])) for part in (0, 1))
    items: dict[str, Item] = {}
    while len(items) < count:
        item = _MAKERS[task](texts, split == 1)
        # Each text belongs to one split by its hash: no overlap, whatever the sizes.
        if zlib.crc32(item.key.encode()) % 2 == split:
            items.setdefault(item.key, item)
    return [item.row() for item in _mislabel(list(items.values()), noise, labels)]


def _mislabel(items: list[Item], noise: float, draw: Draw) -> list[Item]:
    """With a wrong label at that share of all units."""
    units = [(i, unit) for i, item in enumerate(items) for unit in range(item.units)]
    for i, unit in draw.some(units, round(noise * len(units))):
        items[i] = items[i].corrupt(unit, draw)
    return items
