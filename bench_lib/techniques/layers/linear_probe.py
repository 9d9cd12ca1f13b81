"""Linear probing: only the new head learns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench_lib.tasks.formats import Format
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Phase, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.linear_probing import NO_NEW_HEAD, PROBE_RATE, probing


@dataclass(frozen=True)
class LinearProbe(
    Technique,
    name="linear_probe",
    family="layers",
    paper="Kumar et al. 2022, arXiv:2202.10054",
    identity=None,
    no_identity="no rate of the head makes the body train; lp_ft:share=0 is the one that trains everything",
    supersedes={
        **dict.fromkeys(("agc", "freeze_bottom", "llrd"), "the head alone trains, which the other one leaves alone"),
        **dict.fromkeys(("low_lr", "scale_lr"), "the head has a rate of its own"),
        "prune_structured_heads": "declined: no output projection trains, by whose gradients heads are ranked",
        **dict.fromkeys(("l2_sp", "wd_pre", "recadam"), "declined: nothing trains that has a pre-trained value"),
    },
    space={"learning_rate": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)},  # our choice
    trimmable=True,
):
    """Train the new head alone, at a rate of its own; the body with its pooler keeps its weights.

    grad = 0 for all but the head,  lr = learning_rate

    Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", section 2. Theirs is a logistic regression on
    features that are computed once and standardised. Source:
    AnanyaKumar/transfer_learning:unlabeled_extrapolation/log_reg_sk.py. Here the head learns as it does in
    fine-tuning, on the profile's schedule and with dropout in the body, so that the two can be compared. It is linear
    in BERT; for whole texts in RoBERTa, ELECTRA, DistilBERT, DeBERTa and ModernBERT it has two layers, and is a
    shallow network on the features: `head_layers` in a record's provenance says which. The rate 1e-2 is our choice: in
    a hundred steps at a tenth of it the loss hardly falls.
    """

    learning_rate: float = bounded(PROBE_RATE, "(0, inf]")

    def declines(self, task_format: Format) -> str | None:
        return NO_NEW_HEAD if task_format.writes_text else None

    def phases(self, training: Training) -> Sequence[Phase]:
        return (probing(training, self.learning_rate),)
