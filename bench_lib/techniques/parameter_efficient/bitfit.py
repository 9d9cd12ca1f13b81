"""BitFit: the biases learn."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.peft_injection import OTHER_PARTS, claim


@dataclass(frozen=True)
class BitFit(
    Technique,
    name="bitfit",
    family="parameter-efficient",
    paper="Ben Zaken et al. 2022, arXiv:2106.10199",
    identity=None,
    no_identity="no setting makes weights learn; test_peft_injection.py shows that it starts as the baseline",
    supersedes=OTHER_PARTS,
    space={
        # 1e-3 as in the README, 1e-4 for MNLI as benzakenelad/BitFit issue 3 quotes the paper; 4e-4 and 7e-4 not
        # verified, above 1e-3 our choice
        "learning_rate": (1e-4, 4e-4, 7e-4, 1e-3, 3e-3, 1e-2),
    },
    trimmable=True,
):
    """The biases of the pre-trained model learn, its weights stay frozen, and the new head trains whole.

    grad = 0 for every pre-trained parameter but the biases, those of the norms and of the pooler among them

    Ben Zaken et al. 2022, "BitFit"; all biases and rate 1e-3 are the defaults of the authors' code, over 16 epochs at
    batch 8. What the stack has frozen before stays frozen.
    Source: benzakenelad/BitFit:run_glue.py and README.md.
    """

    learning_rate: float = bounded(1e-3, "(0, inf]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        claim(training, self.name)
        found = {n: p for n, p in training.model.named_parameters() if n in training.pretrained}
        if not any(name.endswith("bias") for name in found):
            raise Unsupported("bitfit finds no pre-trained bias under its name that could learn")
        for name, parameter in found.items():
            if not name.endswith("bias"):
                parameter.requires_grad_(False)
