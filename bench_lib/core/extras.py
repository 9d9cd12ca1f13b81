"""Optional packages, and the commands that install them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec

from bench_lib.core.errors import Unavailable, described

EXTRAS: Mapping[str, tuple[str, ...]] = {
    "hub": ("datasets",),
    "decoder": ("gguf",),
    "peft": ("peft",),
    "optimizers": ("pytorch_optimizer",),
    "quantization": ("torchao",),
    "translation": ("sentencepiece",),
    "wordnet": ("nltk",),
    "generation": ("sacrebleu", "rouge_score"),
    "benchmarks": ("pytest", "pytest_benchmark"),
    "ray": ("ray",),
    "trackio": ("trackio",),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow", "sqlalchemy", "alembic"),
    "slurm": ("submitit",),
    "objects": ("obstore",),
}
"""The extras of `pip install 'stabbench[EXTRA]'`, and the modules that each brings."""


@contextmanager
def optional(package: str, otherwise: str = "") -> Iterator[None]:
    """A context for importing an optional package: a failure raises `Unavailable` with the command that installs it.

    The message ends with `otherwise`, an alternative.
    """
    try:
        yield
    except ImportError as error:
        installed = (error.name or package).partition(".")[0] != package
        raise _unavailable(
            package, otherwise, f"cannot be imported ({described(error)})" if installed else ""
        ) from error


def check_installed(packages: Iterable[str], what: str) -> None:
    """Raise `Unavailable` for the first missing package, without imports; the message begins with `what` needs them."""
    for package in packages:
        if not is_installed(package):
            raise Unavailable(f"{what}: {_unavailable(package)}")


def is_installed(package: str) -> bool:
    """Whether a package can be imported, as far as that is known without importing it."""
    if package in sys.modules:
        return sys.modules[package] is not None
    return find_spec(package) is not None


def install(package: str) -> str:
    """The command that installs a package."""
    extra = next((name for name, modules in EXTRAS.items() if package in modules), "")
    return f"pip install 'stabbench[{extra}]'" if extra else f"pip install {package}"


def _unavailable(package: str, otherwise: str = "", why: str = "") -> Unavailable:
    hint = f"; {otherwise}" if otherwise else ""
    return Unavailable(f"the package {package} {why or 'is not installed'}: {install(package)}{hint}")
