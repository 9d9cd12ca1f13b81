from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadData, BadValue, BenchError, UnknownName, Unsupported
from bench_lib.core.record import Predictions
from bench_lib.stats.agreement import churn
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TEXT_CLASSIFICATION, TEXT_GENERATION, GenerationExample
from bench_lib.tasks.formats.text_generation import packed
from bench_lib.tasks.formats.text_metrics import Written
from bench_lib.tasks.formats.writing import Writing
from bench_lib.tasks.scoring.constant_baseline import constant_baseline
from bench_lib.tasks.scoring.metrics import score
from bench_lib.tasks.sources.parse import parse
from bench_lib.tasks.task import Task
from bench_lib.tasks.transforms.input_noise import perturbed
from bench_lib.tasks.transforms.label_noise import mislabelled

ROWS: dict[str, list[dict[str, Any]]] = {
    "e2e_nlg": [
        {"meaning_representation": "name[The Mill]", "human_reference": "It is The Mill."},
        {"meaning_representation": "name[The Mill]", "human_reference": "The Mill, a pub."},
        {"meaning_representation": "name[Blue Lamp]", "human_reference": "Blue Lamp it is."},
    ],
    "gsm8k": [{"question": "What is 3 + 4?", "answer": "3 + 4 = 7\n#### 7"}, {"question": "One?", "answer": "#### 1"}],
    "multi30k": [{"en": "A dog runs.", "de": "Ein Hund rennt."}, {"en": "Two men.", "de": "Zwei Männer."}],
    "samsum": [
        {"id": "1", "dialogue": "Ann: Hi\r\nBen: Hello", "summary": "Ann greets Ben."},
        {"id": "2", "dialogue": "", "summary": "Nothing is said."},
        {"id": "3", "dialogue": "Ben: Bye", "summary": "Ben leaves."},
    ],
    "daily_dialog": [
        {"dialog": ["Hi . ", "Hello !", "How are you ?"], "act": [1, 1, 2]},
        {"dialog": ["Tea ?", "Yes ."], "act": [2, 1]},
    ],
}
every_task = pytest.mark.parametrize("task", [TASKS.get(name) for name in ROWS], ids=[*ROWS])


def examples(task: Task) -> tuple[GenerationExample, ...]:
    found = parse(task, ROWS[task.name], "here")
    assert all(isinstance(example, GenerationExample) for example in found)
    return found  # type: ignore[return-value]


def test_every_task_has_its_rows_here() -> None:
    assert {*ROWS} == {task.name for task in TASKS if task.format is TEXT_GENERATION}


@every_task
def test_a_row_is_a_prompt_and_a_reference(task: Task) -> None:
    first = examples(task)[0]
    assert {
        "e2e_nlg": ("name[The Mill]\nDescription:", ("It is The Mill.",)),
        "gsm8k": ("Question: What is 3 + 4?\nAnswer:", ("3 + 4 = 7\n#### 7",)),
        "multi30k": ("English: A dog runs.\nGerman:", ("Ein Hund rennt.",)),
        "samsum": ("Ann: Hi\nBen: Hello\n\nSummary:", ("Ann greets Ben.",)),
        "daily_dialog": ("Hi .\nHello !\nReply:", ("How are you ?",)),
    }[task.name] == (first.prompt, first.references)
    assert first.language == ("German" if task.name == "multi30k" else "English")
    assert first.stops == (("\n",) if task.name == "daily_dialog" else ())
    assert len(examples(task)) == (3 if task.name == "e2e_nlg" else 2)


@every_task
def test_right_answers_have_the_best_score_and_a_constant_has_less(task: Task) -> None:
    found = task.format.evaluated(examples(task))
    right = [Written(example.reference[0], language=example.language) for example in found]  # type: ignore[attr-defined]
    scores = score(task, right, [example.reference for example in found])
    best = task.format.room(task.primary, (), found).best
    assert scores.pop(task.primary) == best
    assert [*scores.values()] == pytest.approx([1.0] * len(scores))
    assert constant_baseline(task, found) < best


def test_an_example_is_evaluated_once_with_all_its_references() -> None:
    found = TEXT_GENERATION.evaluated(examples(TASKS.get("e2e_nlg")))
    assert [example.reference for example in found] == [
        ("It is The Mill.", "The Mill, a pub."),
        ("Blue Lamp it is.",),
    ]


def test_several_references_may_stand_in_a_row() -> None:
    row = {"meaning_representation": "name[A]", "human_reference": ["A.", "It is A.", "A."]}
    (example,) = parse(TASKS.get("e2e_nlg"), [row], "here")
    assert example.reference == ("A.", "It is A.")
    assert example.accepted_answers == {"A.", "It is A."}


@pytest.mark.parametrize(
    ("name", "row", "message"),
    [
        ("multi30k", {"en": " ", "de": "Ein"}, "en is ''; expected text that is not blank"),
        ("multi30k", {"en": "A", "de": " "}, "de is ' '; expected a text that is not blank, or a list"),
        ("multi30k", {"en": "A", "de": []}, r"de is \[\]; expected a text"),
        ("multi30k", {"en": "A", "de": ["x", ""]}, r"de is \['x', ''\]; expected a text"),
        ("multi30k", {"en": "A", "de": None}, "de is None; expected a text"),
        ("multi30k", {"en": 3, "de": "x"}, "en is 3; expected text"),
        ("multi30k", {"de": "x"}, "column 'en' is missing"),
        ("daily_dialog", {"dialog": ["Hi"]}, r"dialog is \['Hi'\]; expected a list of two turns or more"),
        ("daily_dialog", {"dialog": ["Hi", ""]}, "expected a list of two turns or more"),
        ("daily_dialog", {"dialog": "Hi"}, "dialog is 'Hi'; expected a list"),
        ("samsum", {"dialogue": "", "summary": "x"}, "has no row with an input"),
    ],
)
def test_a_row_that_does_not_fit_is_named(name: str, row: dict[str, Any], message: str) -> None:
    with pytest.raises(BadData, match=f"here.*{message}"):
        parse(TASKS.get(name), [row], "here")


# ---- tasks of one's own ----------------------------------------------------------------------------------------------


def changed(**changes: Any) -> Task:
    return dataclasses.replace(TASKS.get("multi30k"), **changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        (
            {"writing": Writing("no place")},
            BadValue,
            "template of task multi30k is 'no place'; allowed: a text with one",
        ),
        ({"writing": Writing("{} and {}")}, BadValue, "template of task multi30k"),
        ({"writing": Writing(stops=("",))}, BadValue, "stops of task multi30k"),
        ({"writing": Writing(language="Japanese")}, BadValue, "'Japanese'; allowed: Chinese, English, .*chrf needs no"),
        (
            {"metrics": ("rouge_l",)},
            BadValue,
            "which rouge_l would have to tell the words of is 'German'; allowed: Engl",
        ),
        ({"metrics": ("likelihood", "bleu")}, BadValue, "primary metric .* 'likelihood'; allowed: one that compares"),
        ({"metrics": ("blue",)}, UnknownName, "did you mean 'bleu'"),
        ({"labels": ("a", "b")}, BadValue, "allowed: none, since the answers are texts"),
        ({"columns": ("a", "b", "c")}, BadValue, "allowed: 1 to 2 different ones"),
        ({"format": TEXT_CLASSIFICATION, "labels": ("a", "b"), "metrics": ("accuracy",)}, BadValue, "writing of task"),
    ],
)
def test_a_task_that_does_not_fit_is_refused(changes: dict[str, Any], error: type[BenchError], message: str) -> None:
    with pytest.raises(error, match=message):
        changed(**changes)


def test_chrf_takes_any_language() -> None:
    assert changed(metrics=("chrf",), writing=Writing(language="Japanese")).primary == "chrf"


# ---- edits -----------------------------------------------------------------------------------------------------------


def test_edits_reach_neither_the_text_around_the_input_nor_a_reference() -> None:
    (example, *_) = examples(TASKS.get("samsum"))
    found = [perturbed(example, 1.0, (), np.random.default_rng(seed)) for seed in range(5)]
    assert any(other != example for other in found)
    for other in found:
        assert dataclasses.replace(other, text=example.text) == example  # type: ignore[type-var]
    assert perturbed(example, 0.0, (), np.random.default_rng(0)) is example
    assert example.rewordable == (example.text,)
    assert example.reworded({example.text: "x"}).prompt == "x\n\nSummary:"


@given(st.integers(2, 12), st.floats(0, 1), st.integers(0, 99))
def test_noise_gives_a_share_the_references_of_others(n: int, share: float, seed: int) -> None:
    clean = [GenerationExample(f"input {i}", (f"reference {i // 2}",)) for i in range(n + 1)]
    noisy = mislabelled(clean, share, (), np.random.default_rng(seed))
    wrong = [i for i, (a, b) in enumerate(zip(clean, noisy, strict=True)) if a != b]
    assert len(wrong) == round(share * len(clean))
    for i in wrong:
        assert noisy[i].inputs == clean[i].inputs
        assert not noisy[i].accepted_answers & clean[i].accepted_answers


def test_noise_needs_another_reference() -> None:
    with pytest.raises(Unsupported, match="all examples share theirs"):
        mislabelled([GenerationExample(str(i), ("a",)) for i in range(3)], 1.0, (), np.random.default_rng(0))


# ---- predictions -----------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.text(max_size=20), st.booleans(), st.floats(0, 100, width=32), st.integers(1, 999))))
def test_outputs_are_stored_as_numbers_and_read_again(items: list[tuple[str, bool, float, int]]) -> None:
    if not items:
        return
    right = [Written(text, ended, nll, tokens) for text, ended, nll, tokens in items]
    stored = packed(right)
    assert stored.values.dtype == np.float32
    assert stored.values.shape == (sum(3 + len(text) for text, *_ in items), 1)
    assert TEXT_GENERATION.answers([GenerationExample("a", ("b",))] * len(items), stored) == right


def test_runs_agree_where_their_texts_are_the_same() -> None:
    one = packed([Written("a b", nll=1.0), Written("c"), Written("")])
    other = packed([Written("a b", nll=2.0), Written("cc"), Written("")])
    codes = TEXT_GENERATION.item_codes([one, other])
    assert codes is not None
    assert churn(codes).mean == pytest.approx(1 / 3)
    assert TEXT_GENERATION.item_codes([one, packed([Written("a")])]) is None
    classes = Predictions(np.eye(3, dtype=np.float32))
    assert TEXT_CLASSIFICATION.item_codes([classes, classes]).tolist() == [[0, 1, 2]] * 2  # type: ignore[union-attr]
    with pytest.raises(Unsupported, match="ask for `item_codes`"):
        TEXT_GENERATION.codes(one.values)
