"""Other dropout rates, by part of the model."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.dropout_rates import check_needed, dropout_places


@dataclass(frozen=True)
class Dropout(
    Technique,
    name="dropout",
    family="regularisation",
    paper="Srivastava et al. 2014, jmlr.org/papers/v15/srivastava14a.html",
    identity={"hidden": None, "attention": None, "head": None},
    space={
        "hidden": (0.0, 0.1, 0.2),  # our choice
        "attention": (0.0, 0.1, 0.2),  # our choice
    },
    trimmable=True,
):
    """Set the rates at which hidden states, attention probabilities and the head's input are dropped.

    y = x * M / (1 - rate),  M ~ Bernoulli(1 - rate) for each element, while training

    Srivastava et al. 2014, "Dropout". 0.2 is our choice: 0.1 is BERT's own, at which this technique would do nothing,
    and 0 is what many techniques ask for. None keeps the model's rate or the one that the profile set. Hidden states
    are those of the embeddings and of the blocks; a model that lacks one of the three, as a head for spans does, goes
    without it.
    """

    hidden: float | None = bounded(0.2, "[0, 1) or None")
    attention: float | None = bounded(0.2, "[0, 1) or None")
    head: float | None = bounded(0.2, "[0, 1) or None")

    def prepare(self, training: Training) -> None:
        rates = {place: rate for place, rate in asdict(self).items() if rate is not None}
        found = [(site, place) for site, place in dropout_places(training) if place in rates]
        if rates and not found:
            model = type(training.model).__name__
            raise Unsupported(f"dropout finds no place in {model} that drops out, for any of: {', '.join(rates)}")
        for site, place in found:
            site.set(rates[place])
        check_needed(training)
