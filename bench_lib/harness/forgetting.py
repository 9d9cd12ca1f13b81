"""Forgetting: how well a model predicts the words of general text, as it was loaded and after its training."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench_lib.core.errors import Unsupported
from bench_lib.core.seeds import derive
from bench_lib.core.spec import Profile
from bench_lib.harness.batches import by_length, collate
from bench_lib.harness.datasets import EVALUATION_SEED, DataKey
from bench_lib.harness.formats.features import IGNORED, Batch, Feature, asked_for_words
from bench_lib.harness.precision import autocast
from bench_lib.models.architecture import architecture_of, word_embeddings
from bench_lib.models.interventions import head_reads
from bench_lib.models.load import instantiate, load_template
from bench_lib.models.prompted import PromptedModel, mask_id
from bench_lib.models.stacks import ENDS
from bench_lib.models.word_head import word_head
from bench_lib.tasks.formats import TOKEN_CLASSIFICATION
from bench_lib.tasks.further import FORGETTING
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.toolkit.language_modeling import Masking, every_token

SHARE = 0.15
"""The share of an encoder's words that are predicted, drawn once for all runs."""


def forgetting(training: Training, key: DataKey) -> dict[str, float]:
    """The perplexity on general text before the training and now, where the data have one.

    exp(mean negative log-likelihood) of every next token, or of an encoder's masked words. They are predicted by the
    head that the run trains, or else by the checkpoint's own as it was loaded, with the present word embeddings where
    it is tied to them.
    """
    if key.data.general_text is None:
        return {}
    before = _before(key, training.profile, training.device)
    return {f"{FORGETTING}.perplexity_before": before, f"{FORGETTING}.perplexity": perplexity(training, key)}


def check_forgetting(key: DataKey) -> None:
    """Raise `Unsupported` where forgetting is to be measured, and the model has no head for words."""
    if key.data.general_text is None or (key.format.writes_text and not hasattr(key.tokenizer(), ENDS)):
        return
    if word_head(key.model) is None:
        raise Unsupported(
            f"{FORGETTING} is measured by the head for words that a model was pre-trained with, and the checkpoint of "
            f"{key.model.name} holds none"
        )


@functools.lru_cache(maxsize=4)
def _before(key: DataKey, profile: Profile, device: torch.device) -> float:
    template = load_template(key.model, key.format, len(key.task.labels), profile.attention)
    model: nn.Module = instantiate(template, torch.Generator(), keep_head=key.format.writes_text)
    loaded = Training(model.to(device), architecture_of(model), key.format, profile, {}, lambda *_: 0, device)
    return perplexity(loaded, key)


def perplexity(training: Training, key: DataKey) -> float:
    """The perplexity of the training's present model on the general text of its data."""
    predict, losses = _predictor(training, key), []
    features = _features(key)
    training.model.eval()
    for indices in by_length(features, training.profile.eval_batch_size):
        chosen = [features[i] for i in indices]
        batch = collate(chosen, TOKEN_CLASSIFICATION, int(key.tokenizer().pad_token_id), training.device)
        with torch.inference_mode(), autocast(training):
            logits = predict(batch)
        losses.append(F.cross_entropy(logits.float(), batch.targets[batch.targets != IGNORED], reduction="none"))
    training.model.train()
    mean = float(torch.cat(losses).double().mean())
    return math.exp(min(mean, math.log(np.finfo(np.float64).max)))


def _predictor(training: Training, key: DataKey) -> Any:
    """A function from a batch to the logits of its targets, (rows, vocabulary)."""
    model = training.model
    if key.format.writes_text:

        def by_itself(batch: Batch) -> Tensor:
            with head_reads(model, batch.targets != IGNORED):
                logits: Tensor = model(**batch.inputs).logits
            return logits

        return by_itself
    body = _body(training)
    prompted = next((part for part in model.modules() if isinstance(part, PromptedModel)), None)
    head = prompted.word_head if prompted else word_head(key.model)
    assert head is not None, "checked before the training"
    if prompted is None:
        head.to(training.device).eval().tie(word_embeddings(body).get_parameter("weight"))

    def by_head(batch: Batch) -> Tensor:
        logits: Tensor = head(body(**batch.inputs)[0][batch.targets != IGNORED])
        return logits

    return by_head


def _body(training: Training) -> nn.Module:
    """The body of the model, also inside a wrapper such as peft's, whose prefix its name then has."""
    place, blocks = training.architecture.body, training.architecture.lists[0]
    name = next(n for n, _ in training.model.named_modules() if n == blocks or n.endswith(f".{blocks}"))
    return training.model.get_submodule(f"{name.removesuffix(blocks)}{place}")


@functools.lru_cache(maxsize=2)
def _features(key: DataKey) -> Sequence[Feature]:
    """The general text as sequences, with the same targets for all runs."""
    text, tokenizer = key.data.general_text, key.tokenizer()
    assert text is not None, "asked only where there is one"
    encoded = tokenizer([*text.texts], truncation=True, max_length=key.max_length, return_special_tokens_mask=True)
    mask = mask_id(tokenizer, FORGETTING, key.model.name)
    generator = np.random.default_rng(derive(EVALUATION_SEED, "augment", FORGETTING))
    chosen = every_token if mask is None else Masking(SHARE, mask, len(tokenizer), generator)
    found = []
    for item, (ids, special) in enumerate(zip(encoded["input_ids"], encoded["special_tokens_mask"], strict=True)):
        feature = _feature(item, np.array(ids), np.array(special, dtype=bool))
        if not feature.special[int(mask is None) :].all():
            read, is_target = chosen(feature.input_ids, feature.special)
            found.append(asked_for_words(feature, read, is_target, next_token=mask is None))
    return found


def _feature(item: int, ids: np.ndarray, special: np.ndarray) -> Feature:
    nothing = np.zeros(0, dtype=np.int64)
    return Feature(item, ids, None, special, np.full(len(ids), IGNORED), nothing, nothing)
