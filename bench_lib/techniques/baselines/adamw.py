"""The strong baseline."""

from __future__ import annotations

from dataclasses import dataclass

from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class AdamW(
    Technique,
    name="adamw",
    family="baselines",
    paper="Mosbach et al. 2021, arXiv:2006.04884",
    identity={},
    observer=True,
    trimmable=True,
):
    """AdamW with bias correction, linear warm-up and decay, and the gradient's norm clipped at 1: the profile as it is.

    theta <- theta - lr * (m_hat / (sqrt(v_hat) + eps) + wd * theta)

    Mosbach et al. 2021, "On the Stability of Fine-tuning BERT", section 6: lr 2e-5, batch 16, warm-up over 10 % of the
    steps, weight decay 0.01, eps 1e-6. Source:
    uds-lsv/bert-stable-fine-tuning:examples/bert_stable_fine_tuning/configs/rte. All of these are the defaults of
    `Profile`, so it has no field of its own; their 20 epochs are `longer`. As it leaves the profile's training alone,
    the observers share one training with it.
    """
