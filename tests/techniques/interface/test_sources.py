"""The version of a file covers what it imports from outside installed packages, and what runs is what it names."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import BenchError
from bench_lib.core.registry import _points
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.plugin import load_plugin
from bench_lib.techniques.interface.sources import is_own

BODY = '''
@dataclass(frozen=True)
class Mine(Technique):
    """Does what the test wants."""

    name = "mine"
    family = "baselines"
    paper = "none"
    identity = None

    def _number(self):
        {number}
'''
HEAD = """
import sys, json
from dataclasses import dataclass
from pathlib import Path
from bench_lib.techniques.interface.technique import Technique
"""
ON_PATH = "sys.path.insert(0, str(Path(__file__).parent))\n"
BY_PATH = """import importlib.util
spec = importlib.util.spec_from_file_location("any", Path(__file__).with_name("helper.py"))
helper = importlib.util.module_from_spec(spec)
spec.loader.exec_module(helper)
"""
AS_TEXT = """path = Path(__file__).with_name("helper.py")
exec(compile(path.read_text(), str(path), "exec"))
"""

WAYS = {
    "import": (f"{ON_PATH}import helper\n", "return helper.NUMBER"),
    "from": (f"{ON_PATH}from helper import NUMBER\n", "return NUMBER"),
    "of a package": (f"{ON_PATH}from parts.inner import NUMBER\n", "return NUMBER"),
    "by another": (f"{ON_PATH}from between import NUMBER\n", "return NUMBER"),
    "in a function": (ON_PATH, "import helper; return helper.NUMBER"),
    "in a function, by another": (ON_PATH, "from between import NUMBER; return NUMBER"),
    "in a function, by name": (ON_PATH, "import importlib; return importlib.import_module('helper').NUMBER"),
    "by path": (BY_PATH, "return helper.NUMBER"),
    "as text": (AS_TEXT, "return NUMBER"),
    "relative": ("from .helper import NUMBER\n", "return NUMBER"),
    "relative module": ("from . import helper\n", "return helper.NUMBER"),
    "relative, in a function": ("", "from .helper import NUMBER; return NUMBER"),
    "relative, upwards": ("from ..work.helper import NUMBER\n", "return NUMBER"),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = tmp_path / "work"
    (made / "parts").mkdir(parents=True)
    (made / "parts" / "__init__.py").write_text("")
    (made / "between.py").write_text("from helper import NUMBER\n")
    return made


def written(folder: Path, top: str, number: str, value: int) -> Path:
    (folder / "helper.py").write_text(f"NUMBER = {value}\n")
    (folder / "parts" / "inner.py").write_text(f"NUMBER = {value}\n")
    path = folder / "mine.py"
    path.write_text(HEAD + top + BODY.format(number=number))
    return path


def loaded(path: Path) -> tuple[str, Any]:
    technique: Any = load_plugin(f"{path}:Mine")
    return technique.version, technique()._number()


@pytest.mark.exhaustive
@pytest.mark.parametrize("way", WAYS)
def test_another_helper_is_another_version_and_runs(folder: Path, way: str) -> None:
    before, number = loaded(written(folder, *WAYS[way], value=1))
    assert number == 1
    assert loaded(folder / "mine.py") == (before, 1)
    after, number = loaded(written(folder, *WAYS[way], value=2))
    assert (number, after != before) == (2, True)
    assert loaded(written(folder, *WAYS[way], value=1)) == (before, 1)


@pytest.mark.parametrize("top", ["", "import numpy, bench_lib.runner.sweep, sklearn\n"])
def test_a_file_that_stands_alone_has_the_hash_of_its_text(folder: Path, top: str) -> None:
    path = written(folder, top, "return 1", value=1)
    assert loaded(path)[0] == hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def test_a_helper_elsewhere_counts_and_where_it_lies_does_not(folder: Path, tmp_path: Path) -> None:
    versions = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "helper_elsewhere.py").write_text("NUMBER = 1\n")
        sys.path.insert(0, str(tmp_path / name))
        versions.append(loaded(written(folder, "import helper_elsewhere\n", "return helper_elsewhere.NUMBER", 0)))
        sys.path.remove(str(tmp_path / name))
    assert versions[0] == versions[1]
    (tmp_path / "one" / "helper_elsewhere.py").write_text("NUMBER = 2\n")
    sys.path.insert(0, str(tmp_path / "one"))
    assert loaded(folder / "mine.py")[1] == 2


def test_helpers_of_one_name_are_not_mixed_up(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "parts").mkdir(parents=True)
    one, two = written(folder, *WAYS["in a function"], value=1), written(other, *WAYS["in a function"], value=2)
    for _ in range(2):
        assert loaded(one)[1] == 1
        assert loaded(two)[1] == 2


def test_a_helper_that_lies_beside_a_file_and_is_not_on_the_path_is_named(folder: Path) -> None:
    with pytest.raises(BenchError, match=r"No module named 'helper'; helper\.py lies beside it, in a folder that is"):
        loaded(written(folder, "import helper\n", "return 0", value=1))


def test_what_is_installed_is_not_ones_own(tmp_path: Path) -> None:
    import json

    import numpy

    import bench_lib.runner.sweep

    for module in (json, numpy, bench_lib.runner.sweep):
        assert not is_own(str(module.__file__))
    assert is_own(__file__)
    assert not is_own("<string>")
    assert not is_own(str(tmp_path / "none.py"))


def test_the_version_of_an_installed_technique_has_the_packages_and_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions = []
    monkeypatch.syspath_prepend(str(tmp_path))
    information = tmp_path / "offering-1.0.dist-info"
    information.mkdir()
    (information / "entry_points.txt").write_text("[stabbench.techniques]\nmine = offering:Mine\n")
    for package, number in (("1.0", 1), ("1.1", 1), ("1.1", 22)):
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: offering\nVersion: {package}\n")
        (tmp_path / "offering.py").write_text(HEAD + BODY.format(number=f"return {number}"))
        for forgotten in (_points.cache_clear, lambda: sys.modules.pop("offering", None)):
            forgotten()
        found = TECHNIQUES.get("mine")
        assert TECHNIQUES.get("mine").version == found.version
        versions.append(found.version)
    _points.cache_clear()
    del sys.modules["offering"]
    assert [version.split(",")[0] for version in versions] == ["1 (offering 1.0", "1 (offering 1.1", "1 (offering 1.1"]
    assert len(set(versions)) == 3
