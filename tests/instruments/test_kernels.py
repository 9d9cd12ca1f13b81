from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from bench_lib.core.errors import BadValue
from bench_lib.instruments import kernels
from bench_lib.instruments.determinism import isolated
from bench_lib.instruments.kernels import VARIABLE, Products, bf16_products


@pytest.fixture(autouse=True)
def unknown(monkeypatch):
    """A process that has not tried yet, and forgets what it finds."""
    monkeypatch.delenv(VARIABLE, raising=False)
    bf16_products.cache_clear()
    yield
    bf16_products.cache_clear()


@pytest.mark.parametrize(
    ("slowdown", "expected"), [(0.5, "native"), (1.2, "native"), (1.3, "emulated"), (20, "emulated")]
)
def test_what_is_fast_decides(monkeypatch, slowdown, expected):
    monkeypatch.setattr(kernels, "_slowdown", lambda: slowdown)
    assert bf16_products() is Products(expected)


def test_it_is_tried_once_and_told_to_workers(monkeypatch):
    tries = []
    monkeypatch.setattr(kernels, "_slowdown", lambda: tries.append(1) or 20.0)
    assert [bf16_products() for _ in range(3)] == [Products.EMULATED] * 3
    assert len(tries) == 1
    assert os.environ[VARIABLE] == "emulated"


@pytest.mark.parametrize("asked", list(Products))
def test_the_variable_decides_in_its_place(monkeypatch, asked):
    monkeypatch.setenv(VARIABLE, asked)
    monkeypatch.setattr(kernels, "_slowdown", lambda: pytest.fail("measured all the same"))
    assert bf16_products() is asked


def test_a_value_that_it_cannot_have_is_refused(monkeypatch):
    monkeypatch.setenv(VARIABLE, "fast")
    with pytest.raises(BadValue, match=f"{VARIABLE} is 'fast'; allowed: native or emulated"):
        bf16_products()


def test_it_is_found_out_before_a_run_whose_environment_is_restored(monkeypatch):
    monkeypatch.setattr(kernels, "_slowdown", lambda: 20.0)
    with isolated(1, torch.device("cpu")) as left:
        assert bf16_products() is Products.EMULATED
    assert not left
    assert os.environ[VARIABLE] == "emulated"


def test_trying_draws_no_number_and_leaves_modes_as_they_were():
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    with torch.autocast("cpu", torch.bfloat16):
        assert kernels._slowdown() > 0
        assert torch.is_autocast_enabled("cpu")
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert torch.equal(torch.get_rng_state(), state)


def test_a_processor_without_kernels_for_it_is_found_out():
    """In a process of its own, in which oneDNN and torch may use AVX2 at most, as on many desktops."""
    limited = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
    code = "from bench_lib.instruments.kernels import bf16_products; print(bf16_products().value)"
    done = subprocess.run([sys.executable, "-c", code], env=limited, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["emulated"]


@pytest.mark.parametrize(
    ("capability", "names"), [("AVX512", ["SSE4.1", "AVX2"]), ("AVX2", ["SSE4.1"]), ("DEFAULT", []), ("SVE256", [])]
)
def test_lesser_processors_are_those_below_this_one(monkeypatch, capability, names):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    found = kernels.lesser_processors()
    assert list(found) == names
    assert all(environment[VARIABLE] == "emulated" for environment in found.values())


def test_torch_takes_the_kernels_of_a_lesser_processor():
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    limited = {**os.environ, **kernels.LESSER["SSE4.1"]}
    done = subprocess.run([sys.executable, "-c", code], env=limited, capture_output=True, text=True, check=True)
    assert done.stdout.split() in (["DEFAULT"], ["NO", "AVX"])
    assert not done.stderr
