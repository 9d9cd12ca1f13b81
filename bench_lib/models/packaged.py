"""Models that installed packages hold in other forms, put once into a cache in the form that transformers reads."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import platformdirs

from bench_lib.core.errors import BadData, Unavailable

VARIABLE = "STABBENCH_CACHE"
"""The environment variable that names the folder of the cache in place of the user's own."""

DIGITS = 20
"""Digits of a digest of files, from the hashes that installers check."""


def cache_folder() -> Path:
    """The folder in which converted models are kept."""
    return Path(os.environ.get(VARIABLE) or platformdirs.user_cache_dir("stabbench"))


def versions_and_digest(packages: Sequence[str]) -> str:
    """What is installed of these packages by value; raises `Unavailable` with the command that installs them."""
    found = _distributions(packages)
    versions = "+".join(dict.fromkeys(one.version for one in found))
    return f"{packages[0]}=={versions}@{_digest(found)}"


def joined_zip(name: str, packages: Sequence[str]) -> Path:
    """The folder of a model whose zip file is cut into parts, one in each of the packages, in their order.

    It is unpacked at the first use, which takes seconds. Raises `BadData` for parts that do not make a whole.
    """
    found = _distributions(packages)
    folder = cache_folder() / f"{name}-{_digest(found)}"
    if folder.is_dir():
        return folder
    parts = [_part(one, number) for number, one in enumerate(found, 1)]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        whole = Path(temporary) / "whole.zip"
        with whole.open("wb") as file:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, file)
        try:
            with ZipFile(whole) as archive:
                archive.extractall(temporary)
        except (BadZipFile, zlib.error) as error:
            raise BadData(f"model {name!r} is not whole in {', '.join(packages)}: {error}; reinstall them") from error
        models = sorted(Path(temporary).rglob("config.json"), key=lambda path: len(path.parts))
        if not models:
            raise BadData(f"model {name!r}: {', '.join(packages)} hold no config.json; reinstall them")
        # Another process may have been faster; its folder holds the same.
        with suppress(OSError):
            models[0].parent.rename(folder)
    return folder


def _distributions(packages: Sequence[str]) -> list[Distribution]:
    try:
        return [distribution(package) for package in packages]
    except PackageNotFoundError as error:
        # Without what these packages depend on, which is large and not needed.
        command = f"pip install --no-deps {' '.join(packages)}"
        raise Unavailable(f"the package {error.name} is not installed: {command}") from error


def _digest(found: Sequence[Distribution]) -> str:
    hashes = [
        f"{file.name}\0{file.hash.value}"
        for one in found
        for file in one.files or ()
        if file.hash is not None and ".dist-info" not in str(file)
    ]
    return hashlib.sha256("\0".join(hashes).encode()).hexdigest()[:DIGITS]


def _part(one: Distribution, number: int) -> Path:
    """The part of the zip file in a package, by its extension such as `.zip.001`."""
    ending = f".zip.{number:03}"
    file = next((file for file in one.files or () if file.name.endswith(ending)), None)
    if file is None:
        raise BadData(f"the package {one.name} holds no file that ends with {ending}; reinstall it")
    return Path(str(file.locate()))
