"""Another strength of the decoupled weight decay."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class WeightDecay(
    Technique,
    name="weight_decay",
    family="regularisation",
    paper="Loshchilov & Hutter 2019, arXiv:1711.05101; Liu et al. 2019, arXiv:1907.11692",
    identity={"strength": None},
    space={"strength": (0.0, 0.01, 0.1)},
    trimmable=True,
):
    """Shrink all matrices at each update, apart from the gradient; None keeps the profile's strength.

    theta <- theta - lr * (step + strength * theta)

    Loshchilov & Hutter 2019, "Decoupled Weight Decay Regularization", equation 12. The baseline has 0.01 already, at
    which this technique would do nothing; 0.1 is what Liu et al. 2019 fine-tune RoBERTa with. Biases and norms do not
    decay, as in the baseline; in fairseq they do. AdamW, the baseline's too, multiplies a weight by 1 - lr * strength,
    which fp32 knows in steps of 6e-8: where lr * strength is below 3e-8 nothing decays, and just above it nearly three
    times too much does. Over a run at 2e-5 the sum is right at 0.1, 8 % too large at 0.01 and nothing at 0.001; lower
    rates, as of llrd's lowest blocks, come to that sooner.
    Source: facebookresearch/fairseq:examples/roberta/README.glue.md.
    """

    strength: float | None = bounded(0.1, "[0, 1000] or None")

    def configure(self, profile: Profile) -> Profile:
        return profile if self.strength is None else dataclasses.replace(profile, weight_decay=self.strength)
