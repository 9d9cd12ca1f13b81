"""Encoder-decoders that write: what the encoder reads, and what the decoder has before each token of an answer."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from bench_lib.models.stacks import OPENING
from bench_lib.models.wrapped import pretrained_in


def opening_of(model: nn.Module) -> list[int]:
    """The tokens that a model's decoder begins a text with, also inside a wrapper; none for a model of one stack."""
    config: Any = pretrained_in(model).config
    return list(getattr(config, OPENING)) if config.is_encoder_decoder else []


def apart(ids: Tensor, answers: Tensor, opening: list[int]) -> tuple[dict[str, Tensor], Tensor]:
    """The inputs of a model of two stacks, and where its decoder is asked for a token, (batch, written).

    `ids`, (batch, length), are prompts with answers after them, padded on the right. `answers`, likewise, is true where
    the token after it belongs to an answer: from the prompt's last token to the answer's last but one.
    """
    prompts, written = answers.int().argmax(1) + 1, answers.sum(1)  # (batch,) each
    place, first = torch.arange(ids.shape[1], device=ids.device), len(opening) - 1
    read = place[: int(prompts.max())]
    places = torch.arange(first + int(written.max()), device=ids.device)
    # The answer one place further, so that each of its tokens is asked for before it is read. What a shorter answer
    # has after its end is read by none of its tokens.
    own = prompts[:, None] + (places - len(opening)).clamp_min(0)
    begun = ids.new_tensor(opening).index_select(0, places.clamp_max(first)).expand(len(ids), -1)
    inputs = {
        "input_ids": ids[:, : len(read)],
        "attention_mask": (read < prompts[:, None]).long(),
        "decoder_input_ids": ids.gather(1, own.clamp_max(ids.shape[1] - 1)).where(places > first, begun),
    }
    return inputs, (places >= first) & (places < first + written[:, None])
