"""Which parameters a checkpoint loads into a model, and whether it holds the whole body."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from bench_lib.core.errors import BadData
from bench_lib.models.architecture import body_names, body_prefix

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NAMED = 3
"""Parameters that a message names; the others are counted."""


@dataclass(frozen=True)
class Loaded:
    """The model's parameters that the checkpoint lacks or has in another shape, and unexpected ones of the checkpoint.

    `mismatched` has both shapes, the checkpoint's first.
    """

    missing: frozenset[str]
    mismatched: Mapping[str, str]
    unexpected: frozenset[str]

    def check(self, model: PreTrainedModel, name: str) -> None:
        """Raise `BadData` unless the checkpoint holds the whole body, in finite numbers; a pooler may be new."""
        body, pooler = body_names(model), f"{body_prefix(model)}pooler."
        lost = sorted(n for n in self.missing if n.startswith(body) and not n.startswith(pooler))
        wrong = sorted(n for n in self.mismatched if n.startswith(body))
        if lost or wrong:
            raise BadData(
                f"model {name!r}: its checkpoint does not hold the body whole, without {_some([*wrong, *lost])}; "
                f"{self._cause(wrong)}"
            )
        if spare := sorted(filter(_of_blocks(model), self.unexpected)):
            raise BadData(
                f"model {name!r}: its checkpoint holds more than config.json describes, {_some(spare)}, which would be "
                "left out; correct the number of layers there"
            )
        odd = [n for n, p in model.named_parameters() if n.startswith(body) and not bool(torch.isfinite(p).all())]
        if odd:
            raise BadData(f"model {name!r}: its checkpoint holds numbers that are not finite in {_some(odd)}")

    def _cause(self, wrong: Sequence[str]) -> str:
        if wrong:
            return f"config.json and the checkpoint differ in {wrong[0]}: {self.mismatched[wrong[0]]}"
        # Only names of blocks, which have numbers, since a task may not use a checkpoint's head or pooler.
        if strange := sorted(n for n in self.unexpected if re.search(r"\.\d+\.", n)):
            return f"it has other names, such as {strange[0]}: it is of another architecture than config.json says"
        return "config.json describes more than is there, such as more layers"


def load_checkpoint(head: Any, place: str, options: Mapping[str, Any]) -> tuple[PreTrainedModel, Loaded]:
    """A model of an `AutoModelFor...` class, and what its checkpoint loaded.

    Where the class names its body differently from its family, as decoders' classes for answer spans do, the
    checkpoint's names are mapped to the class's.
    """
    model, loaded = _load(head, place, options)
    own = model.base_model_prefix
    known = {vars(base).get("base_model_prefix", "") for base in type(model).__mro__} - {own, ""}
    for prefix in sorted(known):
        if any(name.startswith(f"{own}.") for name in loaded.missing) and _begin(loaded.unexpected, prefix):
            model, loaded = _load(head, place, {**options, "key_mapping": {rf"^{re.escape(prefix)}\.": f"{own}."}})
    return model, loaded


def _load(head: Any, place: str, options: Mapping[str, Any]) -> tuple[PreTrainedModel, Loaded]:
    # Mismatched sizes are reported and not raised, since a head of another task is no fault; `check` raises for a body.
    model, report = head.from_pretrained(place, **options, ignore_mismatched_sizes=True, output_loading_info=True)
    mismatched = {
        name: f"{tuple(held)} there, {tuple(wanted)} here" for name, held, wanted in report["mismatched_keys"]
    }
    return model, Loaded(frozenset(report["missing_keys"]), mismatched, frozenset(report["unexpected_keys"]))


def _begin(names: frozenset[str], prefix: str) -> bool:
    return any(name.startswith(f"{prefix}.") for name in names)


def _of_blocks(model: PreTrainedModel) -> Callable[[str], bool]:
    """Whether a name is of a weight in one of the body's lists of blocks, and not of a buffer that older code saved."""
    body = body_prefix(model)
    lists = [
        n.removeprefix(body) for n, m in model.named_modules() if isinstance(m, nn.ModuleList) if n.startswith(body)
    ]
    pattern = re.compile(rf"(^|\.)({'|'.join(map(re.escape, lists))})\.\d+\..*(weight|(?<!masked_)bias)$")
    return lambda name: bool(lists and pattern.search(name))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
