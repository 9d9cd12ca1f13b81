"""Prompts: texts tokenised as cloze questions, or up to the word to add, and the model that answers them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Ref
from bench_lib.harness.formats.features import Feature
from bench_lib.models.load import load_tokenizer
from bench_lib.models.pretrained import Pretrained
from bench_lib.models.prompted import PromptedModel, mask_id, spaced, word_ids
from bench_lib.models.word_head import word_head
from bench_lib.tasks.formats import Example
from bench_lib.tasks.task import Task
from bench_lib.techniques.interface.cloze import Piece
from bench_lib.techniques.interface.hooks import Prompts

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Glued = tuple[Piece, bool]
"""A piece, and whether it follows another one without a space."""


@dataclass(frozen=True, eq=False)
class Frame:
    """The special tokens around a single text, and its segment; None where the model has none."""

    before: np.ndarray
    after: np.ndarray
    segment: int | None

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Frame:
        """The frame that a tokenizer puts around a text."""
        framed = tokenizer("a", return_special_tokens_mask=True)
        inside = np.flatnonzero(np.array(framed["special_tokens_mask"]) == 0)
        ids, types = np.array(framed["input_ids"]), framed.get("token_type_ids")
        return cls(ids[: inside[0]], ids[inside[-1] + 1 :], None if types is None else types[inside[0]])

    def feature(self, item: int, tokens: np.ndarray, mask: int | None, label: int) -> Feature:
        """The sequence of a prompt; the class is read from its mask, a special token, or without one from its end."""
        after = self.after if mask is not None else self.after[:0]
        ids = np.concatenate([self.before, tokens, after])
        special = np.ones(len(ids), dtype=bool)
        special[len(self.before) : len(ids) - len(after)] = tokens == mask
        places = np.array([len(ids) - 1]) if mask is None else np.flatnonzero(ids == mask)
        assert len(places) == 1, f"a prompt has one mask, and this one {len(places)}"
        segments = None if self.segment is None else np.full(len(ids), self.segment)
        return Feature(item, ids, segments, special, np.array([label]), places, np.array([0]))


def encode_prompts(
    prompts: Prompts, task: str, examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> list[Feature]:
    """Tokenise examples as a technique's prompts; where one is too long, its text is cut, never its template."""
    mask, frame = mask_id(tokenizer, prompts.name, tokenizer.name_or_path), Frame.of(tokenizer)
    asked = [prompts.prompt(task, example) for example in examples]
    if mask is None:
        asked = [_up_to_the_word(pieces, prompts.name) for pieces in asked]
    known = _tokens({glued for pieces in asked for glued in _glued(pieces)}, tokenizer, max_length)
    room = max_length - len(frame.before) - len(frame.after)
    features = []
    for item, (example, pieces) in enumerate(zip(examples, asked, strict=True)):
        tokens = [known[glued] for glued in _glued(pieces)]
        fitting = _fitting([piece.cut for piece in pieces], tokens, room)
        features.append(frame.feature(item, np.concatenate(fitting), mask, example.reference))
    return features


def _up_to_the_word(pieces: Sequence[Piece], technique: str) -> Sequence[Piece]:
    """What stands before the mask of a cloze question, for a model that adds the next word."""
    place = next(i for i, piece in enumerate(pieces) if piece.mask)
    if any(piece.cut for piece in pieces[place:]):
        raise Unsupported(
            f"{technique} has a text after the word that this model is to add, which it would not have read; "
            "give a template that ends with {mask}"
        )
    return pieces[:place]


def _fitting(cut: Sequence[bool], tokens: list[np.ndarray], room: int) -> list[np.ndarray]:
    """The tokens of the pieces, cut to fit: at their ends, the longest first, and only pieces that may be cut."""
    texts = [i for i, loose in enumerate(cut) if loose]
    left = room - sum(len(each) for i, each in enumerate(tokens) if i not in texts)
    if left < len(texts):
        raise Unsupported(f"the template leaves no room for the text in {room} tokens; raise max_length")
    kept = list(tokens)
    for rank, i in enumerate(sorted(texts, key=lambda i: len(tokens[i]))):
        kept[i] = tokens[i][: left // (len(texts) - rank)]
        left -= len(kept[i])
    return kept


def _glued(pieces: Sequence[Piece]) -> list[Glued]:
    return [(piece, place > 0 and not piece.words.startswith(" ")) for place, piece in enumerate(pieces)]


def _tokens(pieces: set[Glued], tokenizer: PreTrainedTokenizerBase, length: int) -> dict[Glued, np.ndarray]:
    """The tokens of each piece, up to a sequence's length; masks within texts are left out."""
    ordered = [*pieces]
    # A causal model's tokenizer has no mask; the end of a text, which it has, does as well here.
    anchor = tokenizer.mask_token or tokenizer.eos_token or tokenizer.bos_token
    mask = tokenizer.convert_tokens_to_ids(anchor)
    # A piece without a space before it is read behind a mask: alone, some tokenizers would begin a word.
    texts = [f"{anchor}{piece.words}" if glued else spaced(tokenizer, piece.words) for piece, glued in ordered]
    found = tokenizer(texts, add_special_tokens=False, truncation=True, max_length=length)["input_ids"]
    pairs = zip(ordered, found, strict=True)
    kept = {each: [mask] if each[0].mask else [i for i in ids if i != mask] for each, ids in pairs}
    return {each: np.array(ids, dtype=np.int64) for each, ids in kept.items()}


def prompted_model(
    model: PreTrainedModel, pretrained: Pretrained, ref: Ref, task: Task, prompts: Prompts, keep_head: bool
) -> PromptedModel:
    """The body of a model with the pre-trained head for words, which `pretrained` then includes.

    Raises `Unsupported` where the checkpoint holds no head for it, or the words do not fit the labels or the tokenizer.
    """
    tokenizer = load_tokenizer(ref)
    if keep_head:
        raise Unsupported(f"{prompts.name} answers by the head for words, where keep_head asks for another")
    head = word_head(ref)
    if head is None:
        raise Unsupported(
            f"{prompts.name} needs the head for words that a model was pre-trained with, and the checkpoint holds none"
        )
    words = prompts.label_words(task.name)
    if len(words) != len(task.labels):
        raise Unsupported(
            f"{prompts.name} has the {len(words)} words {', '.join(words)} for the {len(task.labels)} labels "
            f"{', '.join(task.labels)} of {task.name}; give one for each"
        )
    mask = mask_id(tokenizer, prompts.name, ref.name)
    answering = PromptedModel(model, head, mask, word_ids(tokenizer, words))
    pretrained.answer_with_words(answering)
    return answering
