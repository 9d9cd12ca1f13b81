from __future__ import annotations

import math
import sys
from decimal import Decimal

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from bench_lib.core.errors import Unavailable
from bench_lib.tasks.formats.text_metrics import (
    BLEU_TOKENIZERS,
    TEXT_METRICS,
    Written,
    _prepared,
    bleu,
    chrf,
    final_number,
    last_number,
    likelihood,
)

WORDS = st.lists(st.sampled_from(["the", "pub", "is", "near", "a", "river", ".", "cheap"]), min_size=1, max_size=12)
TEXTS = WORDS.map(" ".join)
ITEMS = st.lists(st.tuples(TEXTS, st.lists(TEXTS, min_size=1, max_size=3)), min_size=1, max_size=5)


def outputs(*texts: str, language: str = "English") -> list[Written]:
    return [Written(text, language=language) for text in texts]


@given(ITEMS)
def test_bleu_and_chrf_are_those_of_sacrebleu(items: list[tuple[str, list[str]]]) -> None:
    texts, references = [text for text, _ in items], [own for _, own in items]
    streams = [[own[i] if i < len(own) else None for own in references] for i in range(3)]
    found = bleu((), outputs(*texts), references), chrf((), outputs(*texts), references)
    assert found[0] == pytest.approx(sacrebleu.corpus_bleu(texts, streams, force=True).score / 100, abs=1e-9)
    assert found[1] == pytest.approx(sacrebleu.corpus_chrf(texts, streams).score / 100, abs=1e-9)
    assert all(0 <= value <= 1 for value in found)


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_rouge_is_that_of_the_best_reference(text: str, references: list[str]) -> None:
    for metric, kind in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")):
        scorer = RougeScorer([kind], use_stemmer=True)
        best = max(scorer.score(reference, text)[kind].fmeasure for reference in references)
        assert TEXT_METRICS[metric]((), outputs(text), [references]) == pytest.approx(best)


@pytest.mark.parametrize("metric", [name for name in TEXT_METRICS if name != "likelihood"])
def test_a_reference_written_out_is_right(metric: str) -> None:
    texts = ["It costs 5 dollars at the pub.", "The river is near the 12 old bridges of the city."]
    assert TEXT_METRICS[metric]((), outputs(*texts), [["Or else 7", texts[0]], [texts[1]]]) == pytest.approx(1.0)


def test_chinese_is_told_apart_by_characters() -> None:
    said, right = "我们住在一个小城市里", [["我们住在一个大城市里"]]
    assert bleu((), outputs(said, language="Chinese"), right) > 0.3
    assert bleu((), outputs(said), right) == 0.0
    assert {"zh", "13a"} == {*BLEU_TOKENIZERS.values()}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("She has 3 + 4 = 7 apples.\n#### 7", "7"),
        ("#### 1,200", "1200"),
        ("so 3 and then 2.50 dollars", "2.5"),
        ("#### -4", "-4"),
        ("#### 18 dollars, of 20", "18"),
        ("$5", "5"),
        ("none at all", None),
        ("#### nothing, though 3 came before", "3"),
        ("1 #### ", None),
        ("", None),
    ],
)
def test_the_final_number_of_a_text(text: str, number: str | None) -> None:
    if text.startswith("#### nothing"):
        assert last_number(text) == Decimal(3)
    else:
        assert last_number(text) == (None if number is None else Decimal(number))


def test_final_numbers_are_compared_as_numbers() -> None:
    references = [["#### 1200"], ["#### 2.50"], ["#### 3"], ["no number"]]
    assert final_number((), outputs("1,200", "so 2.5", "4", "no number"), references) == 0.5


def test_the_likelihood_is_that_of_a_token() -> None:
    found = [Written("", nll=math.log(2) * 3, tokens=3), Written("", nll=math.log(4) * 1, tokens=1)]
    assert likelihood((), found, [["a"], ["b"]]) == pytest.approx(math.exp(-(3 * math.log(2) + math.log(4)) / 4))
    for broken in (math.inf, math.nan):
        assert likelihood((), [Written("", nll=broken)], [["a"]]) == 0.0


@pytest.mark.parametrize(
    ("text", "ended", "loops"),
    [
        ("on and on and on and on and on and on", False, True),
        ("on and on and on and on and on and on", True, False),
        ("a b c d e f g h i j k", False, False),
        ("x" * 50, False, True),
        ("It is a pub. " * 30, False, True),
        ("", False, False),
        ("the end of the line " + "of the line" * 2, False, False),
    ],
)
def test_a_loop_is_a_text_without_an_end_that_repeats_itself(text: str, ended: bool, loops: bool) -> None:
    assert Written(text, ended).loops is loops
    assert TEXT_METRICS["unrepeated"]((), [Written(text, ended)], [["a"]]) == 1 - loops
    assert TEXT_METRICS["ended"]((), [Written(text, ended)], [["a"]]) == float(ended)
    assert TEXT_METRICS["nonempty"]((), [Written(text, ended)], [["a"]]) == float(bool(text))


@pytest.mark.parametrize(
    ("metric", "package"), [("bleu", "sacrebleu"), ("chrf", "sacrebleu"), ("rouge_l", "rouge_score")]
)
def test_a_missing_package_is_named(metric: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _prepared.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Unavailable, match=rf"{package} .*pip install 'stabbench\[generation\]'"):
        TEXT_METRICS[metric]((), outputs("a"), [["a"]])
