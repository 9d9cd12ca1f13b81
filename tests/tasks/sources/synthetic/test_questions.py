from __future__ import annotations

import functools
import re
from collections import Counter
from statistics import fmean
from typing import Any

import pytest

from bench_lib.tasks.formats.squad_metrics import answer_f1
from bench_lib.tasks.sources.synthetic import NOISE, generate
from bench_lib.tasks.sources.synthetic.questions import DOMAINS

Rows = list[dict[str, Any]]

COMMON = frozenset(
    re.findall(r"\w+", "the of a an in is was were did who whom whose what when where which to by on for at it")
)
PERSON, YEAR, COUNT, PLACE = r"\b[A-Z][a-z]+ [A-Z][a-z]+\b", r"\b[0-9]{4}\b", r"\b[0-9]{3}\b", r"\b[A-Z][a-z]+\b"
SORTS = frozenset(word for domain in DOMAINS for form in domain.forms for word in form.lower().split())


@functools.cache
def _generate(noise: float = NOISE) -> dict[str, Rows]:
    return generate("squad", noise=noise)


@pytest.fixture(scope="module")
def clean() -> Rows:
    return [*_generate(0)["train"], *_generate(0)["evaluation"]]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower())) - COMMON


def _pattern(question: str) -> str:
    """What an answer to the question looks like."""
    if re.search(r"\bwhom?\b|\bwhose\b", question.lower()):
        return PERSON
    if "How many" in question:
        return COUNT
    return YEAR if "year" in question or question.startswith("When") else PLACE


def _guess(row: dict[str, Any]) -> str:
    """The first span of the right sort in the sentence most like the question, without the subjects' names."""
    asked = _words(row["question"])
    for sentence in sorted(re.split(r"(?<=\.) ", row["context"]), key=lambda text: -len(_words(text) & asked)):
        for span in re.findall(_pattern(row["question"]), sentence):
            if not _words(span) & (asked | SORTS):
                return str(span)
    return ""


def test_answers_stand_where_they_are_said_to(clean: Rows) -> None:
    noisy = _generate(0.4)["train"]
    for row in [*clean, *noisy]:
        (text,), (start,) = row["answers"]["text"], row["answers"]["answer_start"]
        assert row["context"][start : start + len(text)] == text
        assert re.search(rf"(?:^|[ ]){text}(?:[ ,.;]|$)", row["context"][max(0, start - 1) : start + len(text) + 1])
        assert len(re.findall(rf"\b{text}\b", row["context"])) == 1


def test_answers_are_of_the_sort_that_is_asked_for(clean: Rows) -> None:
    for row in clean:
        assert re.fullmatch(_pattern(row["question"]), row["answers"]["text"][0]), row
    counts = Counter(_pattern(row["question"]) for row in clean)
    assert min(counts[sort] for sort in (PERSON, YEAR, PLACE)) > 400
    assert counts[COUNT] > 50


def test_the_likeliest_sentence_is_not_enough() -> None:
    rows = _generate()["evaluation"]
    assert 0.4 < fmean(answer_f1(_guess(row), row["answers"]["text"]) for row in rows) < 0.6


def test_wrong_answers_are_of_the_same_sort_and_share_no_word() -> None:
    clean, noisy = (_generate(noise)["train"] for noise in (0, 0.4))
    changed = 0
    for row, other in zip(clean, noisy, strict=True):
        right, wrong = row["answers"]["text"][0], other["answers"]["text"][0]
        assert re.fullmatch(_pattern(row["question"]), wrong)
        assert right == wrong or not _words(right) & _words(wrong)
        changed += right != wrong
    assert changed == 800


def test_the_answer_can_be_found_only_by_reading_the_question(clean: Rows) -> None:
    """Each paragraph has at least one more span of the answer's sort."""
    for row in clean:
        spans = [s for s in re.findall(_pattern(row["question"]), row["context"]) if not _words(s) & SORTS]
        assert len(set(spans)) >= 2


def test_a_work_ends_after_it_begins(clean: Rows) -> None:
    found = 0
    for row in clean:
        begun = re.search(r"(?:work on|stone of) (the \w+ \w+) (?:began|was laid) in (\d+)", row["context"])
        done = begun and re.search(rf"{begun[1]} (?:was finished|was completed|were done) in (\d+)", row["context"])
        if begun and done:
            found += 1
            assert int(begun[2]) < int(done[1])
    assert found > 5


def test_paragraphs_are_tidy_and_ids_differ(clean: Rows) -> None:
    for row in clean:
        assert 30 <= len(row["context"].split()) <= 110
        assert not re.search(r"[{}]|  |\. [a-z]|\.\.", row["context"])
        assert row["question"][0].isupper()
        assert row["question"].endswith("?")
        assert row["title"].split("_")[0] in row["context"] or row["title"].split("_")[-1] in row["context"]
    assert len({row["id"] for row in clean}) == len(clean)
    assert all(re.fullmatch(r"[0-9a-f]{24}", row["id"]) for row in clean)
