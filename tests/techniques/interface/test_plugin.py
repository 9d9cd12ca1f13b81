from __future__ import annotations

import dataclasses
import sys

import pytest

from bench_lib.core.errors import BadValue, BenchError, UnknownName
from bench_lib.core.registry import _points
from bench_lib.runner.execute import execute
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.plugin import load_plugin
from bench_lib.techniques.interface.stack import from_spec, parse_stack

SOURCE = '''
from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bench_lib.core.spec import Profile, Scalar
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Half(Technique):
    """Half the rate."""

    name: ClassVar[str] = "half"
    family: ClassVar[str] = "baselines"
    paper: ClassVar[str] = "none"
    identity: ClassVar[Mapping[str, Scalar] | None] = {"share": 1.0}

    share: float = 0.5

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.share * profile.learning_rate)


class Other:
    pass


class Bare(Technique):
    pass


class Loose(Half):
    name = "loose"


@dataclass(frozen=True)
class Taken(Half):
    name: ClassVar[str] = "adamw"
'''


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "half.py"
    path.write_text(SOURCE)
    return path


def test_a_file_is_a_technique_with_settings_and_in_stacks(file):
    stack = parse_stack(f"{file}:Half:share=0.25+llrd", TECHNIQUES)
    assert [t.name for t in stack.techniques] == ["half", "llrd"]
    first = stack.spec()[0]
    assert (first.label, first.source) == ("half:share=0.25", f"{file}:Half")
    assert from_spec(stack.spec(), TECHNIQUES) == stack


def test_its_version_is_its_text(file):
    (before,) = parse_stack(f"{file}:Half", TECHNIQUES).spec()
    assert parse_stack(f"{file}:Half", TECHNIQUES).spec() == (before,)
    file.write_text(SOURCE + "# changed\n")
    (after,) = parse_stack(f"{file}:Half", TECHNIQUES).spec()
    assert before.version != after.version
    with pytest.raises(BenchError, match="the spec asks for half version"):
        from_spec((before,), TECHNIQUES)


def test_where_the_file_lies_is_no_part_of_the_identity(file, tmp_path, make_spec):
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "copy.py"
    copy.write_text(SOURCE)
    first, second = make_spec("sst2", f"{file}:Half"), make_spec("sst2", f"{copy}:Half")
    assert first.stack != second.stack
    assert first.run_id() == second.run_id()


def test_it_trains_and_its_identity_setting_is_the_baseline(file, make_spec):
    short = {"train_examples": 16, "eval_examples": 8}
    (record,) = execute([make_spec("sst2", f"{file}:Half", **short)])
    (identity,) = execute([make_spec("sst2", f"{file}:Half:share=1.0", **short)])
    (base,) = execute([make_spec("sst2", **short)])
    assert record.technique == "half"
    assert record.curve.learning_rate == pytest.approx([rate / 2 for rate in base.curve.learning_rate])
    assert identity.curve.loss == base.curve.loss


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("{file}", BadValue, r"technique from a file is '.*half\.py:'; allowed: PATH\.py:Class"),
        ("{file}:Halve", UnknownName, r"unknown class of .*half\.py 'Halve': did you mean 'Half'"),
        (
            "{file}:Other",
            BenchError,
            r"half\.py:Other is not a child of bench_lib\.techniques\.interface\.technique\.Technique",
        ),
        ("{file}:Bare", BenchError, r"half\.py:Bare does not declare name, family, paper, identity"),
        ("{file}:Loose", BenchError, r"half\.py:Loose is not a frozen dataclass"),
        ("{file}:Taken", BenchError, r"half\.py:Taken calls itself 'adamw', which is registered already"),
        ("{file}:Half:shre=1.0", UnknownName, "unknown field of technique half 'shre': did you mean 'share'"),
        ("no/such.py:Half", BenchError, r"the technique's file no/such\.py cannot be read: No such file"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(file, text, error, message):
    with pytest.raises(error, match=message):
        parse_stack(text.format(file=file), TECHNIQUES)


@pytest.mark.parametrize(("text", "message"), [("1 / 0", "ZeroDivisionError"), ("def", "SyntaxError")])
def test_a_file_that_does_not_run_is_named_and_leaves_nothing(tmp_path, text, message):
    path = tmp_path / "broken.py"
    path.write_text(text)
    before = set(sys.modules)
    with pytest.raises(BenchError, match=rf"running .*broken\.py raised {message}"):
        load_plugin(f"{path}:Half")
    assert not [name for name in set(sys.modules) - before if name.startswith("stabbench_plugin")]


def offered(tmp_path, monkeypatch, points: str, group: str = "stabbench.techniques") -> None:
    """An installed package that offers entry points, and the module `offering` that they may name."""
    (tmp_path / "offering.py").write_text(SOURCE)
    information = tmp_path / "offering-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{group}]\n{points}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "offering", raising=False)


@pytest.fixture
def fresh_points():
    _points.cache_clear()
    yield
    _points.cache_clear()
    sys.modules.pop("offering", None)


@pytest.mark.usefixtures("fresh_points")
def test_an_installed_package_offers_a_technique_that_is_loaded_when_asked_for(tmp_path, monkeypatch):
    offered(tmp_path, monkeypatch, "half = offering:Half")
    assert TECHNIQUES.names()[-1] == "half"
    assert "half" in TECHNIQUES
    assert "offering" not in sys.modules
    (technique,) = parse_stack("half:share=0.1", TECHNIQUES).techniques
    assert dataclasses.asdict(technique) == {"share": 0.1}


@pytest.mark.usefixtures("fresh_points")
@pytest.mark.parametrize(
    ("points", "message"),
    [
        ("half = nowhere:Half", r"'half' of the installed package offering cannot be loaded: ModuleNotFoundError"),
        ("half = offering:Other", r"'half' of the installed package offering is not a child"),
        ("mine = offering:Half", r"calls itself 'half'; the two names must be the same"),
        ("adamw = offering:Taken", r"offering offers the technique 'adamw', and this package has one"),
    ],
)
def test_a_package_that_offers_nonsense_is_named(tmp_path, monkeypatch, points, message):
    offered(tmp_path, monkeypatch, points)
    name = points.split(" ")[0]
    with pytest.raises(BenchError, match=message):
        # What takes a built-in name is met by whoever looks at all of them.
        list(TECHNIQUES) if name == "adamw" else TECHNIQUES.get(name)


@pytest.mark.usefixtures("fresh_points")
def test_tasks_are_offered_alike(tmp_path, monkeypatch):
    from bench_lib.runner.grid import all_tasks
    from bench_lib.tasks import STANDARD, TASKS

    offered(tmp_path, monkeypatch, "mine = offering:Half", group="stabbench.tasks")
    assert (TASKS.names()[-1], all_tasks("hub")) == ("mine", (*STANDARD, "mine"))
    with pytest.raises(BenchError, match=r"the task 'mine' of the installed package offering is not a bench_lib"):
        TASKS.get("mine")
