"""Text generation: a prompt, and one or several texts that would be right to write after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.errors import BadValue, Unsupported, require
from bench_lib.core.record import Predictions
from bench_lib.tasks.formats.base import Example, Format, Metric, Role, Text
from bench_lib.tasks.formats.constant_texts import best_constant
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.text_metrics import FORM, LANGUAGES, OVERLAP, TEXT_METRICS, Written
from bench_lib.tasks.formats.word_edits import Passage, joined, split
from bench_lib.tasks.formats.writing import Writing

HEAD = 3
"""Numbers of an output before its text: the references' negative log-likelihood, their tokens, and 1 if it ended."""
USUAL = ("bleu", "chrf", "rouge_l")
"""Metrics of overlap of tasks that name none, where the language has them."""
TURNS = "\n"
"""What stands between the turns of a dialogue."""


@dataclass(frozen=True)
class GenerationExample(Example):
    """An input with the text before and after it, which together are the prompt, and its references.

    An output ends before the first of the `stops`. `language` is that of the references.
    """

    text: str
    references: tuple[str, ...]
    before: str = ""
    after: str = ""
    stops: tuple[str, ...] = ()
    language: str = "English"

    @property
    def format(self) -> Format:
        return TEXT_GENERATION

    @property
    def prompt(self) -> str:
        return f"{self.before}{self.text}{self.after}"

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.text,)

    @property
    def reference(self) -> tuple[str, ...]:
        return self.references

    @property
    def accepted_answers(self) -> frozenset[str]:
        return frozenset(self.references)

    def passages(self, labels: Sequence[str]) -> tuple[Passage, ...]:
        """The input alone: neither the text around it nor a reference may be edited."""
        return (split(self.text),)

    def rewritten(self, changed: Sequence[Passage], labels: Sequence[str]) -> GenerationExample:
        (words,) = changed
        return self if words == split(self.text) else replace(self, text=joined(words)[0])

    @property
    def rewordable(self) -> tuple[str, ...]:
        return (self.text,)

    def reworded(self, paraphrases: Mapping[str, str]) -> GenerationExample:
        return replace(self, text=paraphrases[self.text])


class TextGeneration(Format):
    """A text for each prompt.

    Stored predictions have a row for each number of an output: its `HEAD`, then its characters as code points, so that
    it is scored again without the model's tokenizer.
    """

    name: ClassVar[str] = "generation"
    columns: ClassVar[tuple[int, int]] = (1, 2)
    metrics: ClassVar[Mapping[str, Metric]] = TEXT_METRICS
    roles: ClassVar[tuple[Role, ...]] = (
        Role(
            "text",
            (
                *("text", "input", "prompt", "instruction", "question", "source", "article", "document", "dialogue"),
                *("context", "passage", "meaning_representation"),
            ),
        ),
        Role(
            "answer",
            (
                *("answer", "summary", "response", "translation", "output", "completion", "reply", "highlights"),
                *("reference", "references", "human_reference"),
            ),
        ),
    )
    recognised_last: ClassVar[bool] = True
    aliases: ClassVar[tuple[str, ...]] = (
        *("generation", "text-generation", "instruction-tuning", "sft", "data-to-text", "summarisation"),
        *("summarization", "translation", "dialogue"),
    )
    sample_task: ClassVar[str] = "e2e_nlg"
    sample_model: ClassVar[str] = "tiny-llama"
    auto_model: ClassVar[str] = "AutoModelForCausalLM"
    torch_half: ClassVar[str] = "bench_lib.harness.formats.text_generation:TextGeneration"
    writes_text: ClassVar[bool] = True

    def check_labels(self, labels: Sequence[str], what: str) -> None:
        require(not labels, what, tuple(labels), "none, since the answers are texts")

    def check_metrics(self, metrics: Sequence[str], labels: Sequence[str], task: str) -> None:
        super().check_metrics(metrics, labels, task)
        what = f"primary metric of task {task} ({self})"
        require(metrics[0] not in FORM, what, metrics[0], f"one that compares with references: {', '.join(OVERLAP)}")

    def check_writing(self, writing: Writing, language: str, metrics: Sequence[str], task: str) -> None:
        for metric in metrics:
            known = LANGUAGES.get(metric, (language,))
            if language not in known:
                what = f"language of the answers of task {task}, which {metric} would have to tell the words of"
                raise BadValue(what, language, f"{', '.join(known)}; chrf needs no words")

    def may_predict(self, values: Sequence[Any]) -> bool:
        each = (text for value in values for text in (value if isinstance(value, (list, tuple)) else [value]))
        return any(isinstance(text, str) for text in each)

    def usual_metrics(self, language: str) -> tuple[str, ...]:
        """Those of overlap that can tell the words of the language, the first counts, and all of form."""
        overlap = (metric for metric in USUAL if language in LANGUAGES.get(metric, (language,)))
        return (*overlap, *FORM)

    def parse(self, row: RowReader) -> GenerationExample | None:
        """The example of a row: an input and its references, or one column with the turns of a dialogue.

        A column of references holds one, or a list of them. Of a dialogue the last turn is the reference. Carriage
        returns become line feeds.
        """
        text, references = _turns(row) if len(row.columns) == 1 else _columns(row)
        if not text.strip():
            if row.writing.drops_blank:
                return None
            raise row.wrong(row.columns[0], text, "text that is not blank")
        for answer, stop in product(references, row.writing.stops):
            if stop in answer:
                raise row.wrong(row.columns[-1], answer, f"a text without {stop!r}, before which an output is cut")
        before, after = row.writing.around
        return GenerationExample(text, references, before, after, row.writing.stops, row.writing.language)

    def evaluated(self, examples: Sequence[GenerationExample]) -> Sequence[Example]:
        """One example for each prompt, with the references of all rows that have it, each once."""
        references: dict[str, dict[str, None]] = {}
        for example in examples:
            references.setdefault(example.prompt, {}).update(dict.fromkeys(example.references))
        first = {example.prompt: example for example in reversed(examples)}
        return tuple(replace(first[prompt], references=tuple(own)) for prompt, own in references.items())

    def mislabelled(
        self, examples: Sequence[GenerationExample], share: float, labels: Sequence[str], generator: np.random.Generator
    ) -> tuple[Example, ...]:
        """A share of the examples have the references of another one, of which none is right for them."""
        order = generator.permutation(len(examples)).tolist()
        starts = generator.integers(len(examples), size=len(examples)).tolist()
        found = list(examples)
        for i in order[: round(share * len(examples))]:
            others = (examples[(starts[i] + step) % len(examples)] for step in range(len(examples)))
            other = next((one for one in others if not {*one.references} & {*examples[i].references}), None)
            if other is None:
                raise Unsupported("no reference can be corrupted: all examples share theirs")
            found[i] = replace(examples[i], references=other.references)
        return tuple(found)

    def encoded(self, examples: Sequence[GenerationExample]) -> list[Sequence[Text]]:
        return [[example.prompt for example in examples], [example.references[0] for example in examples]]

    def answers(self, examples: Sequence[GenerationExample], predictions: Predictions) -> Sequence[Written]:
        return [
            Written(text_of(own), bool(own[2]), float(own[0]), int(own[1]), example.language)
            for example, own in zip(examples, _each(predictions), strict=True)
        ]

    def in_words(self, example: GenerationExample, answer: Written, labels: Sequence[str]) -> str:
        return answer.text or "nothing"

    def right_in_words(self, example: GenerationExample, labels: Sequence[str]) -> tuple[str, ...]:
        return example.references

    def codes(self, values: NDArray[np.floating]) -> NDArray[np.integer]:
        raise Unsupported("outputs of several runs have different lengths; ask for `item_codes`")

    def item_codes(self, found: Sequence[Predictions]) -> NDArray[np.integer] | None:
        """A number for each text that occurs, whatever its likelihood: (runs, items)."""
        outputs = [[tuple(own[HEAD:].tolist()) for own in _each(one)] for one in found]
        if len({len(one) for one in outputs}) > 1:
            return None
        numbers: dict[tuple[float, ...], int] = {}
        return np.array([[numbers.setdefault(text, len(numbers)) for text in one] for one in outputs])

    def constant_score(self, metric: str, labels: Sequence[str], examples: Sequence[GenerationExample]) -> float:
        """The score of the best constant output, or of every input copied, whichever is higher."""
        pairs = [(example.text, example.references) for example in examples]
        return best_constant(metric, pairs, examples[0].language)

    def best_score(self, metric: str, labels: Sequence[str], examples: Sequence[GenerationExample]) -> float:
        right = [Written(example.references[0], language=example.language) for example in examples]
        return self.metrics[metric](labels, right, [example.references for example in examples])

    def why_no_room(self, metric: str) -> str:
        return "; answers of fewer than four words have no BLEU: make chrf the first metric" if metric == "bleu" else ""


def packed(outputs: Sequence[Written]) -> Predictions:
    """Outputs as predictions."""
    rows = [[output.nll, output.tokens, output.ended, *map(ord, output.text)] for output in outputs]
    values = np.array([number for row in rows for number in row], dtype=np.float32)
    return Predictions(values[:, None], np.array([len(row) for row in rows], dtype=np.int32))


def text_of(numbers: NDArray[np.floating]) -> str:
    """The text of an output, of its numbers."""
    return "".join(map(chr, numbers[HEAD:].astype(int).tolist()))


def _each(predictions: Predictions) -> list[NDArray[Any]]:
    assert predictions.lengths is not None, "predictions of texts have the length of each"
    return np.split(predictions.values[:, 0], np.cumsum(predictions.lengths)[:-1])


def _turns(row: RowReader) -> tuple[str, tuple[str, ...]]:
    (column,) = row.columns
    turns = row.items(column)
    if len(turns) < 2 or not all(isinstance(turn, str) and turn.strip() for turn in turns):
        raise row.wrong(column, turns, "a list of two turns or more, texts that are not blank")
    *history, last = (_line_feeds(turn).strip() for turn in turns)
    return TURNS.join(history), (last,)


def _columns(row: RowReader) -> tuple[str, tuple[str, ...]]:
    column, target = row.columns
    value = row.get(target)
    references = value if isinstance(value, (list, tuple)) else [value]
    if not references or not all(isinstance(text, str) and text.strip() for text in references):
        raise row.wrong(target, value, "a text that is not blank, or a list of such texts")
    kept = dict.fromkeys(_line_feeds(text).strip() for text in references)
    return _line_feeds(row.text(column)).strip(), tuple(kept)


def _line_feeds(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


TEXT_GENERATION = TextGeneration()
