"""The options that let a field of the profile take several values: every one of them is run, and all combinations."""

from __future__ import annotations

import argparse
from dataclasses import fields

from bench_lib.settings import read_value
from bench_lib.spec import Profile, Scalar

Axes = tuple[tuple[str, tuple[Scalar, ...]], ...]

EVERYTHING = "all"
AXES = {
    "train_examples": ("N,...", "sizes of the training set, or all; 0 is the score before training"),
    "per_class": ("N,...", "training examples of each class, in place of --train-examples"),
    "label_noise": ("SHARE,...", "shares of the training labels that are made wrong"),
    "perturb": ("SHARE,...", "shares of the words that are changed in one more evaluation (default: none is made)"),
    "attack": (
        "EPSILON,...",
        "norms of an attack on the word embeddings in one more evaluation (default: none is made)",
    ),
}
"""Fields of a profile that are options of `run`, what stands for their values, and what they are."""


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of the axes; each takes several values, of which all combinations are run."""
    group = command.add_argument_group(
        "axes", "settings of the profile, for which several values may be given: every combination is run"
    )
    for name, (values, text) in AXES.items():
        group.add_argument(f"--{name.replace('_', '-')}", metavar=values, help=text)


def parse_axes(options: argparse.Namespace) -> Axes:
    """The axes that the options give, in the order of `AXES`; a value of another type raises `BadValue`."""
    return tuple((name, _values(name, getattr(options, name))) for name in AXES if getattr(options, name) is not None)


def _values(name: str, text: str) -> tuple[Scalar, ...]:
    (field,) = (f for f in fields(Profile) if f.name == name)
    option = f"--{name.replace('_', '-')}"
    texts = [part.strip() for part in text.split(",")]
    everything = {EVERYTHING: "None"} if name == "train_examples" else {}
    return tuple(dict.fromkeys(read_value(everything.get(part, part), field, option) for part in texts))
