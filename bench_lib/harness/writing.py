"""What a model writes after prompts: greedily, in batches, with the keys and values of what was read kept."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench_lib.harness.datasets import Evaluation
from bench_lib.harness.formats.features import padded
from bench_lib.models.causal import end_of_text
from bench_lib.models.encoder_decoder import opening_of
from bench_lib.models.wrapped import pretrained_in
from bench_lib.techniques.interface.context import Training


def written(
    training: Training, evaluation: Evaluation, pad_id: int, stops: Sequence[str] = ()
) -> list[tuple[str, bool]]:
    """The text that the model writes for each example, and whether it ended it within `answer_tokens`.

    A text that has one of the `stops` is not gone on with. In evaluation mode; the model is left in training mode.
    """
    tokenizer, size = evaluation.tokenizer, training.profile.eval_batch_size
    assert tokenizer is not None, "an evaluation of texts has a tokenizer"
    # The features of an example differ in the reference alone.
    prompts = {f.item: f.input_ids[: f.spots[0] + 1] for f in reversed(evaluation.features)}
    end, apart = end_of_text(tokenizer), bool(opening_of(training.model))
    side = right_padded if apart else left_padded
    order = sorted(prompts, key=lambda item: -len(prompts[item]))
    found: dict[int, tuple[str, bool]] = {}

    def text_of(tokens: list[int]) -> str:
        return str(tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)).strip()

    def has_stopped(tokens: list[int]) -> bool:
        return any(stop in text_of(tokens) for stop in stops)

    training.model.eval()
    for start in range(0, len(order), size):
        items = order[start : start + size]
        batch = side([prompts[item] for item in items], pad_id, training.device)
        limit = training.profile.answer_tokens
        tokens = greedy(training.model, *batch, limit, end, has_stopped if stops else None)
        for item, own in zip(items, tokens, strict=True):
            found[item] = (text_of(own), end in own)
    training.model.train()
    return [found[item] for item in range(len(evaluation.examples))]


def left_padded(prompts: Sequence[np.ndarray], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Prompts that end at the same place, and the mask of their tokens, each (batch, length)."""
    length = max(map(len, prompts))
    ids = np.full((len(prompts), length), pad_id, dtype=np.int64)
    mask = np.zeros((len(prompts), length), dtype=np.int64)
    for row, prompt in enumerate(prompts):
        ids[row, length - len(prompt) :] = prompt
        mask[row, length - len(prompt) :] = 1
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


def right_padded(prompts: Sequence[np.ndarray], pad_id: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Prompts that begin at the same place, and the mask of their tokens, each (batch, length)."""
    length = max(map(len, prompts))
    mask = padded([np.ones(len(prompt), dtype=np.int64) for prompt in prompts], length, 0)
    return padded(prompts, length, pad_id).to(device), mask.to(device)


def greedy(
    model: nn.Module,
    ids: Tensor,
    mask: Tensor,
    limit: int,
    end: int,
    has_stopped: Callable[[list[int]], bool] | None = None,
) -> list[list[int]]:
    """The most likely next token again and again, up to and including `end`, at most `limit` of them for each row.

    A row of which `has_stopped` holds ends there as well. Prompts are padded on the left, and on the right for a model
    of two stacks, whose encoder reads them once.
    """
    opening = opening_of(model)
    following = _after_encoder(model, ids, mask, opening) if opening else _after_prompts(model, ids, mask)
    logits = next(following)
    running = torch.ones(len(ids), dtype=torch.bool, device=ids.device)
    found: list[Tensor] = []
    for _ in range(limit):
        best = logits.argmax(-1).where(running, end)
        found.append(best)
        running = running & (best != end)
        if has_stopped is not None:
            rows = torch.stack(found, dim=1).tolist()
            over = [going and has_stopped(row) for going, row in zip(running.tolist(), rows, strict=True)]
            running = running & ~torch.tensor(over, device=running.device)
        if len(found) == limit or not running.any():
            break
        logits = following.send(best[:, None])
    rows = torch.stack(found, dim=1).tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def _after_prompts(model: nn.Module, ids: Tensor, mask: Tensor) -> Generator[Tensor, Tensor]:
    """The logits of the token after prompts, and after each token that is sent, (batch, 1): (batch, vocabulary)."""
    taken = _options(model)
    position = (mask.cumsum(1) - 1).clamp_min(0)
    cache: Any = None
    while True:
        given = {"past_key_values": cache, "use_cache": True, "position_ids": position, "logits_to_keep": 1}
        raw = model(input_ids=ids, attention_mask=mask, **{name: given[name] for name in taken})
        cache = raw.past_key_values
        ids = yield raw.logits[:, -1]
        position = position[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)


def _after_encoder(model: nn.Module, ids: Tensor, mask: Tensor, opening: list[int]) -> Generator[Tensor, Tensor]:
    """As `_after_prompts`, of a model of two stacks, whose decoder begins by an opening."""
    written = ids.new_tensor(opening).expand(len(ids), -1)
    cache: Any = None
    given: dict[str, Any] = {"input_ids": ids}
    while True:
        raw = model(attention_mask=mask, decoder_input_ids=written, past_key_values=cache, use_cache=True, **given)
        cache, given = raw.past_key_values, {"encoder_outputs": (raw.encoder_last_hidden_state,)}
        written = yield raw.logits[:, -1]


def _options(model: nn.Module) -> list[str]:
    """The options that the forward pass of a model takes; where a wrapper takes all, those of the model inside it."""
    known = inspect.signature(model.forward).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in known.values()):
        inner = pretrained_in(model)
        known = inspect.signature(inner.forward).parameters
    return [name for name in ("past_key_values", "use_cache", "position_ids", "logits_to_keep") if name in known]
