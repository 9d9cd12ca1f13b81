"""What every technique declares: a frozen dataclass whose fields are its published hyper-parameters.

It acts by having the methods of the protocols in `hooks`; the harness looks for the hooks and never for a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from bench_lib.core.spec import Scalar, TechniqueSpec
from bench_lib.tasks.formats import Format
from bench_lib.techniques.interface.definition import check_definition

FAMILIES = {
    "baselines": "Baselines and controls",
    "regularisation": "Regularisation and parameter stability",
    "optimisation": "Gradients, optimisers, averaging",
    "layers": "Which layers, and how fast",
    "adversarial": "Adversarial and noise",
    "data": "Data",
    "parameter-efficient": "Parameter-efficient",
    "compression": "Compression, after training",
}


@dataclass(frozen=True)
class Technique:
    """What every technique declares.

    `identity` holds the parameters at which the technique must equal the baseline bit for bit, or None where it has no
    such point. `observer` says that it leaves the trajectory of the training alone, so that it can ride on another's.
    `reads_unlabelled` says that it reads the unlabelled pool, so that no examples can be held out from it. `packages`
    are the modules that it needs, looked for when runs are planned. `source` is set when a technique is loaded from a
    user's file.

    `space` holds what is to be tuned beside the profile's learning rate, which is tuned for every technique: at most
    two fields, each with the values to try, from its paper or its authors' code where they could be had. Of floats all
    between the smallest and the largest may be tried, on a logarithmic scale where the values are spaced so; of whole
    numbers, texts and truth values only those that stand there. An empty space says that nothing of its own is tuned.

    `no_identity` says why there is no identity setting, where `identity` is None. `supersedes` names the techniques
    with which a stack of two is declined or leaves one of them without effect, and why: `other` for either order,
    `other+` where the other one comes first, `+other` where it comes second.

    Neither these nor the space are part of a run's identity.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    paper: ClassVar[str]
    identity: ClassVar[Mapping[str, Scalar] | None]
    version: ClassVar[str] = "1"
    observer: ClassVar[bool] = False
    reads_unlabelled: ClassVar[bool] = False
    packages: ClassVar[tuple[str, ...]] = ()
    space: ClassVar[Mapping[str, tuple[Scalar, ...]]] = {}
    no_identity: ClassVar[str] = ""
    supersedes: ClassVar[Mapping[str, str]] = {}
    source: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        """Refuse a class whose methods are no hooks, or would not be called as it thinks."""
        super().__init_subclass__()
        check_definition(cls, Technique)

    def passes(self) -> tuple[int, int]:
        """Forward and backward passes for each micro-batch, the most where steps differ."""
        return (1, 1)

    def passes_at(self, step: int, steps: int) -> tuple[int, int]:
        """Forward and backward passes for each micro-batch of one step of so many, for a technique whose steps differ.

        Steps are counted from 0.
        """
        return self.passes()

    def estimation_passes(self) -> tuple[int, int]:
        """Forward and backward passes for each micro-batch of the estimation pass before training."""
        return (0, 0)

    def pretraining_passes(self, epochs: int) -> tuple[int, int]:
        """Forward and backward passes that go before the training, for each micro-batch of an epoch of its own.

        That is the training's where both read the same examples; `epochs` is how many the training itself has. It is an
        upper bound where a technique caps itself. What a run took is counted.
        """
        return (0, 0)

    def pools(self) -> int:
        """Seeds that make one record, for a technique that pools trained ones; 0 for any other."""
        return 0

    def draws(self) -> tuple[str, ...]:
        """The seed streams that the technique draws from beside `init`, `order` and `dropout`, as any training does.

        A comparison of runs that differ in a stream which nothing draws from is refused.
        """
        return ()

    def declines(self, task_format: Format) -> str | None:
        """Why the technique cannot be used on tasks of this kind, or None."""
        return None

    def spec(self) -> TechniqueSpec:
        """The technique by value, labelled with the parameters that differ from the published ones."""
        params = tuple((f.name, getattr(self, f.name)) for f in fields(self))
        changed = [f":{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default]
        label = self.name + "".join(changed)
        return TechniqueSpec(self.name, params, self.version, self.observer, label, self.pools(), self.source)
