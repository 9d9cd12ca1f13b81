"""Prefix tuning: every attention layer also sees learnt keys and values."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.core.extras import optional
from bench_lib.core.spec import Profile
from bench_lib.models.architecture import position_tables
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.peft_injection import OTHER_PARTS, new_parts, wrap

DRAWN = "prompt_encoder.default.embedding.weight"
"""The prefix as peft holds it, (tokens, blocks * 2 * width)."""


class Prefixed(nn.Module):
    """A model with peft's prefix before the keys and values of each layer; its outputs have the places of its inputs.

    peft's own forward pass would drop the token types, and for sequences run a copy of the head's code.
    """

    def __init__(self, prompted: nn.Module) -> None:
        super().__init__()
        self.prompted = prompted

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("prompted"), name)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        token_type_ids: Tensor | None = None,
        past_key_values: Any = None,
        position_ids: Tensor | None = None,
    ) -> Any:
        """Where `past_key_values` are those of an earlier pass, they begin with the prefix."""
        prefix = past_key_values
        if prefix is None:
            prefix = self.prompted.get_prompt(batch_size=len(input_ids))  # type: ignore[operator]  # peft's method
        text = attention_mask.shape[1] - input_ids.shape[1]
        seen = attention_mask.new_ones(len(input_ids), prefix.get_seq_length() - text)
        # Some heads know no places, and find them after the prefix by themselves.
        places = {} if position_ids is None else {"position_ids": position_ids + seen.shape[1]}
        model: Any = self.prompted.base_model
        check = model.base_model.register_forward_pre_hook(_check_given, with_kwargs=True)
        try:
            return model(
                input_ids=input_ids,
                attention_mask=torch.cat((seen, attention_mask), dim=1),
                token_type_ids=token_type_ids,
                past_key_values=prefix,
                **places,
            )
        finally:
            check.remove()


def _check_given(body: nn.Module, _inputs: object, options: dict[str, Any]) -> None:
    """Raise `Unsupported` where the prefix does not arrive: some heads take any option and pass on those they know."""
    if options.get("past_key_values") is None:
        raise Unsupported(
            f"prefix: the head hands no keys and values on to {type(body).__name__}, which sees no prefix"
        )


@dataclass(frozen=True)
class Prefix(
    Technique,
    name="prefix",
    family="parameter-efficient",
    paper="Li & Liang 2021, arXiv:2101.00190; Liu et al. 2022, arXiv:2110.07602",
    identity=None,
    packages=("peft",),
    no_identity="new keys take their share of the attention whatever they are; test_prefix.py takes them out of sight",
    supersedes={
        **OTHER_PARTS,
        "l2_sp": "declined: nothing trains that has a pre-trained value",
        "+noisy_tune": "declined: the pre-trained weights are frozen and under other names",
    },
    version="2",  # starts at the spread of the model's layers, where version 1 had peft's N(0, 1)
    space={
        "learning_rate": (5e-3, 1e-2, 3e-2, 1e-1),  # to 3e-2 as in scripts of THUDM/P-tuning-v2, 1e-1 our choice
        "tokens": (20, 40, 128),
    },
    trimmable=True,
):
    """Learnt keys and values stand before those of the text in every attention layer, and the new head trains whole.

    attention = softmax(q [P_k; K]^T / sqrt(d)) [P_v; V],  P ~ N(0, initializer_range^2) at the start

    Li & Liang 2021, "Prefix-Tuning", for encoders and without reparametrisation as in Liu et al. 2022, "P-Tuning v2";
    20 tokens and rate 1e-2 as the latter's code has for BERT on RTE, in 60 epochs: a few are too few at that rate. It
    starts as there, at the spread of the model's own layers, 0.02 for BERT. That code adds dropout to the prefix. It is
    drawn and held by peft, which would start at N(0, 1), and reaches the layers as their cache of keys and values. As
    in that code, the positions of the text begin after the prefix, which takes them from the longest texts.
    Source: THUDM/P-tuning-v2:model/prefix_encoder.py, model/sequence_classification.py and run_script/run_rte_bert.sh.
    """

    tokens: int = bounded(20, "[1, inf]")
    learning_rate: float = bounded(1e-2, "(0, inf]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        with optional("peft"):
            import peft  # heavy: only runs that use it pay for it

        self._check(training)
        head = [training.model.get_submodule(name) for name in new_parts(training)]
        # A task type decides on the forward pass alone, which is not peft's here; it must have some for a prefix.
        wrap(
            training,
            self.name,
            peft.PrefixTuningConfig(task_type=peft.TaskType.FEATURE_EXTRACTION, num_virtual_tokens=self.tokens),
        )
        std = float(getattr(training.model.config, "initializer_range", 0.02))
        with torch.no_grad():
            training.model.get_parameter(DRAWN).mul_(std)
        for part in head:
            part.requires_grad_(True)
        training.model = Prefixed(training.model)

    def after_backward(self, training: Training) -> None:
        if training.model.get_parameter(f"prompted.{DRAWN}").grad is None:
            raise Unsupported("prefix: the stack freezes its keys and values, which were drawn at random")

    def _check(self, training: Training) -> None:
        """Raise `Unsupported` where a model would ignore the prefix or has no positions left for the text."""
        training.architecture.need_one_stack("cache of keys and values for a prefix")
        if training.profile.gradient_checkpointing:
            raise Unsupported("prefix: under gradient_checkpointing the blocks drop keys and values from outside")
        body = training.model.get_submodule(training.architecture.body)
        if "past_key_values" not in inspect.signature(body.forward).parameters:
            raise Unsupported(
                f"prefix: {type(body).__name__} takes no keys and values from outside and would ignore it"
            )
        for positions in position_tables(body):
            longest = positions - self.tokens
            if training.profile.max_length > longest:
                raise Unsupported(
                    f"prefix: its {self.tokens} tokens leave {longest} of the model's positions for a max_length of "
                    f"{training.profile.max_length}; lower either"
                )
