"""TAPT: language modelling on the task's own texts before fine-tuning."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.pretraining import PretrainingStage, Study
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.language_modeling import LanguageModel, Masking, NewWordHead, every_token

BETA2 = 0.98


@dataclass(frozen=True)
class TAPT(
    Technique,
    name="tapt",
    family="data",
    paper="Gururangan et al. 2020, arXiv:2004.10964",
    identity={"epochs": 0},
    version="2",  # uses the checkpoint's own head, where version 1 always had a new one
    space={
        "learning_rate": (1e-4, 5e-4),  # both of table 13
        "epochs": (10, 30, 100),  # 100 of table 13, less is our choice
    },
    no_trimming="its head for words has a row for every token",
):
    """The body first learns to predict masked words of the training texts, then it is fine-tuned as usual.

    theta <- argmin sum -log p(word | text without it),  over `share` of the words, drawn anew in every epoch

    Gururangan et al. 2020, "Don't Stop Pretraining", section 4. The words are predicted by the head that the checkpoint
    was pre-trained with, as in allenai/dont-stop-pretraining:scripts/run_language_modeling.py, and so are eps 1e-6,
    decay 0.01, 15 % of the words and linear decay of the rate. Where the checkpoint holds no such head, as minilm, a
    new one is drawn and has to learn first; the record says which (`pretrained_head`). The head is dropped afterwards.
    A causal model predicts every next token by its own head, as it was pre-trained, and `share` has no part in that.
    100 epochs, batches of 256, rate 1e-4, warm-up over 0.06 of the steps, beta2 0.98, and the 12,500 steps of a whole
    domain, at which `most_steps` caps the whole epochs of large sets. Source: section 4.1 and table 13 of the paper,
    which has batches of 256 or 2,058 and rates of 1e-4 or 5e-4 without saying which are whose. The number of steps is
    epochs * texts / 256, so that what is right for one size of training set is not for another. A batch is gathered
    from the profile's micro-batches. Techniques that know the pre-trained weights, such as l2_sp, still see those from
    before.
    """

    epochs: int = bounded(100, "[0, inf]")
    batch_size: int = bounded(256, "[1, inf]")
    learning_rate: float = bounded(1e-4, "(0, 1]", "above 0, up to 1")
    warmup: float = bounded(0.06, "[0, 1]", "a share of the steps, 0 to 1")
    share: float = bounded(0.15, "(0, 1]", "a share of the words, above 0, up to 1")
    most_steps: int = bounded(12_500, "[1, inf]", "1 or more; at least one epoch is run")

    def draws(self) -> tuple[str, ...]:
        return ("augment",)

    def pretraining_passes(self, epochs: int) -> tuple[int, int]:
        return (self.epochs, self.epochs)

    def pretrain(self, stage: PretrainingStage) -> None:
        if self.epochs == 0:
            return
        training = stage.training
        generator = np.random.default_rng(training.seed("augment", self.name))
        head = stage.word_head()
        training.report(self.name, "pretrained_head", head is not None)
        model = LanguageModel(training, head or NewWordHead(training, training.generator("init", self.name)))
        mask, vocabulary = stage.pieces()
        chosen = every_token if mask is None else Masking(self.share, mask, vocabulary, generator)
        study = Study(model, chosen, model.loss, next_token=mask is None)
        stage.study(study, self._budget(stage.profile, stage.sequences))

    def _budget(self, profile: Profile, sequences: int) -> Profile:
        """The profile of masked language modelling on a number of sequences."""
        micro = profile.batch_size // profile.accumulate
        parts = math.ceil(self.batch_size / micro)
        steps = math.ceil(sequences / (micro * parts))  # of an epoch
        return dataclasses.replace(
            profile,
            epochs=max(1, min(self.epochs, self.most_steps // steps)),
            batch_size=micro * parts,
            accumulate=parts,
            learning_rate=self.learning_rate,
            schedule="linear",
            warmup=self.warmup,
            weight_decay=0.01,
            beta1=0.9,
            beta2=BETA2,
            eps=1e-6,
        )
