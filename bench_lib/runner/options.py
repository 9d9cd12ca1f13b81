"""Parse the grid options that `stabbench run` and the pytest plugin share."""

from __future__ import annotations

from collections.abc import Mapping

from bench_lib.core.errors import BadValue, UnknownName, require
from bench_lib.core.parameters import read_value
from bench_lib.core.record import Status
from bench_lib.core.seeds import LARGEST, STREAMS, Frozen, is_seed, parse_vary
from bench_lib.core.spec import Profile, Scalar

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
    "also": (
        "SET+SET,...",
        "robustness sets of --data DIR in one more evaluation each: squad_adversarial, imdb_contrast, imdb_cad, "
        "checklist_sentiment; training examples that they repeat are left out",
    ),
    "forgetting": (
        "TEXT,...",
        "general text on which perplexity is measured before and after: generated, or folder for general_text.txt of "
        "--data DIR (default: it is not)",
    ),
}
"""Profile fields that are command-line options: metavar and help text."""


def axes_of(given: Mapping[str, str | None], prefix: str) -> Axes:
    """The axes of the given options, in the order of `AXES`; `prefix` starts the option names in messages."""
    found = ((name, given.get(name)) for name in AXES)
    return tuple((name, _values(name, text, prefix)) for name, text in found if text is not None)


def _values(name: str, text: str, prefix: str) -> tuple[Scalar, ...]:
    option = f"{prefix}{name.replace('_', '-')}"
    texts = [part.strip() for part in text.split(",")]
    everything = {EVERYTHING: "None"} if name == "train_examples" else {}
    return tuple(dict.fromkeys(read_value(everything.get(part, part), Profile, name, option) for part in texts))


def parse_frozen_configurations(vary: str | None, freeze: str | None, seeds: tuple[int, ...]) -> tuple[Frozen, ...]:
    """The frozen-seed configurations of `--vary` and `--freeze`; None for an option not given."""
    if vary is None:
        return (parse_frozen("subset=0" if freeze is None else freeze),)
    require(freeze != "none", "--freeze", freeze, "STREAM=SEED beside --vary, which freezes what it does not name")
    return parse_vary(vary, seeds, () if freeze is None else parse_frozen(freeze))


def parse_frozen(text: str) -> Frozen:
    """Parse frozen streams from text such as `subset=0,order=3`, or `none`."""
    if text == "none":
        return ()
    frozen: dict[str, int] = {}
    for part in text.split(","):
        stream, _, seed = part.strip().partition("=")
        if stream not in STREAMS or not is_seed(seed) or stream in frozen:
            allowed = f"STREAM=SEED once for a stream of {', '.join(STREAMS)}, with a seed up to {LARGEST}; or none"
            raise BadValue("--freeze", part, allowed)
        frozen[stream] = int(seed)
    return tuple(sorted(frozen.items()))


def parse_statuses(text: str) -> frozenset[Status]:
    """Parse statuses from text such as `crashed,oom`."""
    given = [part.strip() for part in text.split(",")] if text else []
    for name in given:
        if name not in list(Status):
            raise UnknownName("status in --retry", name, map(str, Status))
    return frozenset(map(Status, given))
