"""Load a pre-trained model with a new head, once per process, and hand out fresh copies."""

from __future__ import annotations

import copy
import functools
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from bench_lib.core.errors import BadData, Unsupported
from bench_lib.core.spec import Ref
from bench_lib.models import MODELS
from bench_lib.models.architecture import (
    TWO_STACKS,
    body_names,
    body_prefix,
    is_causal,
    reads_by_two_stacks,
    word_embeddings,
)
from bench_lib.models.attention import check_attention
from bench_lib.models.causal import fit_config, fit_tokenizer, make_linear
from bench_lib.models.checkpoint import load_checkpoint
from bench_lib.models.half_precision import mend
from bench_lib.models.packaged import converted_gguf, joined_zip, made
from bench_lib.models.reading import explained
from bench_lib.models.source import ModelSource, find_source, package_folder
from bench_lib.models.stacks import fit_stacks, mark_ends

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

M = TypeVar("M", bound=nn.Module)

TINY = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


class Head(Protocol):
    """What a task format says about its head; it prints as the format's name.

    `auto_model` is the class of transformers that adds such a head to any model. Where the format `writes_text`, it is
    the head of the next word, with which a model was pre-trained.
    """

    @property
    def auto_model(self) -> str: ...

    @property
    def writes_text(self) -> bool: ...

    def __hash__(self) -> int: ...

    def head_outputs(self, labels: int) -> int | None:
        """The number of outputs for a number of labels; None for the model's own number."""
        ...


@dataclass(frozen=True, eq=False)
class Template:
    """A model as it was loaded.

    `fresh` names the parameters without pre-trained values: the head, and a pooler where the checkpoint holds none.
    `missing` are those without any value in the checkpoint; the others belong to a fine-tuned head.
    """

    model: PreTrainedModel
    fresh: frozenset[str]
    missing: frozenset[str]

    def pretrained(self) -> Mapping[str, Tensor]:
        return {n: p.detach() for n, p in self.model.named_parameters() if n not in self.fresh}

    def drawn(self, keep_head: bool = False) -> frozenset[str]:
        """The parameters that each run draws: all fresh ones, or with `keep_head` only those without a value.

        Raises `BadData` for `keep_head` where the checkpoint does not hold the whole head.
        """
        if not keep_head:
            return self.fresh
        if lacking := sorted(name for name in self.missing if not _inside(self.model, name)):
            raise BadData(
                f"profile field keep_head is True; allowed: False, since the checkpoint holds no head that fits the "
                f"task (it lacks {', '.join(lacking)})"
            )
        return self.missing

    def new_parts(self, keep_head: bool = False) -> str:
        """The modules with drawn parameters, such as `classifier, pooler`."""
        names = [n for n, _ in self.model.named_parameters() if n in self.drawn(keep_head)]
        body = body_prefix(self.model)
        parts = ", ".join(sorted({name.removeprefix(body).split(".")[0] for name in names}))
        return f"{parts or 'none'} (head kept)" if keep_head else parts or "none"

    @property
    def head_layers(self) -> int:
        """The number of the head's layers with a matrix; with more than one the head is not linear."""
        return sum(p.dim() >= 2 for name, p in self.model.named_parameters() if not _inside(self.model, name))


def instantiate(
    template: Template, generator: torch.Generator, keep_head: bool = False, prior: Sequence[float] | None = None
) -> PreTrainedModel:
    """A copy of the model with new parameters from the generator: N(0, initializer_range), biases 0.

    The last bias of a new head is the `prior`, an output each, unless that is None or the head has no bias.
    """
    model, drawn = copied(template.model), template.drawn(keep_head)
    std = float(getattr(model.config, "initializer_range", 0.02))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in drawn:
                parameter.copy_(_draw(name, parameter, std, generator))
        if prior is not None:
            biases = [p for n, p in model.named_parameters() if n in drawn and n.endswith("bias")]
            if biases and biases[-1].shape == (len(prior),):
                biases[-1].copy_(torch.tensor(prior))
    return model


def copied(model: M) -> M:
    """As `copy.deepcopy`, but faster: most tables of a module are empty."""
    memo: dict[int, Any] = {id(module): type(module).__new__(type(module)) for module in model.modules()}
    for module in model.modules():
        for name, value in vars(module).items():
            plain = type(value) in (dict, OrderedDict) and not value
            vars(memo[id(module)])[name] = value.copy() if plain else copy.deepcopy(value, memo)
    copy_of_model: M = memo[id(model)]
    return copy_of_model


def _draw(name: str, parameter: Tensor, std: float, generator: torch.Generator) -> Tensor:
    if parameter.dim() >= 2:
        return torch.empty(parameter.shape).normal_(0.0, std, generator=generator)
    return torch.zeros(parameter.shape) if name.endswith("bias") else torch.ones(parameter.shape)


@functools.lru_cache(maxsize=2)
def load_tokenizer(ref: Ref) -> PreTrainedTokenizerBase:
    """The model's fast tokenizer; a causal model's pads, separates texts and ends a pair of them."""
    from transformers.models.auto import AutoConfig, AutoTokenizer

    place, options = place_of(find_source(ref.name, MODELS), ref)
    with explained(ref):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(place, use_fast=True, **options)
    if not tokenizer.is_fast:
        raise Unsupported(f"model {ref.name!r} has no fast tokenizer, which spans and words need for their offsets")
    if len(tokenizer) <= len(tokenizer.all_special_tokens):
        # transformers may return an empty tokenizer, for which every word is unknown.
        raise BadData(f"model {ref.name!r} comes without a tokenizer; it needs tokenizer.json or its vocabulary")
    with explained(ref):
        config = AutoConfig.from_pretrained(place, **options)
    if is_causal(config):
        fit_tokenizer(tokenizer, ref.name)
    if reads_by_two_stacks(config):
        mark_ends(tokenizer, ref.name)
    if tokenizer.pad_token_id is None:
        raise BadData(f"model {ref.name!r} has no padding token; name one as pad_token in its tokenizer_config.json")
    return tokenizer


def load_template(ref: Ref, task_format: Head, labels: int, attention: str = "eager") -> Template:
    """As `read_template`, once in a process for the same arguments."""
    return _kept(ref, task_format, labels, attention)


def forget_templates() -> None:
    """Have every model read again when it is asked for next."""
    _kept.cache_clear()


@functools.lru_cache(maxsize=3)  # a sweep over all tasks goes back and forth between three heads
def _kept(ref: Ref, task_format: Head, labels: int, attention: str) -> Template:
    return read_template(ref, task_format, labels, attention)


def read_template(ref: Ref, task_format: Head, labels: int, attention: str = "eager") -> Template:
    """The model with the head that a task's format asks for, in fp32; safetensors only, no remote code.

    Attention is eager unless asked for otherwise: with dropout on it is the fastest on CPUs. A checkpoint without the
    whole body raises `BadData`, a model without such a head or attention `Unsupported`.
    """
    from transformers.models.auto import AutoConfig

    source = find_source(ref.name, MODELS)
    place, options = place_of(source, ref)
    outputs = task_format.head_outputs(labels)
    heads = {} if outputs is None else {"num_labels": outputs}
    sizes = TINY if source.random and not source.made else {}
    with explained(ref):
        config = AutoConfig.from_pretrained(place, **heads, **sizes, **options)
        auto_model = _head_of(task_format, config, ref)
        check_attention(ref, auto_model._model_mapping[type(config)], attention)
        if is_causal(config):
            fit_config(config, load_tokenizer(ref))
        if reads_by_two_stacks(config):
            fit_stacks(config, load_tokenizer(ref))
        if source.random:
            return _random(auto_model.from_config(config, attn_implementation=attention))
        options |= {"config": config, "dtype": torch.float32, "attn_implementation": attention, "use_safetensors": True}
        model, loaded = load_checkpoint(auto_model, place, options)
    loaded.check(model, ref.name)
    mend(model)
    make_linear(model)
    named = frozenset(name for name, _ in model.named_parameters())
    missing = (loaded.missing | loaded.mismatched.keys()) & named
    if task_format.writes_text:
        return _writer(Template(model, missing, missing), ref)
    return Template(model, frozenset(name for name in named if not _inside(model, name)) | missing, missing)


def _head_of(task_format: Head, config: Any, ref: Ref) -> Any:
    """The class of transformers for a model with a format's head; `Unsupported` where it has none."""
    import transformers

    writes_apart = task_format.writes_text and reads_by_two_stacks(config)
    if task_format.writes_text and not writes_apart and not is_causal(config):
        raise Unsupported(
            f"model {ref.name!r} ({config.model_type}) is neither a causal decoder nor an encoder-decoder of the "
            f"families {', '.join(TWO_STACKS)}; {task_format} tasks need one"
        )
    auto_model = getattr(transformers, "AutoModelForSeq2SeqLM" if writes_apart else task_format.auto_model)
    if type(config) not in auto_model._model_mapping:
        raise Unsupported(f"model {ref.name!r} ({config.model_type}) has no head for {task_format} tasks")
    return auto_model


def _writer(template: Template, ref: Ref) -> Template:
    """The template of a model that writes, whose head is pre-trained too; `BadData` where the checkpoint lacks it."""
    model, lacking = template.model, sorted(template.missing)
    # Later T5s have a head of their own, in place of which transformers silently takes the word embeddings.
    own = not getattr(model.config, "scale_decoder_outputs", True)
    if own and model.get_output_embeddings().weight is word_embeddings(model).get_parameter("weight"):  # type: ignore[no-untyped-call]  # transformers leaves it untyped
        lacking.append("lm_head.weight")
    if lacking:
        raise BadData(f"model {ref.name!r} holds no pre-trained head for the next word (it lacks {', '.join(lacking)})")
    return template


def _inside(model: PreTrainedModel, name: str) -> bool:
    """Whether a parameter belongs to the body, and not to the head."""
    return name.startswith(body_names(model))


def _random(model: PreTrainedModel) -> Template:
    named = frozenset(name for name, _ in model.named_parameters())
    fresh = frozenset(name for name in named if not _inside(model, name))
    drawn = Template(model, named, named)
    return Template(instantiate(drawn, torch.Generator().manual_seed(0)), fresh, fresh)


def place_of(source: ModelSource, ref: Ref) -> tuple[str, dict[str, Any]]:
    """The place of a model for transformers, and options against remote code and other places."""
    options: dict[str, Any] = {"trust_remote_code": False}
    if source.parts:
        return str(joined_zip(source.name, source.parts)), {**options, "local_files_only": True}
    if source.gguf:
        return str(converted_gguf(source.name, source.gguf)), {**options, "local_files_only": True}
    if source.made:
        return str(made(source.name)), {**options, "local_files_only": True}
    if source.package:
        return str(package_folder(source)), {**options, "local_files_only": True}
    if source.hub_id:
        return source.hub_id, {**options, "revision": ref.fingerprint.rpartition("@")[2]}
    return str(Path(ref.name)), {**options, "local_files_only": True}
