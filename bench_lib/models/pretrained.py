"""The pre-trained weights as a run reads them; its writes must not reach the cached model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from bench_lib.models.load import Template, forget_templates
from bench_lib.models.prompted import PromptedModel
from bench_lib.models.trimmed import Trimmed, trim


class Pretrained(Mapping[str, Tensor]):
    """The weights of a template by name, on the CPU; with `copies`, each is copied at its first use.

    Copies take time and memory, and are for foreign code: writes through `.data` or numpy bypass torch's version
    counters and would change the template unseen.
    """

    def __init__(self, template: Template, copies: bool) -> None:
        self.template, self._weights, self._head = template, template.pretrained(), 0
        self._copies: dict[str, Tensor] | None = {} if copies else None
        self._before = _versions(template)

    def __getitem__(self, name: str) -> Tensor:
        if self._copies is None:
            return self._weights[name]
        if name not in self._copies:
            self._copies[name] = self._weights[name].clone()
        return self._copies[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._weights)

    def __len__(self) -> int:
        return len(self._weights)

    def answer_with_words(self, model: PromptedModel) -> None:
        """Add the pre-trained head that a model answers prompts with, and drop the parts that the model lacks."""
        body, head = dict(model.named_parameters()), model.head_parameters()
        known = {name: weight for name, weight in self._weights.items() if name in body}
        self._weights = {**known, **{name: p.detach().clone() for name, p in head.items()}}
        self._head = model.head_layers

    def trim(self, model: nn.Module, tokens: Iterable[int]) -> Trimmed:
        """Let a model, and these weights, hold the word embeddings of these tokens alone; raises as `trimmed.trim`."""
        name, kept = trim(model, tokens)
        trimmed = Trimmed(name, kept, self[name])
        self._weights = {**self._weights, name: trimmed.whole[kept]}
        if self._copies is not None:
            del self._copies[name]
        return trimmed

    def of_head(self, keep_head: bool) -> dict[str, str]:
        """The new modules and the number of the head's layers, for the record."""
        new = "none (head for words)" if self._head else self.template.new_parts(keep_head)
        return {"new_parameters": new, "head_layers": str(self._head or self.template.head_layers)}

    def restore(self) -> list[str]:
        """Name what was written into: copies, which end with the run, or the template, which is then loaded again."""
        written = [name for name, copy in (self._copies or {}).items() if not _same(copy, self._weights[name])]
        left = ["the weights as they were loaded"] if written else []
        if _versions(self.template) != self._before:
            forget_templates()
            left.append("the cached model")
        return left


def _versions(template: Template) -> list[tuple[int, int, bool]]:
    """For every tensor of the template: version counter, address, and whether it requires a gradient."""
    tensors = (*template.model.parameters(), *template.model.buffers())
    return [(tensor._version, tensor.data_ptr(), tensor.requires_grad) for tensor in tensors]


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal to the bit, NaN included."""
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return torch.equal(one.contiguous().view(torch.uint8), other.contiguous().view(torch.uint8))
