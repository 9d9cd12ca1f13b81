"""A user's model and batches in the harness's terms: its task format, its pre-trained weights, its batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from bench_lib.core.errors import BadData, Unsupported, require
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Batch
from bench_lib.models.architecture import Architecture, body_names
from bench_lib.tasks.formats import FORMATS, Format

LOADED = "_is_hf_initialized"
"""The mark that transformers leaves on a parameter that a checkpoint had a value for."""


def format_of(model: nn.Module) -> Format:
    """The task format of a transformers model, by its head and its configuration."""
    name, config = type(model).__name__, getattr(model, "config", None)
    if hasattr(model, "peft_config"):
        raise Unsupported("the model has a peft adapter already; give the plain model and a technique such as lora")
    if any(type(module).__name__ == "Conv1D" for module in model.modules()):
        raise Unsupported(f"{name} keeps its matrices transposed (Conv1D), where techniques find no linear layers")
    found = [task_format for task_format in FORMATS if name in _classes(task_format.auto_model)]
    if not found:
        heads = ", ".join(dict.fromkeys(task_format.auto_model for task_format in FORMATS))
        raise Unsupported(f"{name} has no head of a known task; models come from {heads}")
    problem = getattr(config, "problem_type", None) or ("regression" if _is_number(config) else "")
    wanted = (problem == "multi_label_classification", problem == "regression")
    exact = [each for each in found if (each.labels_sets, each.predicts_numbers) == wanted]
    return (exact or found)[0]


def _classes(auto_model: str) -> set[str]:
    """The names of the models that a class such as `AutoModelForTokenClassification` makes."""
    named: Mapping[str, str | tuple[str, ...]] = getattr(transformers, auto_model)._model_mapping._model_mapping
    return {name for names in named.values() for name in ((names,) if isinstance(names, str) else names)}


def _is_number(config: object) -> bool:
    return getattr(config, "num_labels", 0) == 1


def pretrained_weights(model: nn.Module, task_format: Format, new: tuple[str, ...] | None) -> dict[str, Tensor]:
    """Copies of the weights that were loaded, on the CPU: all but the modules named `new`.

    Without names, those that transformers had to draw are new, or of a model that no checkpoint was loaded into, the
    head. Raises `BenchError` for a name without parameters.
    """
    named = dict(model.named_parameters())
    for module in new or ():
        known = ", ".join(dict.fromkeys(name.split(".")[0] for name in named))
        require(any(_within(name, module) for name in named), "new module", module, f"a module of the model ({known})")
    loaded = any(getattr(parameter, LOADED, False) for parameter in named.values())

    def is_new(name: str) -> bool:
        if new is not None:
            return any(_within(name, module) for module in new)
        if loaded:
            return not getattr(named[name], LOADED, False)
        return not task_format.writes_text and not name.startswith(body_names(model))

    return {name: p.detach().to("cpu", copy=True) for name, p in named.items() if not is_new(name)}


def _within(name: str, module: str) -> bool:
    return name.startswith(f"{module}.")


@dataclass(frozen=True, eq=False)
class BatchReader:
    """Makes the harness's batches of those that transformers' collators make.

    `special` are the ids of special tokens, and `end` is that of the end of a text, -1 for none.
    """

    format: Format
    architecture: Architecture
    special: Tensor
    end: int

    @classmethod
    def of(
        cls, task_format: Format, architecture: Architecture, tokenizer: PreTrainedTokenizerBase | None
    ) -> BatchReader:
        ids = [] if tokenizer is None else {*tokenizer.all_special_ids} - {tokenizer.unk_token_id}
        end = getattr(tokenizer, "eos_token_id", None)
        if architecture.encoder and end is None:
            raise Unsupported("this model reads a text's class at its end of text; give the tokenizer that names it")
        return cls(task_format, architecture, torch.tensor(sorted(ids)), -1 if end is None else int(end))

    def __call__(self, given: Mapping[str, Any]) -> Batch:
        """The batch of a dictionary of tensors; `BadData` where its targets are missing."""
        inputs, half = dict(given), torch_half(self.format)
        try:
            targets = half.taken_targets(inputs)
            ids: Tensor = inputs["input_ids"]
        except KeyError as error:
            raise BadData(f"a batch has no {error}, only {', '.join(given)}; a {self.format} batch needs it") from error
        mask = inputs.get("attention_mask", torch.ones_like(ids))
        if "position_ids" not in inputs:  # which tell sequences apart that lie in one row, where a mask would not
            inputs["attention_mask"] = mask
        attended = mask.bool()
        places = torch.zeros_like(attended)
        places[torch.arange(len(ids), device=ids.device), self._rows(ids, attended)] = True
        return Batch(
            inputs=inputs,
            targets=targets,
            real_tokens=attended & ~torch.isin(ids, self.special.to(ids.device)),
            places=places,
            tokens=ids.numel(),
            counted=half.counted(targets),
        )

    def _rows(self, ids: Tensor, attended: Tensor) -> Tensor:
        """The token that stands for each sequence, (batch,)."""
        last = attended.shape[1] - 1
        if self.architecture.encoder:
            return last - torch.eq(ids, self.end).flip(1).int().argmax(1)
        if self.architecture.causal and not self.format.labels_words:
            return last - attended.flip(1).int().argmax(1)
        return torch.zeros(len(ids), dtype=torch.int64, device=ids.device)
