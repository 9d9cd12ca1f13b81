"""LN-only: the norms learn."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.peft_injection import OTHER_PARTS, claim


@dataclass(frozen=True)
class LNOnly(
    Technique,
    name="ln_only",
    family="parameter-efficient",
    paper="ValizadehAslani & Liang 2024, arXiv:2403.20284; Qi et al. 2022, arXiv:2211.08682",
    identity=None,
    no_identity="no setting makes matrices learn; test_peft_injection.py shows it to start as the baseline to the bit",
    supersedes=OTHER_PARTS,
    space={"learning_rate": (3e-4, 1e-3, 3e-3, 1e-2)},  # 3e-4 and 3e-3 as in Houlsby et al. 2019, the rest our choice
    trimmable=True,
):
    """The norms' gains and shifts learn, all else of the pre-trained model stays frozen, and the new head trains whole.

    grad = 0 for every pre-trained parameter but those of the norms, after the embeddings and in each block

    ValizadehAslani & Liang 2024, "LayerNorm: A key component in parameter-efficient fine-tuning"; their norms are those
    that change most when everything learns. Their rate could not be read: 1e-3 is that of bitfit. Houlsby et al. 2019
    (arXiv:1902.00751), section 3.4, tune the norms alone at 3e-5 to 3e-3 and lose some 3.5 % on CoLA and 4 % on MNLI. A
    norm is what has "Norm" in its class's name, RMSNorm among them. What the stack has frozen before stays frozen.
    Source: abstract of ValizadehAslani & Liang 2024.
    """

    learning_rate: float = bounded(1e-3, "(0, inf]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        claim(training, self.name)
        found = {n: p for n, p in training.model.named_parameters() if n in training.pretrained}
        norms = found.keys() & _of_norms(training.model)
        if not norms:
            raise Unsupported(f"ln_only finds no pre-trained norm in {type(training.model).__name__} that could learn")
        for name in found.keys() - norms:
            found[name].requires_grad_(False)


def _of_norms(model: nn.Module) -> set[str]:
    """The names of the parameters of a model's norms."""
    norms = {name: module for name, module in model.named_modules() if "norm" in type(module).__name__.lower()}
    return {f"{name}.{own}" for name, module in norms.items() for own, _ in module.named_parameters(recurse=False)}
