"""Which versions of packages are installed."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version


def installed(packages: Iterable[str]) -> list[str]:
    """The versions of packages, empty text for one that is not installed."""
    return [_version(package) for package in packages]


@functools.cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
