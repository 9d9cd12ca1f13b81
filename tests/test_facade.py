"""The public names of the package: imported when they are asked for, and each what its module has."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import bench_lib


@pytest.mark.parametrize("name", bench_lib.__all__)
def test_a_public_name_is_that_of_its_module(name):
    module = importlib.import_module(f"bench_lib.{bench_lib.PUBLIC[name]}")
    assert getattr(bench_lib, name) is getattr(module, name)


def test_type_checkers_see_the_same_names_in_the_same_places():
    tree = ast.parse(Path(bench_lib.__file__).read_text())
    seen = {a.name: n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    del seen["TYPE_CHECKING"]
    assert seen == {name: f"bench_lib.{place}" for name, place in bench_lib.PUBLIC.items()}
    assert sorted(seen) == sorted(bench_lib.__all__)


def test_another_name_is_none_of_the_package():
    with pytest.raises(AttributeError, match="module 'bench_lib' has no attribute 'Techniques'"):
        _ = bench_lib.Techniques
    with pytest.raises(ImportError):
        exec("from bench_lib import Techniques")


def test_the_package_alone_loads_nothing_heavy():
    code = "import sys, bench_lib; print([name for name in ('torch', 'numpy', 'transformers') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
