from __future__ import annotations

import pytest

from bench_lib.tasks.formats.constant_texts import best_constant
from bench_lib.tasks.formats.text_metrics import Written, bleu, chrf

SAME = "It is a pub near the river."


def test_the_most_frequent_reference_may_be_the_best_constant() -> None:
    pairs = [(f"name[{i}]", [SAME if i < 8 else f"Something else, number {i}."]) for i in range(10)]
    by_hand = bleu((), [Written(SAME)] * 10, [own for _, own in pairs])
    assert by_hand > 0.5
    assert best_constant("bleu", pairs, "English") == pytest.approx(by_hand)


def test_a_copied_input_may_be_better() -> None:
    pairs = [(text, [text.replace("red", "blue")]) for text in ("A red house by the sea.", "The red dog runs home.")]
    by_hand = chrf((), [Written(text) for text, _ in pairs], [own for _, own in pairs])
    assert by_hand > 0.5
    assert best_constant("chrf", pairs, "English") == pytest.approx(by_hand)


def test_the_most_frequent_final_number_counts_once_for_each_item() -> None:
    pairs = [("a", ["So 5", "#### 5"]), ("b", ["it is 5"]), ("c", ["7"]), ("what is 7 - 3?", ["4"])]
    assert best_constant("final_number", pairs, "English") == 0.5


@pytest.mark.parametrize("metric", ["bleu", "chrf", "rouge_l", "final_number"])
def test_it_does_not_depend_on_the_order(metric: str) -> None:
    pairs = [(f"name[{i}]", [f"The pub number {i % 3} is cheap."]) for i in range(30)]
    assert best_constant(metric, pairs, "English") == pytest.approx(best_constant(metric, pairs[::-1], "English"))
