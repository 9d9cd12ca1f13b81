from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from bench_lib.core.errors import BadPlan, Unavailable
from bench_lib.core.extras import EXTRAS, check_installed, install, is_installed, optional
from bench_lib.models.translation import Marian
from bench_lib.runner.grid import Grid, plan
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.toolkit.peft_injection import LOW_RANK

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CODE = {package: extra for extra, packages in EXTRAS.items() for package in packages}
NEEDING = [(t.name, package) for t in TECHNIQUES for package in t.packages]


APART = {"ray", "slurm", "objects", "trackio", "tensorboard", "wandb", "mlflow"}
"""Extras that `all` leaves out."""


def _name(requirement: str) -> str:
    """The module that a requirement brings."""
    name = re.split(r"[<>=\[]", requirement)[0].replace("-", "_")
    return {"mlflow_skinny": "mlflow"}.get(name, name)


def test_the_extras_are_those_of_the_package() -> None:
    declared = {name: [_name(r) for r in found] for name, found in PROJECT["optional-dependencies"].items()}
    assert {name: list(packages) for name, packages in EXTRAS.items()} == {name: declared[name] for name in EXTRAS}
    assert declared["all"] == ["stabbench"]
    assert PROJECT["optional-dependencies"]["all"] == [
        f"stabbench[{','.join(name for name in EXTRAS if name not in APART)}]"
    ]
    assert PROJECT["optional-dependencies"]["test"][0] == "stabbench[all]"
    assert not CODE.keys() & {_name(requirement) for requirement in PROJECT["dependencies"]}


def test_a_package_that_is_there_is_imported() -> None:
    with optional("json"):
        import json
    assert json.loads("1") == 1


@pytest.mark.parametrize(("package", "extra"), CODE.items())
def test_a_missing_package_is_named_with_what_to_install(
    package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    expected = f"the package {package} is not installed: pip install 'stabbench[{extra}]'"
    with pytest.raises(Unavailable) as caught, optional(package):
        __import__(package)
    assert str(caught.value) == expected
    with pytest.raises(Unavailable) as caught:
        check_installed(["json", package], "something")
    assert str(caught.value) == f"something: {expected}"


def test_another_way_out_is_told() -> None:
    expected = r"not_there_at_all is not installed: pip install not_there_at_all; do without$"
    with pytest.raises(Unavailable, match=expected), optional("not_there_at_all", "do without"):
        __import__("not_there_at_all")


def test_a_package_that_does_not_load_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_there.py").write_text("import not_there_at_all")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert is_installed("half_there")
    expected = "half_there cannot be imported .ModuleNotFoundError: No module named 'not_there_at_all'"
    with pytest.raises(Unavailable, match=expected), optional("half_there"):
        __import__("half_there")


def test_what_a_package_raises_otherwise_passes() -> None:
    with pytest.raises(ValueError, match="mine"), optional("json"):
        raise ValueError("mine")


def test_installed_is_known_without_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    assert is_installed("this")
    assert "this" not in sys.modules
    assert not is_installed("not_there_at_all")
    assert install("not_there_at_all") == "pip install not_there_at_all"


@pytest.mark.parametrize(("name", "package"), NEEDING)
def test_a_plan_names_the_package_that_a_technique_needs(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(BadPlan) as caught:
        plan(Grid(("sst2",), ("adamw", f"llrd+{name}"), (0,), "smoke", "tiny"))
    assert caught.value.problems == (
        f"{name}: the package {package} is not installed: pip install 'stabbench[{CODE[package]}]'",
    )


def test_every_technique_that_imports_what_is_optional_says_so() -> None:
    needing = dict(NEEDING)
    for technique in TECHNIQUES:
        text = Path(str(sys.modules[technique.__module__].__file__)).read_text()
        found = [package for package in CODE if f'optional("{package}")' in text or "add_low_rank" in text]
        assert bool(found) == (technique.name in needing), technique.name
    optimisers = {"lion", "sgd", "lamb", "schedule_free"}
    assert set(needing) == {*LOW_RANK, "adalora", "prefix", "ia3", *optimisers, "quantize_dynamic_int8"}


def test_a_translation_model_needs_its_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentencepiece", None)
    with pytest.raises(Unavailable, match=r"sentencepiece is not installed: pip install .stabbench\[translation\]"):
        Marian.load("owner/model", "0" * 40)


@pytest.mark.exhaustive
def test_without_any_of_them_a_run_is_trained_and_reported(tmp_path: Path) -> None:
    blocked = [package for package in CODE if package not in ("pytest", "pytest_benchmark")]
    store = ("--store", str(tmp_path / "runs"))
    run = ["run", "--profile", "smoke", "--model", "tiny", "--tasks", "sst2", "--seeds", "0", *store]
    report = ["report", *store, "--out", str(tmp_path / "reports")]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); from bench_lib.cli import main; "
        f"sys.exit(main({run!r}) or main({report!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "reports" / "index.html").is_file()
