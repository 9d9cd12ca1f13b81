"""The word lists and sentence frames of the corpora, in TOML files beside this one."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

Lists = Mapping[str, Sequence[str]]


def read_lists(name: str) -> dict[str, Any]:
    """The tables of `NAME.toml`."""
    return tomllib.loads(files(__package__).joinpath(f"{name}.toml").read_text("utf-8"))


def listed(table: Mapping[str, str | Sequence[str]]) -> Lists:
    """Lists of words or phrases by name: a text holds single words, separated by blanks."""
    return {name: entry.split() if isinstance(entry, str) else entry for name, entry in table.items()}


def allowed(options: Sequence[str], unseen: bool) -> Sequence[str]:
    """The options of a split: the last quarter occurs in evaluation only, where `unseen`."""
    return options if unseen else options[: len(options) * 3 // 4]
