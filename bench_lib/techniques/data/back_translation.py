"""Back-translation: copies of the training texts, translated to another language and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench_lib.core.errors import Unsupported, require
from bench_lib.tasks.formats import Example, Format
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.interface.training_set import Corpus


@dataclass(frozen=True)
class BackTranslation(
    Technique,
    name="back_translation",
    family="data",
    paper="Sennrich et al. 2016, arXiv:1511.06709",
    identity={"share": 0.0},
    version="2",  # a copy that differs in white space is none, which version 1 counted
    space={"share": (0.25, 0.5, 1.0)},  # our choice
    trimmable=True,
):
    """Copies of a share of the training examples, paraphrased by two translation models, join the training set.

    train <- train + {back(there(x)) : x drawn without replacement, share * |train| of them}

    Sennrich et al. 2016, "Improving Neural Machine Translation Models with Monolingual Data", for translation; on both
    texts of a classified pair and on questions, whose contexts stay, as Xie et al. 2020 (arXiv:1904.12848) use it. One
    copy of every example, which makes an epoch twice as long, is our choice, and so is greedy decoding of whole texts,
    which needs no seed; google-research/uda:back_translate/run.sh goes through French sentence by sentence and draws
    words at temperature 0.8, which gives more various copies. A copy that says the same is left out. The models are
    Marian's by what they are: `owner/model@COMMIT` on the hub, `FOLDER@DIGEST`, where `FOLDER@` alone is answered with
    the digest. The defaults' commits are those that public code pins; no run of ours has read them. Translations are
    kept on disk.
    """

    share: float = bounded(1.0, "[0, 1]")
    there: str = "Helsinki-NLP/opus-mt-en-de@6183067f769a302e3861815543b9f312c71b0ca4"
    back: str = "Helsinki-NLP/opus-mt-de-en@1a922f3b32a8e809e17a47d4b32142d8105924e5"

    def __post_init__(self) -> None:
        super().__post_init__()
        for field in ("there", "back"):
            name, allowed = getattr(self, field), "owner/model@COMMIT, or FOLDER@DIGEST"
            require("@" in name, f"back_translation:{field}", name, allowed)

    def draws(self) -> tuple[str, ...]:
        return ("augment",) if self.share < 1 else ()

    def declines(self, task_format: Format) -> str | None:
        return "nothing says which word of a translation has which tag" if task_format.labels_words else None

    def augment(self, corpus: Corpus) -> Sequence[Example]:
        size = round(self.share * len(corpus.train))
        if not size:
            return corpus.train
        corpus.check_rewording(self.name)
        if self.there == type(self).there:
            corpus.check_english(self.name)
        drawn = [corpus.train[i] for i in sorted(corpus.generator.permutation(len(corpus.train))[:size].tolist())]
        texts = [text for example in drawn for text in example.rewordable]
        if not any(map(str.strip, texts)):
            raise Unsupported(f"{self.name} declines this task: a translation would lose the target inside each text")
        said = self._translated(texts, corpus)
        copies = [copy for example in drawn if (copy := _reworded(example, said)) != example]
        corpus.report(self.name, "copies", len(copies))
        return [*corpus.train, *copies]

    def _translated(self, texts: Sequence[str], corpus: Corpus) -> dict[str, str]:
        if corpus.translator is None:
            raise Unsupported("there is nothing to translate with")
        distinct = list(dict.fromkeys(text for text in texts if text.strip()))
        returned = corpus.translator(self.back)(corpus.translator(self.there)(distinct))
        return dict(zip(distinct, returned, strict=True))


def _reworded(example: Example, said: Mapping[str, str]) -> Example:
    """The example with its texts translated back; an empty translation is ignored."""
    return example.reworded({text: _otherwise(text, said.get(text, "").strip()) for text in example.rewordable})


def _otherwise(text: str, back: str) -> str:
    """The back-translation, or the text itself where it is empty or differs in white space only."""
    return text if back.split() in ([], text.split()) else back
