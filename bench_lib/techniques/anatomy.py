"""Where the parts of a pre-trained model lie: embeddings, blocks, pooler and new head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench_lib.errors import Unsupported


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Parts of a model by module name; the head is what lies outside the body."""

    body: str
    embeddings: str
    block_list: str
    depth: int
    pooler: str | None

    def level(self, name: str) -> int:
        """The level of a parameter: 0 embeddings, 1 to `depth` blocks, `depth` + 1 pooler and head.

        Wrappers such as peft's put a prefix before a name, so parts are searched for and not only matched at the start.
        A prompt is read before the first block, as the embeddings are.
        """
        if f"{self.block_list}." in name:
            return 1 + int(name.split(f"{self.block_list}.", 1)[1].split(".", 1)[0])
        return 0 if f"{self.embeddings}." in name or ".prompt_encoder." in name else self.depth + 1

    def is_pretrained(self, name: str) -> bool:
        """Whether a parameter belongs to the embeddings or blocks, and so neither to the pooler nor to the new head."""
        return self.level(name) <= self.depth


def dissect(model: nn.Module) -> Anatomy:
    """Find the parts of a transformers encoder with a task head; a model without them raises `Unsupported`."""
    body = getattr(model, "base_model_prefix", "")
    stacks = [
        (len(module), name)
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and name.startswith(f"{body}.") and len({type(m) for m in module}) == 1
    ]
    embeddings = next(
        (n for n, _ in model.named_modules() if n.startswith(f"{body}.") and n.endswith("embeddings")), None
    )
    if not body or not stacks or embeddings is None:
        raise Unsupported(f"{type(model).__name__} has no embeddings followed by a list of equal blocks")
    depth, block_list = max(stacks, key=lambda stack: stack[0])
    pooler = f"{body}.pooler" if getattr(getattr(model, body), "pooler", None) is not None else None
    return Anatomy(body=body, embeddings=embeddings, block_list=block_list, depth=depth, pooler=pooler)


def word_embeddings(model: nn.Module) -> nn.Module:
    """The module that turns token ids into vectors."""
    find: Callable[[], nn.Module] = getattr(model, "get_input_embeddings")  # noqa: B009 (not declared on nn.Module)
    return find()


@torch.no_grad()
def initialise(module: nn.Module, std: float, generator: torch.Generator) -> None:
    """Draw a module's parameters anew: N(0, std) for matrices, 1 for norms' weights, 0 for biases, as BERT does."""
    for part in module.modules():
        for name, parameter in part.named_parameters(recurse=False):
            fresh: Tensor
            if name == "bias":
                fresh = torch.zeros(parameter.shape)
            elif parameter.dim() == 1:
                fresh = torch.ones(parameter.shape)
            else:
                fresh = torch.empty(parameter.shape).normal_(0.0, std, generator=generator)
            parameter.copy_(fresh)
