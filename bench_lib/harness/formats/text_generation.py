"""Text generation in torch: the loss of the references' tokens, and outputs written greedily."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench_lib.core.errors import Unsupported
from bench_lib.core.record import Predictions
from bench_lib.harness.formats.base import TorchFormat
from bench_lib.harness.formats.features import IGNORED, Batch, Feature, padded
from bench_lib.models.causal import end_of_text
from bench_lib.models.encoder_decoder import apart, opening_of
from bench_lib.models.interventions import head_reads
from bench_lib.models.stacks import ENDS
from bench_lib.tasks.formats.text_generation import GenerationExample, packed
from bench_lib.tasks.formats.text_metrics import Written
from bench_lib.techniques.interface.context import Output

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class TextGeneration(TorchFormat):
    """A row of logits for each token of a reference, and for the end of the text after it.

    The target of a token is the one after it. A prompt that is too long loses the beginning of its input, so that
    `answer_tokens` are left for the answer and the text around the input is whole; an answer of more tokens loses its
    end. With `chat` the prompt is a user's message in the model's chat template. In a model of two stacks the encoder
    reads the prompt up to the end of its text, and the decoder writes the answer.
    """

    chat: bool = False
    answer_tokens: int = 64

    def under(self, chat: bool, answer_tokens: int) -> TextGeneration:
        return replace(self, chat=chat, answer_tokens=answer_tokens)

    def encode(
        self, examples: Sequence[GenerationExample], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> list[Feature]:
        """A feature for each reference of each example."""
        room, end = max_length - self.answer_tokens, end_of_text(tokenizer)
        special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
        marks = np.array(sorted(special - {tokenizer.unk_token_id}))
        prompts = [self._prompt(example, tokenizer, room) for example in examples]
        spaced = [f"{self._space(example, tokenizer)}{text}" for example in examples for text in example.references]
        answers = iter(tokenizer(spaced, add_special_tokens=False)["input_ids"])
        return [
            self._feature(item, prompts[item], [*next(answers), end], marks)
            for item, example in enumerate(examples)
            for _ in example.references
        ]

    def check(
        self, examples: Sequence[GenerationExample], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> None:
        """Raise `Unsupported` where what stands around an input leaves no room for it, or no chat template fits it.

        One prompt is looked at for each text around inputs, which a task has one of; `encode` looks at every prompt.
        """
        for example in {(each.before, each.after): each for each in examples}.values():
            self._prompt(example, tokenizer, max_length - self.answer_tokens)

    def _space(self, example: GenerationExample, tokenizer: PreTrainedTokenizerBase) -> str:
        """What stands between prompt and answer: nothing after a line or a template, or apart from it; else a space."""
        return "" if self.chat or hasattr(tokenizer, ENDS) or example.prompt[-1:].isspace() else " "

    def _prompt(self, example: GenerationExample, tokenizer: PreTrainedTokenizerBase, room: int) -> np.ndarray:
        """The tokens of a prompt, without those of its input's beginning that do not fit."""
        before, after = self._around(example, tokenizer)
        encoded = tokenizer(
            f"{before}{example.text}{after}",
            add_special_tokens=not self.chat,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
            verbose=False,
        )
        ids, special = np.array(encoded["input_ids"]), np.array(encoded["special_tokens_mask"], dtype=bool)
        starts, ends = np.array(encoded["offset_mapping"]).T
        # Special tokens after a text are none of a prompt that goes on.
        ending = 0 if hasattr(tokenizer, ENDS) else special[::-1].argmin()
        kept = np.arange(len(ids)) < len(ids) - ending
        own = np.flatnonzero(~special & (ends > len(before)) & (starts < len(before) + len(example.text)))
        excess = int(kept.sum()) - room
        if excess >= max(1, len(own)):
            raise Unsupported(
                f"a prompt has {int(kept.sum()) - len(own)} tokens around its input, which leaves none for the input "
                f"in {room} (max_length less answer_tokens, {self.answer_tokens}); raise the former or lower the latter"
            )
        kept[own[: max(0, excess)]] = False
        return ids[kept]

    def _around(self, example: GenerationExample, tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
        if not self.chat:
            return example.before, example.after
        if not tokenizer.chat_template:
            raise Unsupported("the model's tokenizer has no chat template; use chat_template=False")
        message = [{"role": "user", "content": example.prompt}]
        whole = str(tokenizer.apply_chat_template(message, tokenize=False, add_generation_prompt=True))
        place = whole.rfind(example.prompt.strip())
        if place < 0:
            raise Unsupported("the model's chat template changes the prompt; use chat_template=False")
        start = place + len(example.before) - _indent(example.prompt)
        return whole[:start], whole[start + len(example.text) :]

    def _feature(self, item: int, prompt: np.ndarray, answer: Sequence[int], marks: np.ndarray) -> Feature:
        written = np.array(answer[: self.answer_tokens])
        ids = np.concatenate([prompt, written])
        spots = np.arange(len(prompt) - 1, len(ids) - 1)
        targets = np.full(len(ids), IGNORED)
        targets[spots] = written
        return Feature(
            item=item,
            input_ids=ids,
            token_types=None,
            special=np.isin(ids, marks),
            targets=targets,
            spots=spots,
            places=written,
            row=len(ids) - 1,
        )

    def targets(self, features: Sequence[Feature], length: int) -> Tensor:
        return padded([feature.targets for feature in features], length, IGNORED)

    def taken_targets(self, inputs: dict[str, Tensor]) -> Tensor:
        """Labels stand at their own tokens, targets at those before."""
        return F.pad(inputs.pop("labels")[:, 1:], (0, 1), value=IGNORED)

    def counted(self, targets: Tensor) -> int:
        return int((targets != IGNORED).sum())

    def inputs(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return self._asked(model, batch)[0]

    def _asked(self, model: nn.Module, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """What a model reads, and the places at which it is asked for a token, (batch, places)."""
        counted, opening = batch.targets != IGNORED, opening_of(model)
        return apart(batch.inputs["input_ids"], counted, opening) if opening else (batch.inputs, counted)

    def forward(self, model: nn.Module, batch: Batch) -> Any:
        inputs, places = self._asked(model, batch)
        with head_reads(model, places):
            return model(**inputs)

    def output(self, raw: Any, batch: Batch) -> Output:
        counted = batch.targets != IGNORED  # (batch, length)
        return Output((raw.logits.float(),), (batch.targets[counted],), counted)

    def table(self, raw: Any, batch: Batch) -> Tensor:
        """The negative log-likelihood of each token of a reference, 0 elsewhere, (batch, length)."""
        found = self.output(raw, batch)
        (logits,), (targets,) = found.logits, found.targets
        losses = torch.zeros(batch.targets.shape, device=logits.device)
        losses[found.places] = F.cross_entropy(logits, targets, reduction="none")
        return losses

    def decode(
        self,
        examples: Sequence[GenerationExample],
        features: Sequence[Feature],
        outputs: Sequence[np.ndarray],
        labels: Sequence[str],
    ) -> Predictions:
        """The likelihood of the references of each example, and no text yet."""
        return packed(list(self._likelihoods(examples, features, outputs)))

    def _likelihoods(
        self, examples: Sequence[GenerationExample], features: Sequence[Feature], outputs: Sequence[np.ndarray]
    ) -> Iterator[Written]:
        totals, tokens = np.zeros(len(examples)), np.zeros(len(examples), dtype=np.int64)
        for feature, losses in zip(features, outputs, strict=True):
            totals[feature.item] += losses.sum(dtype=np.float64)
            tokens[feature.item] += len(losses)
        for total, count in zip(totals.tolist(), tokens.tolist(), strict=True):
            yield Written("", False, total, count)

    def completed(
        self, examples: Sequence[GenerationExample], found: Predictions, texts: Sequence[tuple[str, bool]]
    ) -> Predictions:
        """Predictions with the texts that were written, up to the task's first stop, and whether each ended."""
        assert found.lengths is not None, "predictions of texts have the length of each"
        rows = np.split(found.values[:, 0], np.cumsum(found.lengths)[:-1])
        return packed(
            [
                Written(*_stopped(text, ended, example.stops), float(row[0]), int(row[1]))
                for example, row, (text, ended) in zip(examples, rows, texts, strict=True)
            ]
        )


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _stopped(text: str, ended: bool, stops: Sequence[str]) -> tuple[str, bool]:
    places = [place for place in (text.find(stop) for stop in stops) if place >= 0]
    return (text[: min(places)].rstrip(), True) if places else (text, ended)
