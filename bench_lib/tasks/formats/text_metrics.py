"""Metrics of written text, as fractions, each the better the higher: overlap with references, likelihood, and form.

sacrebleu and rouge-score are packages of the extra `generation`, and imported by the metrics that need them.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from statistics import fmean
from typing import Any, NamedTuple

from bench_lib.core.extras import optional

ENGLISH = "English"
BLEU_TOKENIZERS = {
    "Chinese": "zh",
    **dict.fromkeys((ENGLISH, "German", "French", "Spanish", "Italian", "Dutch", "Portuguese", "Romanian"), "13a"),
    **dict.fromkeys(("Czech", "Polish", "Russian", "Swedish", "Danish", "Finnish", "Turkish"), "13a"),
}
"""The tokenizer of sacrebleu for each language; others, such as Japanese, have words that these do not tell apart."""
LANGUAGES: Mapping[str, Sequence[str]] = {
    "bleu": tuple(BLEU_TOKENIZERS),
    **dict.fromkeys(("rouge_1", "rouge_2", "rouge_l"), (ENGLISH,)),
}
"""The languages whose words a metric can tell apart, where it needs them: rouge-score keeps a to z and digits alone."""
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?|-?\.\d+")
FINAL = "####"
"""What stands before the final number in GSM8K."""
LOOP = re.compile(r"(.{1,60}?)\1{3,}\Z", re.DOTALL)
"""A text that ends with one piece four times or more."""
LOOKED_AT = 250
"""Characters at an output's end that are searched for a loop: four times the longest piece."""


class Written(NamedTuple):
    """An output: its text, whether it ended before the limit, and how likely the model holds the references.

    `nll` is the negative log-likelihood of all `tokens` of its references, in nats.
    """

    text: str
    ended: bool = True
    nll: float = 0.0
    tokens: int = 1
    language: str = ENGLISH

    @property
    def loops(self) -> bool:
        """Whether it repeats itself without an end."""
        return not self.ended and LOOP.search(self.text[-LOOKED_AT:]) is not None


References = Sequence[Sequence[str]]
"""The references of each output, one or several."""


def bleu(_labels: Sequence[str], outputs: Sequence[Written], references: References) -> float:
    """Corpus BLEU, with the language's tokenizer of sacrebleu and its usual smoothing."""
    return _corpus(BLEU_TOKENIZERS[outputs[0].language], outputs, references)


def chrf(_labels: Sequence[str], outputs: Sequence[Written], references: References) -> float:
    """Corpus chrF: the F2 of pieces of 1 to 6 characters."""
    return _corpus("", outputs, references)


def _corpus(tokenizer: str, outputs: Sequence[Written], references: References) -> float:
    metric = _prepared(tokenizer, tuple(tuple(own) for own in references))
    score: float = metric.corpus_score([output.text for output in outputs], None).score
    return min(1.0, score / 100)  # the geometric mean of BLEU is rounded


@functools.lru_cache(maxsize=4)
def _prepared(tokenizer: str, references: tuple[tuple[str, ...], ...]) -> Any:
    """BLEU with a tokenizer, or else chrF, which has read these references: they are scored against many times."""
    # Streams of references: the first of each output, the second, and so on, None where it has no more.
    streams: list[Any] = [
        [own[i] if i < len(own) else None for own in references] for i in range(max(map(len, references)))
    ]
    with optional("sacrebleu"):
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    if not tokenizer:
        return CHRF(references=streams)
    # `force` only mutes a warning of blanks before punctuation, which some data sets have.
    return BLEU(tokenize=tokenizer, force=True, references=streams)


def _rouge(kind: str) -> Callable[[Sequence[str], Sequence[Written], References], float]:
    def metric(_labels: Sequence[str], outputs: Sequence[Written], references: References) -> float:
        with optional("rouge_score"):
            from rouge_score.rouge_scorer import RougeScorer
        score = RougeScorer([kind], use_stemmer=True).score_multi
        pairs = zip(outputs, references, strict=True)
        return fmean(score(own, output.text)[kind].fmeasure for output, own in pairs)

    metric.__doc__ = f"The mean F1 of {kind} over the outputs, stemmed, each against its best reference."
    return metric


def final_number(_labels: Sequence[str], outputs: Sequence[Written], references: References) -> float:
    """The share of outputs whose final number is that of a reference."""
    pairs = zip(outputs, references, strict=True)
    return fmean(last_number(output.text) in {*map(last_number, own)} - {None} for output, own in pairs)


def last_number(text: str) -> Decimal | None:
    """The number after the last `####`, or else the last one of a text; None where there is none."""
    _, mark, tail = text.rpartition(FINAL)
    found = NUMBER.findall(tail)[:1] if mark else NUMBER.findall(text)[-1:]
    return Decimal(found[0].replace(",", "")) if found else None


def likelihood(_labels: Sequence[str], outputs: Sequence[Written], _references: References) -> float:
    """The geometric mean of the probabilities of the references' tokens: the inverse of their perplexity."""
    total, tokens = math.fsum(output.nll for output in outputs), sum(output.tokens for output in outputs)
    return math.exp(-total / tokens) if math.isfinite(total) else 0.0


def nonempty(_labels: Sequence[str], outputs: Sequence[Written], _references: References) -> float:
    """The share of outputs that are not blank."""
    return fmean(bool(output.text.strip()) for output in outputs)


def ended(_labels: Sequence[str], outputs: Sequence[Written], _references: References) -> float:
    """The share of outputs that end before the limit of tokens."""
    return fmean(output.ended for output in outputs)


def unrepeated(_labels: Sequence[str], outputs: Sequence[Written], _references: References) -> float:
    """The share of outputs that do not repeat themselves up to the limit of tokens."""
    return fmean(not output.loops for output in outputs)


OVERLAP = {
    "bleu": bleu,
    "chrf": chrf,
    "rouge_1": _rouge("rouge1"),
    "rouge_2": _rouge("rouge2"),
    "rouge_l": _rouge("rougeL"),
    "final_number": final_number,
}
"""The metrics that compare outputs with references; one of them is primary."""
FORM = {"likelihood": likelihood, "nonempty": nonempty, "ended": ended, "unrepeated": unrepeated}
TEXT_METRICS = {**OVERLAP, **FORM}
