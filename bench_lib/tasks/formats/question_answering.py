"""Extractive question answering: a question on a context, answered by a span of it, or by none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.errors import BenchError, Unsupported, require
from bench_lib.core.record import Predictions
from bench_lib.tasks.formats.base import Example, Format, Metric, Role, Text
from bench_lib.tasks.formats.constant_spans import best_position
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.span_metrics import ANSWERABLE, CONSTANT, OF_UNANSWERABLE, SPAN_METRICS, best_answers
from bench_lib.tasks.formats.squad_metrics import exact_match
from bench_lib.tasks.formats.word_edits import WORD, Passage, joined, protect, split


@dataclass(frozen=True)
class SpanExample(Example):
    """A question on a context, with reference answers and their starts in the context, in characters.

    The context does not answer it where there are none.
    """

    id: str
    context: str
    question: str
    answers: tuple[str, ...]
    starts: tuple[int, ...]

    @property
    def format(self) -> Format:
        return QUESTION_ANSWERING

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.question, self.context

    @property
    def unit(self) -> tuple[str, ...]:
        return (self.context,)

    @property
    def reference(self) -> tuple[str, ...]:
        return self.answers

    @property
    def accepted_answers(self) -> frozenset[str]:
        return frozenset(self.answers or ("",))

    def classes(self, labels: Sequence[str]) -> frozenset[str]:
        return frozenset([labels[not self.answers]] if labels else self.format.class_names(labels))

    @property
    def content(self) -> SpanExample:
        """Without the id, which does not make a question another one."""
        return replace(self, id="")

    def passages(self, labels: Sequence[str]) -> tuple[Passage, ...]:
        return self._protected_context(), split(self.question)

    def rewritten(self, changed: Sequence[Passage], labels: Sequence[str]) -> SpanExample:
        before = self.passages(labels)
        question = self.question if changed[1] == before[1] else joined(changed[1])[0]
        if changed[0] == before[0]:
            return replace(self, question=question)
        context, moved = joined(changed[0])
        starts = tuple(start + moved[_unit(before[0], start)] for start in self.starts)
        return replace(self, context=context, question=question, starts=starts)

    @property
    def rewordable(self) -> tuple[str, ...]:
        """The question only: a paraphrase of the context would lose the answers."""
        return (self.question,)

    def reworded(self, paraphrases: Mapping[str, str]) -> SpanExample:
        return replace(self, question=paraphrases[self.question])

    def _protected_context(self) -> Passage:
        """The context with the words of answers protected; answers that share a word form one block."""
        spans = ((start, start + len(text)) for start, text in zip(self.starts, self.answers, strict=True))
        return protect(split(self.context), sorted(spans))


def _unit(words: Passage, start: int) -> int:
    """The original position of the word that contains a character."""
    return max(word.at for word in words if word.at is not None and word.at <= start)


class QuestionAnswering(Format):
    """A span of the context for each question; stored predictions are (start, end, score) in characters.

    Tasks with questions that their context does not answer have the labels `ANSWERABLE`; the others have none. No
    answer is the span (0, 0).
    """

    name: ClassVar[str] = "span"
    columns: ClassVar[tuple[int, int]] = (4, 4)
    metrics: ClassVar[Mapping[str, Metric]] = SPAN_METRICS
    roles: ClassVar[tuple[Role, ...]] = (
        Role("id", ("id",)),
        Role("context", ("context", "passage")),
        Role("question", ("question",)),
        Role("answers", ("answers",)),
    )
    aliases: ClassVar[tuple[str, ...]] = (
        *("qa", "question-answering", "extractive-qa", "reading-comprehension"),
        *("span", "spans"),
    )
    sample_task: ClassVar[str] = "squad"
    auto_model: ClassVar[str] = "AutoModelForQuestionAnswering"
    torch_half: ClassVar[str] = "bench_lib.harness.formats.question_answering:QuestionAnswering"
    points_at_tokens: ClassVar[bool] = True
    reads_windows: ClassVar[bool] = True
    corrections: ClassVar[frozenset[str]] = frozenset({"answers"})

    def head_outputs(self, labels: int) -> int:
        # A start and an end, whatever the number of labels of a head that a checkpoint was fine-tuned with.
        return 2

    def check_labels(self, labels: Sequence[str], what: str) -> None:
        allowed = f"none, since the answers are spans of the text; or {ANSWERABLE}, where some questions have none"
        require(tuple(labels) in ((), ANSWERABLE), what, tuple(labels), allowed)

    def check_metrics(self, metrics: Sequence[str], labels: Sequence[str], task: str) -> None:
        super().check_metrics(metrics, labels, task)
        for metric in metrics:
            if metric in OF_UNANSWERABLE and not labels:
                raise BenchError(f"metric {metric} of task {task} needs the labels {ANSWERABLE}, and there are none")

    def found_labels(self, rows: Sequence[RowReader]) -> tuple[str, ...]:
        """`ANSWERABLE` where some row has no answer."""
        targets = (row.get(row.columns[-1]) for row in rows)
        return ANSWERABLE if any(isinstance(t, Mapping) and not t.get("text") for t in targets) else ()

    def parse(self, row: RowReader) -> SpanExample:
        name, context, question, target = row.columns
        answers = row.get(target)
        if not isinstance(answers, Mapping) or not {"text", "answer_start"} <= answers.keys():
            raise row.wrong(target, answers, "a struct of two lists, text and answer_start")
        texts, starts = answers["text"] or (), answers["answer_start"] or ()
        if len(texts) != len(starts) or not (texts or row.labels):
            least = "as many texts as answer_start" if row.labels else "at least one text, and as many answer_start"
            raise row.wrong(target, answers, least)
        read = [_answer(row, row.text(context), text, start) for text, start in zip(texts, starts, strict=True)]
        stripped, moved = zip(*read, strict=True) if read else ((), ())
        return SpanExample(row.text(name), row.text(context), row.text(question), stripped, moved)

    def mislabelled(
        self, examples: Sequence[SpanExample], share: float, labels: Sequence[str], generator: np.random.Generator
    ) -> tuple[Example, ...]:
        order = generator.permutation(len(examples)).tolist()
        seeds = generator.integers(2**63, size=len(examples)).tolist()
        asked, found = round(share * len(examples)), list(examples)
        wrong = 0
        for i in order:
            if wrong == asked:
                break
            start = _elsewhere(examples[i], np.random.default_rng(seeds[i]))
            if start is not None:
                found[i], wrong = start, wrong + 1
        if wrong < asked:
            raise Unsupported(f"{asked} answers are to be corrupted, and {wrong} contexts have room for a wrong answer")
        return tuple(found)

    def encoded(self, examples: Sequence[SpanExample]) -> list[Sequence[Text]]:
        return [[example.question.strip() for example in examples], [example.context for example in examples]]

    def answers(self, examples: Sequence[SpanExample], predictions: Predictions) -> Sequence[str]:
        bounds = predictions.values[:, :2].astype(int).tolist()
        return [example.context[start:end] for example, (start, end) in zip(examples, bounds, strict=True)]

    def in_words(self, example: SpanExample, answer: str, labels: Sequence[str]) -> str:
        return answer or "no answer"

    def right_in_words(self, example: SpanExample, labels: Sequence[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(example.answers)) or ("no answer",)

    def codes(self, values: NDArray[np.floating]) -> NDArray[np.integer]:
        spans = values[..., :2].astype(np.int64)
        return np.asarray(spans[..., 0] * (spans.max(initial=0) + 1) + spans[..., 1])

    def constant_score(self, metric: str, labels: Sequence[str], examples: Sequence[SpanExample]) -> float:
        """The score of the best position for all contexts, which begins at word 0 to 4 and is 1 to 4 words long.

        Or that of no answer to any question, where it is higher and some have none.
        """
        kind, counted = CONSTANT[metric], [example for example in examples if example.answers or metric in ("f1", "em")]
        position = best_position(kind, [(e.context, e.answers) for e in counted]) if kind and counted else 0.0
        references = [example.answers for example in examples]
        none = self.metrics[metric](labels, [""] * len(examples), references) if labels else 0.0
        return max(position, none)

    def best_score(self, metric: str, labels: Sequence[str], examples: Sequence[SpanExample]) -> float:
        references = [example.answers for example in examples]
        return self.metrics[metric](labels, best_answers(labels, metric, references), references)


def _answer(row: RowReader, context: str, text: object, start: object) -> tuple[str, int]:
    """An answer without the white space at its ends, and its start."""
    if not isinstance(text, str) or not text.strip():
        raise row.wrong("an answer's text", text, "text that is not blank")
    if type(start) is not int or start < 0:
        raise row.wrong("an answer_start", start, "a character of the context, from 0")
    found = context[start : start + len(text)]
    if found != text:
        raise row.wrong(f"the answer at character {start}", text, f"the text of the context there, {found!r}")
    return text.strip(), start + len(text) - len(text.lstrip())


def _elsewhere(row: SpanExample, generator: np.random.Generator) -> SpanExample | None:
    """The example with a wrong answer, or None where its context has no room for one; to no answer any is wrong."""
    words = [match.span() for match in WORD.finditer(row.context)]
    longest = len(row.answers[0].split()) if row.answers else 1
    for length in range(max(1, longest), 0, -1):
        places = list(_clear(row, words, length))
        for at in generator.permutation(len(places)).tolist():
            start, end = places[at]
            if not exact_match(row.context[start:end], row.answers):
                return replace(row, answers=(row.context[start:end],), starts=(start,))
    return None


def _clear(row: SpanExample, words: Sequence[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    """Runs of `length` words that share no character with an answer, as (start, end) in characters."""
    right = [(start, start + len(text)) for start, text in zip(row.starts, row.answers, strict=True)]
    for (start, _), (_, end) in zip(words, words[length - 1 :], strict=False):
        if all(end <= first or start >= last for first, last in right):
            yield start, end


QUESTION_ANSWERING = QuestionAnswering()
