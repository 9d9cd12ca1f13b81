"""LP-FT: linear probing, then fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench_lib.tasks.formats import Format
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Phase, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.linear_probing import NO_NEW_HEAD, PROBE_RATE, probing


@dataclass(frozen=True)
class LPFT(
    Technique,
    name="lp_ft",
    family="layers",
    paper="Kumar et al. 2022, arXiv:2202.10054",
    identity={"share": 0.0},
    supersedes={"constant": "in few steps each of its phases has one, and a schedule of its own"},
    space={
        "share": (0.25, 0.5, 0.75),  # our choice
        "probe_rate": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),  # our choice
    },
    trimmable=True,
):
    """Train the new head alone at first, then everything from that head on, so that a random head distorts no features.

    grad = 0 for all but the head at steps below share * steps;  then all, with a new optimiser and schedule

    Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", section 3.4. Theirs begins a whole fine-tuning
    from a logistic regression on standardised features. Source:
    AnanyaKumar/transfer_learning:unlabeled_extrapolation/log_reg_sk.py. Here both parts share the budget of fine-tuning
    alone: share 0.5 of the steps, rounded to whole ones, and the probe's rate of 1e-2 are our choices, and either part
    runs through the profile's schedule, warm-up included. The head that is probed is linear in BERT; for whole texts in
    RoBERTa, ELECTRA, DistilBERT, DeBERTa and ModernBERT it has two layers, as `head_layers` in a record's provenance
    says.
    """

    share: float = bounded(0.5, "[0, 1]", "0 (fine-tuning) to 1 (probing)")
    probe_rate: float = bounded(PROBE_RATE, "(0, inf]")

    def declines(self, task_format: Format) -> str | None:
        return NO_NEW_HEAD if task_format.writes_text else None

    def phases(self, training: Training) -> Sequence[Phase]:
        first = round(self.share * training.total_steps)
        if first == 0:
            return ()
        tuning = Phase(first_step=first, trains=lambda name: True, restarts=True)
        return (probing(training, self.probe_rate), *([tuning] if first < training.total_steps else []))
