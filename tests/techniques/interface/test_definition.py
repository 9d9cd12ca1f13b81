"""Methods that would never be called, or not as they think, are refused as a class is made; mixins and fields pass."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from bench_lib.core.errors import BenchError
from bench_lib.core.registry import _points
from bench_lib.core.spec import TechniqueSpec
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.declared import check_technique
from bench_lib.techniques.interface.hooks import AfterBackward
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.techniques.interface.technique import Technique

HEAD = '''
from dataclasses import dataclass
from functools import cached_property, partialmethod
from typing import ClassVar

from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.interface.hooks import AfterBackward

class Mixin:
    def after_backward(self, training): pass
    def description(self): return "of no concern"

class Wrong:
    def after_updates(self, training): pass

@dataclass(frozen=True)
class Mine({bases}):
    """Does what the test wants."""

    name = "mine"
    family = "baselines"
    paper = "none"
    identity = None

    {body}
'''

REFUSED = {
    "def after_backwards(self, training): pass": "'after_backwards' is no hook, .*did you mean 'after_backward'?",
    "def After_Backward(self, training): pass": "did you mean 'after_backward'?",
    "def afterUpdate(self, training): pass": "did you mean 'after_update'?",
    "def prepares(self, training): pass": "did you mean 'prepare'?",
    "def helper(self): pass": "'helper' is no hook, and a method or property of its own begins with an underscore",
    "after_backwards = lambda self, training: None": "did you mean 'after_backward'?",
    "after_backwards = staticmethod(print)": "did you mean 'after_backward'?",
    "after_backwards = partialmethod(print)": "did you mean 'after_backward'?",
    "@property\n    def after_backwards(self): pass": "did you mean 'after_backward'?",
    "@cached_property\n    def after_backwards(self): pass": "did you mean 'after_backward'?",
    "@classmethod\n    def after_backwards(cls, training): pass": "did you mean 'after_backward'?",
    "@property\n    def size(self): return 3": "'size' is no hook, .*: hooks are configure, augment, .*the nearest is",
    "groups: int = 3": "the field 'groups' bears the name of a hook",
    "loss: float = 3.0": "the field 'loss' bears the name of a hook",
    "passes: int = 2": "the field 'passes' bears the name of a hook",
    "update: ClassVar[int] = 3": "the field 'update' bears the name of a hook",
    "phases = 3": "'phases' is a hook, and must be a plain method, not an attribute",
    "phases = property(lambda self: [])": "'phases' is a hook, and must be a plain method, not a property",
    "@staticmethod\n    def after_update(training): pass": "must be a plain method, not a staticmethod",
    "@classmethod\n    def after_update(cls, training): pass": "must be a plain method, not a classmethod",
    "after_update = partialmethod(print)": "must be a plain method, not a",
    "class after_update: pass": "must be a plain method, not a",
    "async def after_update(self, training): pass": "is called, not awaited",
    "def after_update(self, training): yield": "is a generator, of which nothing runs",
    "def after_update(self): pass": r"after_update\(self\) does not take \(self, training\): too many positional",
    "def after_update(self, training, more): pass": "does not take .*missing a required argument: 'more'",
    "def after_update(self, training, *, more): pass": "does not take .*missing a required",
    "def groups(self, training, groups): pass": r"calls 'training' what \(self, groups, training\) calls 'groups'",
    "def after_update(self, run): pass": "calls 'run' what .* calls 'training'; name it as the hook does",
    "def groups(self, found, training): return found": "calls 'found' what .* calls 'groups'",
    "def declines(self): pass": r"declines\(self\) does not take \(self, task_format\)",
    "def draws(self, more): pass": "missing a required argument: 'more'",
    "draws = ('augment',)": "must be a plain method",
    "def stop(self, history): return True": "stop stands without select, and is not called",
}

ACCEPTED = [
    "def after_update(self, training): pass",
    "def after_update(self, _run, more=None): pass",
    "def after_update(self, *given): pass",
    "after_update = None",
    "def _helper(self): pass",
    "strength: float = 1.0\n    def __post_init__(self): pass",
    "limit: ClassVar[int] = 3",
    "@property\n    def _size(self): return 3",
    "class State: pass",
    "def groups(self, groups, _): return groups",
    "LIMIT = 3",
]


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    def made(body: str, bases: str = "Technique") -> Any:
        path = tmp_path / "mine.py"
        path.write_text(HEAD.format(body=body, bases=bases))
        (technique,) = parse_stack(f"{path}:Mine", TECHNIQUES).techniques
        return technique

    return made


@pytest.mark.parametrize("body", REFUSED)
def test_a_method_that_is_not_called_is_refused_with_the_nearest_hook(load: Callable[..., Any], body: str) -> None:
    with pytest.raises(BenchError, match=REFUSED[body]) as caught:
        load(body)
    assert "the technique Mine of " in str(caught.value)
    assert "mine.py" in str(caught.value)


@pytest.mark.parametrize("body", ACCEPTED)
def test_hooks_fields_and_private_methods_pass(load: Callable[..., Any], body: str) -> None:
    assert load(body).name == "mine"


def test_a_class_is_refused_where_it_is_defined() -> None:
    with pytest.raises(BenchError, match=r"'after_backwards' is no hook, .*did you mean 'after_backward'"):

        class Misspelt(Technique):
            def after_backwards(self, training: Any) -> None: ...


DECLARED_WRONGLY = {
    "famly='layers'": "unknown class keyword 'famly': did you mean 'family'",
    "zzz=1": "unknown class keyword 'zzz': known: family, identity, name, no_identity, .*version",
    "paper='none'": "'paper' is declared twice, as a class keyword and as a class variable",
}


@pytest.mark.parametrize("keyword", DECLARED_WRONGLY)
def test_an_unknown_or_repeated_keyword_is_refused(load: Callable[..., Any], keyword: str) -> None:
    with pytest.raises(BenchError, match=rf"the technique Mine of .*mine\.py .*{DECLARED_WRONGLY[keyword]}"):
        load("pass", f"Technique, {keyword}")


def test_keywords_declare_what_class_variables_do(load: Callable[..., Any]) -> None:
    keywords = {"observer": True, "space": {"size": (1, 2)}, "packages": ("json",)}
    technique = load(
        "size: int = 1", ", ".join(["Technique", *(f"{name}={value!r}" for name, value in keywords.items())])
    )
    assert {name: getattr(technique, name) for name in keywords} == keywords


def test_children_inherit_declarations_and_may_change_them() -> None:
    @dataclass(frozen=True)
    class Parent(Technique, name="parent", family="layers", paper="none", identity=None, version="2"):
        strength: float = 1.0

    @dataclass(frozen=True, slots=True)  # which makes the class twice
    class Child(Parent, name="child", identity={"strength": 0.0}):
        pass

    assert Parent().spec() == TechniqueSpec("parent", (("strength", 1.0),), "2", label="parent")
    assert Child().spec() == TechniqueSpec("child", (("strength", 1.0),), "2", label="child")
    assert (Parent.identity, Child.identity) == (None, {"strength": 0.0})


def test_fields_with_slots_are_fields() -> None:
    @dataclass(frozen=True, slots=True)
    class Slotted(Technique):
        strength: float = 1.0

    assert Slotted(2.0).strength == 2.0


def test_a_hook_of_a_mixin_is_one_and_what_else_it_has_is_its_own(load: Callable[..., Any]) -> None:
    assert isinstance(load("pass", "Mixin, Technique"), AfterBackward)
    with pytest.raises(BenchError, match=r"'after_updates' is no hook, .*did you mean 'after_update'"):
        load("pass", "Wrong, Technique")


def test_a_hook_that_is_only_inherited_from_its_protocol_is_refused(load: Callable[..., Any]) -> None:
    with pytest.raises(BenchError, match="'after_backward' is only inherited from the protocol AfterBackward"):
        load("pass", "Technique, AfterBackward")
    assert isinstance(load("def after_backward(self, training): pass", "Technique, AfterBackward"), AfterBackward)


def test_decorated_hooks_pass() -> None:
    class Decorated(Technique):
        @torch.no_grad()
        def after_update(self, training: Any) -> None: ...

        @contextmanager
        def evaluate_under(self, training: Any) -> Any:
            yield

    assert Decorated.evaluate_under


def test_what_is_put_on_a_class_afterwards_is_refused_as_one_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True)
    class Later(Technique):
        name, family, paper, identity = "later", "baselines", "none", None

    monkeypatch.setitem(TECHNIQUES._entries, "later", Later)
    Later.after_backwards = lambda self, training: None  # type: ignore[attr-defined]
    with pytest.raises(BenchError, match="did you mean 'after_backward'"):
        parse_stack("later", TECHNIQUES)
    del Later.after_backwards  # type: ignore[attr-defined]
    assert parse_stack("later", TECHNIQUES).techniques == (Later(),)


def test_a_class_of_an_installed_package_is_refused_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "def after_backwards(self, training): pass"
    (tmp_path / "offering.py").write_text(HEAD.format(body=body, bases="Technique"))
    information = tmp_path / "offering-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text("[stabbench.techniques]\nmine = offering:Mine\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    _points.cache_clear()
    monkeypatch.delitem(sys.modules, "offering", raising=False)
    try:
        with pytest.raises(BenchError, match=r"offering.*did you mean 'after_backward'"):
            TECHNIQUES.get("mine")
    finally:
        _points.cache_clear()
        sys.modules.pop("offering", None)


def test_every_registered_technique_is_as_it_has_to_be() -> None:
    for technique in TECHNIQUES:
        check_technique(technique, technique.name)
