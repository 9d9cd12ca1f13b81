"""Prompt-based fine-tuning, as LM-BFF: words stand for the classes, and no new head is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench_lib.core.errors import Unsupported, require
from bench_lib.tasks.formats import Example, Format
from bench_lib.techniques.interface.cloze import Piece, check_template, filled
from bench_lib.techniques.interface.technique import Technique

SENTIMENT = ("{text} It was {mask}.", "terrible great")
PROMPTS = {
    "sst2": SENTIMENT,
    "imdb": SENTIMENT,
    "cola": ("{text} This is {mask}.", "incorrect correct"),
    "mrpc": ("{text} {mask}, {pair_lower}", "No Yes"),
    "rte": ("{text_open}? {mask}, {pair_lower}", "Yes No"),
}
"""The template of each task, and the words for its labels in their order."""


@dataclass(frozen=True)
class LMBFF(
    Technique,
    name="lm_bff",
    family="data",
    paper="Gao et al. 2021, arXiv:2012.15723",
    identity=None,
    no_identity="a text is in a prompt or is not, and words answer or a new head; its test shows the published logits",
    no_trimming="its head for words has a row for every token",
):
    """A text fills a template with one mask, and the checkpoint's own head predicts which label's word is there.

    x' = template(x),  p(y | x) = exp(s(w_y)) / sum over classes c of exp(s(w_c)),
    s(w) = the score of the word w by the head for masked words, from the last hidden state at the mask

    Gao et al. 2021, "Making Pre-trained Language Models Better Few-shot Learners", with a manual template and no
    demonstrations. Everything trains, the head too, whose decoder is the word embeddings; nothing is new, so that seeds
    differ in order and dropout alone. The templates and words are the authors', and imdb has those of their MR and CR.
    All is of one segment; where it is too long the text is cut, and not the template. Words are read with a space
    before them and must be one token each. Own ones are given as `template` and `words`: the template holds `{mask}`
    and `{text}` or `{pair}`, these also as `{text_open}`, without the last character, and `{text_lower}`, with the
    first letter lowered. A causal model predicts the word after what stands before the mask, so that its template may
    hold no text behind it. A stack that is given as text has no colon, comma or plus sign in it. The paper trains 1,000
    steps on 16 examples of each class, and takes the best of the rates 1e-5, 2e-5 and 5e-5 and of batches of 2, 4 and 8
    on as many held-out ones; here the rate is the profile's. In a stack tapt teaches the same head. minilm holds none;
    BERT and RoBERTa as they were published do.
    Source: princeton-nlp/LM-BFF:run_experiment.sh, src/models.py, src/dataset.py; its class for BERT cannot run, and
    there both texts of a pair have limits of their own, where the longer one is cut here.
    """

    template: str = ""
    words: str = ""

    def __post_init__(self) -> None:
        if self.template:
            check_template(self.template, "lm_bff:template")
        repeated = len({*self.words.split()}) < len(self.words.split())
        require(not repeated, "lm_bff:words", self.words, "a word of its own for each label, with spaces between")

    def declines(self, task_format: Format) -> str | None:
        return None if task_format.labels_texts else "the one masked word of a template answers for one class of a text"

    def prompt(self, task: str, example: Example) -> Sequence[Piece]:
        return filled(self.template or self._known(task)[0], example)

    def label_words(self, task: str) -> Sequence[str]:
        return (self.words or self._known(task)[1]).split()

    def _known(self, task: str) -> tuple[str, str]:
        if task not in PROMPTS:
            raise Unsupported(f"lm_bff has templates for {', '.join(PROMPTS)}; for {task} give both template and words")
        return PROMPTS[task]
