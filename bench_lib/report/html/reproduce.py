"""The command that repeats a run, and notes on differences to expect."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench_lib.core.errors import BenchError
from bench_lib.core.profiles import find_profile
from bench_lib.core.spec import PROTOCOL
from bench_lib.report.html.registry_entries import Catalogue
from bench_lib.tasks import TASKS
from bench_lib.tasks.task import OWN_VERSION

Row = Any
"""A run, its columns as keys."""

FROZEN = {"subset": 0}
"""The streams that `stabbench run` freezes by default."""


@dataclass(frozen=True)
class Commands:
    """Commands for the runs of a report, with the catalogue of this version of the package."""

    catalogue: Catalogue

    def line(self, run: Row, spec: Mapping[str, Any]) -> str:
        """The command without its seed, which is the last word; what to run elsewhere, for an external run."""
        if "harness" in spec:
            return f"{shlex.quote(str(spec['harness']))}, with seed"
        options = {"profile": run["profile"], "model": "FOLDER" if _is_folder(spec) else run["model"]}
        if not is_own(spec):
            options["data"] = "embedded" if run["data"] == "embedded" else "DIR"
        if spec.get("frozen", FROZEN) != FROZEN:
            options["freeze"] = ",".join(f"{k}={v}" for k, v in sorted(spec["frozen"].items())) or "none"
        words = " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in options.items())
        task, technique = (shlex.quote(str(run[name])) for name in ("task", "technique"))
        named = "--task TASK" if is_own(spec) else f"--tasks {task}"
        return f"stabbench run {named} --techniques {technique} {words} --seeds"

    def notes(self, run: Row, spec: Mapping[str, Any]) -> list[str]:
        """Missing inputs of the command, and differences of this version, one sentence each."""
        if "harness" in spec:
            return [f"This run was made by another harness, {spec['harness']}, and imported."]
        return [
            *self._data(run, spec),
            *_model(run, spec),
            *_profile(run, spec),
            *self._stack(run, spec),
            *_versions(spec),
        ]

    def _data(self, run: Row, spec: Mapping[str, Any]) -> Iterator[str]:
        print_ = spec.get("data", "")
        if is_own(spec):
            yield f"TASK is the file or folder of the user's own task {run['task']}: its rows' fingerprint is {print_}."
        elif run["data"] != "embedded":
            yield f"DIR is hub, or a folder that holds the same rows: their fingerprint is {print_}."

    def _stack(self, run: Row, spec: Mapping[str, Any]) -> Iterator[str]:
        for name, params, version in stack(spec):
            known = self.catalogue.techniques.get(name)
            if known is None:
                yield f"{name} is not in this version's registry: give its file as PATH.py:Class."
                continue
            if known.version != version:
                yield f"{name} was at version {version}, and is at {known.version} today."
            for key, value in params.items():
                if known.defaults.get(key) != value and f":{key}=" not in str(run["technique"]):
                    yield f"{name} ran with {key}={value}; its default today is {known.defaults.get(key)}."


def is_own(spec: Mapping[str, Any]) -> bool:
    """Whether the task of a spec is a user's own."""
    return str((*spec.get("task", ("", "")), "")[1]).startswith(OWN_VERSION)


def stack(spec: Mapping[str, Any]) -> list[tuple[str, dict[str, Any], str]]:
    """The techniques of a spec, each by name, parameters and version."""
    return [(str(name), dict(params), str(version)) for name, params, version in spec.get("stack", [])]


def _model(run: Row, spec: Mapping[str, Any]) -> Iterator[str]:
    if _is_folder(spec):
        yield f"FOLDER is the folder of the model {run['model']}: the digest of its files is {spec['model']}."


def _is_folder(spec: Mapping[str, Any]) -> bool:
    return str(spec.get("model", "")).startswith("sha256:")


def _profile(run: Row, spec: Mapping[str, Any]) -> Iterator[str]:
    """The difference between the profile of this version and that of the run."""
    name, task = str(run["profile"]), str(run["task"])
    if is_own(spec):
        return  # its format, by which profiles differ, is not known without its file
    today = _settings_today(name, task)
    if today is None:
        yield f"This version has no profile {name} for a task {task}."
        return
    then = spec.get("profile", {})
    differing = [key for key in sorted({*today, *then}) if then.get(key) != today.get(key)]
    if differing:
        changes = ", ".join(f"{key} {then.get(key, 'unset')} (today {today.get(key, 'unset')})" for key in differing)
        yield f"The profile {name} is another one today; the run had {changes}."


@functools.lru_cache(maxsize=1024)
def _settings_today(name: str, task: str) -> Mapping[str, Any] | None:
    """The settings of a profile for a task in this version, None without such a profile; cells share them."""
    try:
        return find_profile(name)(task, TASKS.get(task).format).settings()
    except BenchError:
        return None


def _versions(spec: Mapping[str, Any]) -> Iterator[str]:
    if spec.get("protocol", PROTOCOL) != PROTOCOL:
        yield f"The harness's protocol was {spec['protocol']}, and is {PROTOCOL} today: the arithmetic differs."
    name, version = (*spec.get("task", ("", "")), "")[:2]
    if name in TASKS and TASKS.get(name).version != version:
        yield f"The task {name} was at version {version}, and is at {TASKS.get(name).version} today."
