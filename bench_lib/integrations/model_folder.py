"""A trained model as a folder that transformers loads."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from bench_lib.core.errors import BadValue, Unsupported
from bench_lib.core.extras import optional
from bench_lib.models.load import copied
from bench_lib.models.reading import without_progress_bars
from bench_lib.tasks.task import Task

ADAPTERS = ("merged", "apart")
BASE, ADAPTER = "base", "adapter"
"""The folders of a model whose adapter is kept apart."""
TOLERANCE = 1e-3
"""By how much logits may differ after merging, in fp32."""


def check_folder(folder: Path) -> None:
    """Raise `BadValue` for a place that cannot become the model's folder, before anything is trained."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadValue("--save", str(folder), "a folder that is empty or not there yet")
    parent = next(each for each in folder.absolute().parents if each.exists())
    if not parent.is_dir():
        raise BadValue("--save", str(folder), f"a place in a folder, which {parent} is not")


def portable(model: nn.Module, adapters: str) -> PreTrainedModel:
    """The model as transformers' own class has it, its adapters merged or, kept apart, still the adapter's wrapper.

    Raises `Unsupported` for a model with parts that the class lacks.
    """
    wrapped = hasattr(model, "peft_config")
    if adapters == "apart" and not wrapped:
        raise BadValue("--adapters", adapters, "merged, since this model has no adapters of peft")
    if not wrapped:
        return _plain(model)
    whole: Any = copied(model)
    if adapters == "apart":
        return _plain(_unloaded(whole))
    if any(config.is_prompt_learning for config in whole.peft_config.values()):
        raise Unsupported("a prefix is no change of weights that could be merged; use --adapters apart")
    return _plain(whole.merge_and_unload())


def _unloaded(wrapped: Any) -> nn.Module:
    """The base model without its adapter."""
    prompt = any(config.is_prompt_learning for config in wrapped.peft_config.values())
    base: nn.Module = wrapped.get_base_model() if prompt else wrapped.unload()
    return base


def _plain(model: nn.Module) -> PreTrainedModel:
    """A model of transformers' class with the weights; `Unsupported` where the two differ in their parts."""
    if not isinstance(model, PreTrainedModel):
        raise Unsupported(f"a {type(model).__name__} has no form that transformers loads")
    with torch.random.fork_rng(devices=[]):
        plain: PreTrainedModel = type(model)(model.config)
    weights, expected = dict(model.state_dict()), plain.state_dict()
    if strange := sorted(weights.keys() ^ expected.keys()):
        raise Unsupported(
            f"the stack adds or takes parts that {type(model).__name__} does not know, such as {strange[0]}; "
            "transformers could not load them"
        )
    # The harness computes with linear layers where GPT-2 keeps their matrices transposed.
    for name, module in plain.named_modules():
        if type(module).__name__ == "Conv1D":
            weights[f"{name}.weight"] = weights[f"{name}.weight"].T.contiguous()
    plain.load_state_dict(weights)
    plain.train(False)
    return plain


def describe(model: PreTrainedModel, task: Task) -> None:
    """Put the names of the labels and the kind of problem into the model's configuration."""
    config = model.config
    if task.format.predicts_labels or task.format.labels_sets:
        config.id2label = dict(enumerate(task.labels))
        config.label2id = {label: number for number, label in enumerate(task.labels)}
    if task.format.labels_sets:
        config.problem_type = "multi_label_classification"
    elif task.format.predicts_numbers:
        config.problem_type = "regression"
    elif task.format.labels_texts:
        config.problem_type = "single_label_classification"


def save(
    model: nn.Module, task: Task, tokenizer: PreTrainedTokenizerBase, folder: Path, adapters: str, card: str
) -> None:
    """Write the folder whole, or nothing: it is made beside its place, loaded, and renamed.

    Raises `Unsupported` where what transformers loads is not what was trained.
    """
    plain = portable(model, adapters)
    describe(plain, task)
    making = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    try:
        with without_progress_bars():
            _write(plain, model if adapters == "apart" else None, tokenizer, making)
            _check(plain, model, task, making)
        (making / "README.md").write_text(card, encoding="utf-8")
        if folder.exists():
            folder.rmdir()
        making.rename(folder)
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _write(plain: PreTrainedModel, wrapped: Any, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    place = folder if wrapped is None else folder / BASE
    place.mkdir(parents=True)
    plain.save_pretrained(place)
    tokenizer.save_pretrained(place)
    if wrapped is not None:
        wrapped.save_pretrained(folder / ADAPTER)


def load(folder: Path, auto_model: str) -> nn.Module:
    """The model of a folder, in evaluation mode."""
    kind: Any = getattr(transformers, auto_model)
    apart = (folder / ADAPTER).is_dir()
    model: nn.Module = kind.from_pretrained(folder / BASE if apart else folder)
    if apart:
        with optional("peft"):
            import peft  # heavy: only adapters need it
        model = peft.PeftModel.from_pretrained(model, folder / ADAPTER)
    return model.train(False)


def _check(plain: PreTrainedModel, trained: nn.Module, task: Task, folder: Path) -> None:
    """Raise `Unsupported` unless the loaded model computes what the trained one does."""
    ids = torch.arange(10, 18).remainder(int(plain.config.vocab_size))[None]
    loaded = load(folder, task.format.auto_model)
    trained = copied(trained).eval()
    with torch.inference_mode():
        pairs = zip(_outputs(loaded, ids), _outputs(trained, ids), strict=True)
        apart = max(float((one - other).abs().max()) for one, other in pairs)
    if not apart <= TOLERANCE:
        raise Unsupported(f"the saved model computes something else than the trained one (logits differ by {apart:g})")


def _outputs(model: nn.Module, ids: Tensor) -> Sequence[Tensor]:
    raw = model(input_ids=ids, attention_mask=torch.ones_like(ids))
    return [raw[name].float() for name in ("logits", "start_logits", "end_logits") if name in raw]
