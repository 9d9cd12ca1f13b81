"""Sets what a technique's class declares, and checks that its public members are hooks, since no others are called.

A class may also have fields and constants that are not named like a hook, nested classes, and methods and properties
whose names begin with an underscore.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from bench_lib.core.errors import BenchError, UnknownName
from bench_lib.techniques.interface.hooks import HOOKS

VAR_POSITIONAL = inspect.Parameter.VAR_POSITIONAL
METHODS: dict[str, Any] = {
    name: function
    for protocol in HOOKS
    for name, function in vars(protocol).items()
    if inspect.isfunction(function) and not name.startswith("_")
}
"""Every hook's method by name, as its protocol declares it."""


def declare(technique: type, declared: Mapping[str, object], allowed: Collection[str]) -> None:
    """Set class variables to the keywords of the class statement; raise `BenchError` for unknown or repeated ones."""
    for name, value in declared.items():
        if name not in allowed:
            raise _refused(technique, str(UnknownName("class keyword", name, allowed)))
        if name in vars(technique):
            raise _refused(technique, f"{name!r} is declared twice, as a class keyword and as a class variable")
        setattr(technique, name, value)


def check_definition(technique: type, base: type) -> None:
    """Raise `BenchError` for a public member that is no hook, or a hook that is incomplete or cannot be called."""
    own = {n: f for n, f in vars(base).items() if inspect.isfunction(f) and not n.startswith("_")}
    expected = METHODS | own
    for owner in technique.__mro__:
        if owner in (base, object) or owner.__module__ in ("typing", "abc"):
            continue
        for name, value in vars(owner).items():
            if not name.startswith("_") and name not in expected and _is_code(value):
                _refuse_unknown(technique, owner, name, base)
        for name in vars(owner).get("__annotations__", {}):
            if name in expected:
                raise _refused(technique, f"the field {name!r} bears the name of a hook; give it another name")
    for name, declared in expected.items():
        value = inspect.getattr_static(technique, name, None)
        if value is not None and value is not own.get(name):
            _check_hook(technique, name, value, declared)
    _check_whole(technique)
    if "spec" in own and inspect.getattr_static(technique, "spec") is not own["spec"]:
        raise _refused(technique, "'spec' says what the technique is by value, and is not to be overridden")


def check_instance(technique: object) -> None:
    """Raise `BenchError` for an attribute of the instance that hides a hook."""
    for name in getattr(technique, "__dict__", {}):
        if name in METHODS:
            raise _refused(type(technique), f"{name!r} is set on the instance, and is a hook, a method of the class")


def _is_code(value: object) -> bool:
    """Whether it is a method of any kind or a property, not a value or a nested class; slots are fields."""
    binds = hasattr(type(value), "__get__") and not inspect.ismemberdescriptor(value)
    return (binds or callable(value)) and not isinstance(value, type)


def _refuse_unknown(technique: type, owner: type, name: str, base: type) -> None:
    """Raise for an unused member; in a mixin, which may serve others, only if it resembles a hook."""
    plain = {_plain(hook): hook for hook in METHODS}
    near = [plain[n] for n in get_close_matches(_plain(name), plain, n=1, cutoff=0.7)]
    if not near and not issubclass(owner, base):
        return
    if near:
        hint = f"did you mean {near[0]!r}?"
    else:
        (nearest,) = get_close_matches(_plain(name), plain, n=1, cutoff=0.0)
        hint = f"hooks are {', '.join(METHODS)}; the nearest is {plain[nearest]!r}"
    raise _refused(
        technique, f"{name!r} is no hook, and a method or property of its own begins with an underscore: {hint}"
    )


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _check_hook(technique: type, name: str, value: Any, declared: Any) -> None:
    """Raise unless a hook is a plain method that takes the declared arguments by position."""
    for protocol in HOOKS:
        if value is vars(protocol).get(name):
            raise _refused(technique, f"{name!r} is only inherited from the protocol {protocol.__name__}; define it")
    if not inspect.isfunction(value):
        kind = f"a {type(value).__name__}" if _is_code(value) else "an attribute"
        raise _refused(technique, f"{name!r} is a hook, and must be a plain method, not {kind}")
    function = inspect.unwrap(value)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise _refused(technique, f"the hook {name!r} is called, not awaited; make it a plain method without async")
    if inspect.isgeneratorfunction(value):
        raise _refused(technique, f"the hook {name!r} is a generator, of which nothing runs; return a value, or none")
    wanted = list(inspect.signature(declared).parameters)
    taken = inspect.signature(value)
    try:
        given = taken.bind(*wanted).arguments
    except TypeError as error:
        raise _refused(technique, f"{name}{taken} does not take ({', '.join(wanted)}): {error}") from error
    for mine, theirs in list(zip(given, wanted, strict=False))[1:]:  # *given takes the rest
        if mine != theirs and not mine.startswith("_") and taken.parameters[mine].kind is not VAR_POSITIONAL:
            hint = "as the hook does, or with an underscore in front where it is not read"
            raise _refused(
                technique, f"{name}{taken} calls {mine!r} what ({', '.join(wanted)}) calls {theirs!r}; name it {hint}"
            )


def _check_whole(technique: type) -> None:
    """Raise for an incomplete protocol of several methods, which would never be called."""
    for protocol in HOOKS:
        parts = [name for name in vars(protocol) if name in METHODS]
        has = [name for name in parts if inspect.getattr_static(technique, name, None) is not None]
        missing = [name for name in parts if name not in has]
        if missing and has:
            raise _refused(technique, f"{' and '.join(has)} stands without {' and '.join(missing)}, and is not called")


def _refused(technique: type, why: str) -> BenchError:
    """The error, with the class and the file that it is in."""
    module = sys.modules.get(technique.__module__)
    file = getattr(module, "__file__", None) or technique.__module__
    return BenchError(f"the technique {technique.__qualname__} of {file} cannot be used: {why}")
