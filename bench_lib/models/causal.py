"""Causal models, whose tokens see only those before them: what their tokenizer, configuration and layers need."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from tokenizers import processors
from torch import nn

from bench_lib.core.errors import BadData, Unsupported
from bench_lib.models.stacks import ENDS

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

CAUSAL = "causal"
"""The attribute of a tokenizer that belongs to a causal model."""


def fit_tokenizer(tokenizer: PreTrainedTokenizerBase, name: str) -> None:
    """Prepare a causal model's tokenizer: padding, a separator between two texts, and a special token after them.

    The end-of-text token is each of those that the tokenizer lacks. The one after two texts stands for the pair: it
    alone has seen both, and is in neither.
    """
    end = tokenizer.eos_token or tokenizer.bos_token
    if end is None:
        raise BadData(f"model {name!r} has no end-of-text token; name one as eos_token in its tokenizer_config.json")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = end
    tokenizer.model_input_names = [each for each in tokenizer.model_input_names if each != "token_type_ids"]
    _separate(tokenizer, end)
    setattr(tokenizer, CAUSAL, True)


def _separate(tokenizer: PreTrainedTokenizerBase, end: str) -> None:
    """Have the tokenizer put special tokens between two texts, and after them."""
    alone, both = (_special(tokenizer(*texts)) for texts in (("a",), ("a", "a")))
    between, after = both[1] or [end], both[2] or [end]
    if [between, after] == both[1:]:
        return
    backend: Any = tokenizer.backend_tokenizer
    template = processors.TemplateProcessing(
        single=[*alone[0], "$A", *alone[-1]],
        pair=[*both[0], "$A", *between, "$B", *after],
        special_tokens=[(each, tokenizer.convert_tokens_to_ids(each)) for each in {*tokenizer.all_special_tokens}],
    )
    offsets = _byte_level(json.loads(backend.post_processor.__getstate__()) if backend.post_processor else {})
    backend.post_processor = processors.Sequence([*offsets, template])


def _special(encoded: Any) -> list[list[str]]:
    """The special tokens before, between and after the texts of a sequence."""
    texts, tokens = encoded.sequence_ids(0), encoded.tokens(0)
    found: list[list[str]] = [[]]
    for place, text in enumerate(texts):
        if text is None:
            found[-1].append(tokens[place])
        elif len(found) == text + 1:
            found.append([])
    return found


def _byte_level(state: dict[str, Any]) -> list[processors.ByteLevel]:
    """The steps of a post-processor that correct the offsets of byte-level pieces."""
    steps = [state, *state.get("processors", [])]
    return [
        processors.ByteLevel(trim_offsets=each["trim_offsets"]) for each in steps if each.get("type") == "ByteLevel"
    ]


def nothing(tokenizer: PreTrainedTokenizerBase) -> str:
    """What stands for an empty text: a causal model's may have no special tokens, and a sequence needs a token."""
    return str(tokenizer.eos_token or tokenizer.bos_token) if getattr(tokenizer, CAUSAL, False) else ""


def end_of_text(tokenizer: PreTrainedTokenizerBase) -> int:
    """The token that ends a text; `Unsupported` for a model that is neither a causal decoder nor of two stacks."""
    if hasattr(tokenizer, ENDS):
        return int(getattr(tokenizer, ENDS))
    if not getattr(tokenizer, CAUSAL, False):
        raise Unsupported("texts are written by causal decoders and encoder-decoders, and this model is neither")
    end = tokenizer.bos_token_id if tokenizer.eos_token_id is None else tokenizer.eos_token_id
    return int(end)


def text_token(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> int:
    """The place of the token that a text's class is read from: the first, or a causal model's last but for padding.

    Transformers looks for it by the padding's id, which may also be that of the end of a text.
    """
    if not getattr(tokenizer, CAUSAL, False):
        return 0
    ending = sum(1 for _ in takewhile(lambda each: each == tokenizer.pad_token_id, reversed(ids)))
    return max(0, len(ids) - 1 - ending)


def pair_token(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> int:
    """The place of the token that stands for a pair of texts and is in neither: the first, or a causal model's last."""
    return len(ids) - 1 if getattr(tokenizer, CAUSAL, False) else 0


def fit_config(config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> None:
    """Let a causal model know the padding, which its head needs to find a text's last token; it keeps no cache."""
    config.pad_token_id = tokenizer.pad_token_id
    config.use_cache = False


def make_linear(model: nn.Module) -> None:
    """Replace GPT-2's `Conv1D`, a linear layer with its matrix transposed, by a linear layer that computes the same.

    Techniques that tell inputs from outputs, or look for linear layers, then treat it as any other.
    """
    for name, module in [*model.named_modules()]:
        if type(module).__name__ == "Conv1D":
            weight, bias = module.get_parameter("weight"), module.get_parameter("bias")
            inputs, outputs = weight.shape
            linear = nn.Linear(inputs, outputs, device="meta")
            linear.weight, linear.bias = nn.Parameter(weight.detach().T.contiguous()), bias
            model.set_submodule(name, linear)
