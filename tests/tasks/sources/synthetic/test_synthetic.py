from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import seqeval.metrics
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.scheme import IOB2

from bench_lib.core.errors import BadValue, UnknownName
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats.correlations import pearson
from bench_lib.tasks.formats.label_set_metrics import macro_f1
from bench_lib.tasks.formats.squad_metrics import answer_f1
from bench_lib.tasks.formats.text_metrics import Written, bleu
from bench_lib.tasks.sources.synthetic import CORPORA, NOISE, best_reachable, corpus, generate

Rows = Sequence[dict[str, Any]]

INPUTS = {"imdb": ("text",), "sst2": ("sentence",), "conll2003": ("tokens",), "squad": ("context", "question")}
INPUTS |= {"stsb": ("sentence1", "sentence2"), "go_emotions": ("text",), "ag_news": ("text",)}
TARGETS = {"imdb": "label", "sst2": "label", "conll2003": "ner_tags", "squad": "answers"}
TARGETS |= {"stsb": "label", "go_emotions": "labels", "ag_news": "label"}
APPROXIMATE = {"stsb": 0.05, "go_emotions": 0.02}
"""How far a few hundred items may be from what is expected of very many."""
INPUTS |= {"e2e_nlg": ("meaning_representation",)}
TARGETS |= {"e2e_nlg": "human_reference"}
DIGEST = (
    "import hashlib, json; from bench_lib.tasks.sources.synthetic import CORPORA, generate; "
    "rows = [generate(task, seed=3, train_items=60, eval_items=40) for task in CORPORA]; "
    "print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())"
)

every_corpus = pytest.mark.parametrize("task", CORPORA)


def _texts(task: str, rows: Rows) -> list[str]:
    return [json.dumps([row[column] for column in INPUTS[task]]) for row in rows]


def _score(task: str, guesses: Rows, rows: Rows) -> float:
    """The primary metric of the targets of some rows as guesses for those of others."""
    pairs = [(guess[TARGETS[task]], row[TARGETS[task]]) for guess, row in zip(guesses, rows, strict=True)]
    if task == "conll2003":
        guessed, true = zip(*pairs, strict=True)
        return float(seqeval.metrics.f1_score(list(true), list(guessed), mode="strict", scheme=IOB2))
    if task in APPROXIMATE:
        first, second = zip(*pairs, strict=True)
        return {"stsb": pearson, "go_emotions": macro_f1}[task]((), first, second)
    if task == "e2e_nlg":
        return bleu((), [Written(guess[0]) for guess, _ in pairs], [true for _, true in pairs])
    if task == "squad":
        return fmean(answer_f1(guess["text"][0], true["text"]) for guess, true in pairs)
    return fmean(guess == true for guess, true in pairs)


@every_corpus
def test_sizes_columns_and_plain_values(task: str) -> None:
    rows = generate(task, train_items=30, eval_items=20)
    assert list(rows) == ["train", "evaluation"]
    assert [len(split) for split in rows.values()] == [30, 20]
    columns = {*INPUTS[task], TARGETS[task]} | ({"id", "title"} if task == "squad" else set())
    for row in [*rows["train"], *rows["evaluation"]]:
        assert set(row) == columns
        assert json.loads(json.dumps(row)) == row


def test_the_same_bits_in_any_process() -> None:
    rows = [generate(task, seed=3, train_items=60, eval_items=40) for task in CORPORA]
    here = hashlib.sha256(json.dumps(rows).encode()).hexdigest()
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == here


@every_corpus
def test_seeds_and_splits_differ(task: str) -> None:
    one, other = (generate(task, seed, train_items=50, eval_items=50) for seed in (0, 1))
    assert not set(_texts(task, one["train"])) >= set(_texts(task, other["train"]))
    assert _texts(task, one["train"]) != _texts(task, one["evaluation"])


@every_corpus
def test_no_text_occurs_twice(task: str) -> None:
    rows = generate(task)
    texts = _texts(task, [*rows["train"], *rows["evaluation"]])
    assert len(texts) == 3000
    assert len(set(texts)) == 3000


@every_corpus
def test_texts_depend_on_neither_noise_nor_the_other_split(task: str) -> None:
    small, large = (
        generate(task, noise=0.3, train_items=10, eval_items=50),
        generate(task, train_items=40, eval_items=20),
    )
    assert _texts(task, small["train"]) == _texts(task, large["train"])[:10]
    assert _texts(task, small["evaluation"])[:20] == _texts(task, large["evaluation"])


# Of e2e_nlg what is right has words in common with what is wrong; test_restaurants.py holds its score.
@pytest.mark.parametrize("task", [task for task in CORPORA if task != "e2e_nlg"])
@pytest.mark.parametrize("noise", [NOISE, 0.2])
def test_an_oracle_reaches_the_best_reachable_score(task: str, noise: float) -> None:
    clean, noisy = (generate(task, noise=share, train_items=100, eval_items=400) for share in (0, noise))
    for split in ("train", "evaluation"):
        assert _score(task, clean[split], noisy[split]) == pytest.approx(
            best_reachable(task, noise), abs=APPROXIMATE.get(task, 3e-3)
        )


@every_corpus
def test_without_noise_all_can_be_had(task: str) -> None:
    assert best_reachable(task, 0) == pytest.approx(1.0)
    assert best_reachable(task) == pytest.approx(0.991 if task == "e2e_nlg" else 0.95, abs=1e-3)


def test_the_page_says_what_the_code_says() -> None:
    page = (Path(__file__).parents[4] / "docs" / "data.md").read_text()
    section = page.partition("## The embedded corpora\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if "| " in line][2:]
    assert [row[0] for row in rows] == list(CORPORA)
    assert f"{NOISE:.0%} of the labels are wrong".replace("%", " %") in section
    for name, _, metric, best, simple in rows:
        assert metric.lower().replace("-", "_").replace(" ", "_") == TASKS.get(name).primary
        assert best.split()[0] == f"{best_reachable(name):.3f}"
        assert best.endswith(" on average") == (name in APPROXIMATE)
        score = simple.partition(",")[0]
        assert not score or re.search(rf"{score} on {name}\b", " ".join(str(corpus.__doc__).split()))


@settings(max_examples=20)
@given(
    st.sampled_from(["sst2", "conll2003", "squad", "stsb", "go_emotions", "ag_news", "e2e_nlg"]),
    st.integers(0, 2**64),
    st.floats(0, 0.49),
    st.integers(1, 30),
)
def test_the_share_of_wrong_labels_is_the_noise(task: str, seed: int, noise: float, items: int) -> None:
    clean, noisy = (generate(task, seed, share, items, 1)["train"] for share in (0, noise))
    wrong = sum(_wrong(row, other) for row, other in zip(clean, noisy, strict=True))
    assert wrong == round(noise * sum(_units(row) for row in clean))


def _units(row: dict[str, Any]) -> int:
    return sum(tag.startswith("B-") for tag in row["ner_tags"]) if "ner_tags" in row else len(row.get("labels", [0]))


def _wrong(row: dict[str, Any], other: dict[str, Any]) -> int:
    if "ner_tags" in row:
        pairs = zip(row["ner_tags"], other["ner_tags"], strict=True)
        return sum(a != b for a, b in pairs if a.startswith("B-"))
    return len({*row["labels"]} - {*other["labels"]}) if "labels" in row else int(row != other)


def test_an_unknown_corpus_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown embedded corpus 'sst': did you mean 'sst2'"):
        generate("sst")
    with pytest.raises(
        UnknownName,
        match="unknown embedded corpus 'cola': known: ag_news, conll2003, e2e_nlg, go_emotions, imdb, squad",
    ):
        best_reachable("cola")


@pytest.mark.parametrize("noise", [-0.1, 0.5, float("nan")])
def test_noise_out_of_range_is_refused(noise: float) -> None:
    with pytest.raises(BadValue, match=r"label noise is .*; allowed: 0 or more, below 0\.5"):
        generate("sst2", noise=noise)
    with pytest.raises(BadValue, match="label noise"):
        best_reachable("sst2", noise)


def test_a_negative_seed_and_empty_splits_are_refused() -> None:
    with pytest.raises(BadValue, match="corpus seed is -1"):
        generate("sst2", -1)
    with pytest.raises(BadValue, match="size of the split evaluation is 0"):
        generate("sst2", eval_items=0)
    with pytest.raises(BadValue, match="size of the split train is 0"):
        generate("sst2", train_items=0)
