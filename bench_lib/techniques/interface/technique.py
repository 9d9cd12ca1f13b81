"""What every technique declares: a frozen dataclass whose fields are its published hyper-parameters.

It acts by having the methods of the protocols in `hooks`; the harness looks for the hooks and never for a name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, TypedDict, Unpack

from bench_lib.core.spec import Scalar, TechniqueSpec
from bench_lib.tasks.formats import Format
from bench_lib.techniques.interface.bounds import check_bounds
from bench_lib.techniques.interface.definition import check_definition, declare

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


class Declarations(TypedDict, total=False):
    """The keywords of a technique's class statement, which set the class variables of these names."""

    name: str
    family: str
    paper: str
    identity: Mapping[str, Scalar] | None
    version: str
    observer: bool
    packages: tuple[str, ...]
    space: Mapping[str, tuple[Scalar, ...]]
    no_identity: str
    supersedes: Mapping[str, str]
    trimmable: bool
    no_trimming: str


@dataclass(frozen=True)
class Technique:
    """What every technique declares, by keywords of its class statement or by class variables.

    `identity` holds the parameters at which the technique must equal the baseline bit for bit, or None where it has no
    such point. `observer` says that it leaves the trajectory alone, so that it can ride on another training.
    `packages` are the modules that it needs, looked for when runs are planned. `source` is set when a technique is
    loaded from a user's file.

    `space` holds what is tuned beside the profile's learning rate: at most two fields, each with the values to try,
    from the paper or its authors' code where available. Floats may take any value between the smallest and the
    largest, on a logarithmic scale where the values are spaced so; other fields only the listed values.

    `no_identity` is the reason where `identity` is None. `supersedes` names the techniques that cannot be stacked with
    this one, or leave one of both without effect, with the reason: `other` for either order, `other+` where the other
    comes first, `+other` where it comes second.

    `trimmable` says that a run with `trim_vocabulary` trains what one without trains, but for rounding: the word
    embeddings of tokens that no text has count for nothing in it, neither in what it computes nor in what it draws. It
    is not inherited. `no_trimming` is the reason where they count.

    Neither these nor the space are part of a run's identity.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    paper: ClassVar[str]
    identity: ClassVar[Mapping[str, Scalar] | None]
    version: ClassVar[str] = "1"
    observer: ClassVar[bool] = False
    packages: ClassVar[tuple[str, ...]] = ()
    space: ClassVar[Mapping[str, tuple[Scalar, ...]]] = {}
    no_identity: ClassVar[str] = ""
    supersedes: ClassVar[Mapping[str, str]] = {}
    trimmable: ClassVar[bool] = False
    no_trimming: ClassVar[str] = ""
    source: ClassVar[str] = ""

    def __init_subclass__(cls, **declared: Unpack[Declarations]) -> None:
        """Set what the keywords declare; refuse others, and methods that are no hooks or lack their signatures."""
        super().__init_subclass__()
        declare(cls, declared, Declarations.__annotations__)
        if "trimmable" not in vars(cls):
            cls.trimmable = False  # what a child changes, its parent cannot vouch for
        check_definition(cls, Technique)

    def __post_init__(self) -> None:
        """Refuse values outside of the bounds of their fields; a child's own `__post_init__` calls this one first."""
        check_bounds(self)

    def passes(self) -> tuple[int, int]:
        """Forward and backward passes for each micro-batch, the most where steps differ."""
        return (1, 1)

    def passes_at(self, step: int, steps: int) -> tuple[int, int]:
        """Forward and backward passes for each micro-batch of one step, counted from 0, of `steps`."""
        return self.passes()

    def estimation_passes(self) -> tuple[int, int]:
        """Forward and backward passes for each micro-batch of the estimation pass before training."""
        return (0, 0)

    def pretraining_passes(self, epochs: int) -> tuple[int, int]:
        """Forward and backward passes of the pre-training stage for each micro-batch of one epoch of it, at most.

        `epochs` is the number of epochs of the training itself.
        """
        return (0, 0)

    def pools(self) -> int:
        """The number of trained seeds that a seed ensemble combines; 0 for other techniques."""
        return 0

    def predicts_by_several(self) -> bool:
        """Whether several states of the model predict together, as `evaluate_under` then has them do."""
        return False

    def passes_in_fp32(self) -> bool:
        """Whether it passes through the model in fp32 in any profile, for which no weight may be held in bf16."""
        return False

    def selects_on_dev(self) -> bool:
        """Whether the scores that it selects by are those on the dev set, and not on the set that the run reports."""
        return True

    def draws(self) -> tuple[str, ...]:
        """The seed streams that the technique draws from, beside `init`, `order` and `dropout` of every training.

        Comparing runs that differ only in a stream without draws is refused.
        """
        return ()

    def declines(self, task_format: Format) -> str | None:
        """The reason why the technique cannot be used with a task format, or None."""
        return None

    def spec(self) -> TechniqueSpec:
        """The technique by value, labelled with the parameters that differ from the defaults."""
        params = tuple((f.name, getattr(self, f.name)) for f in fields(self))
        changed = [f":{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default]
        label = self.name + "".join(changed)
        return TechniqueSpec(self.name, params, self.version, self.observer, label, self.pools(), self.source)
