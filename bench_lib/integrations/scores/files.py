"""Rows of runs from the files that the user named: tables, exports of trackers, folders of `trainer_state.json`."""

from __future__ import annotations

import ast
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench_lib.core.errors import BadData, BadValue
from bench_lib.core.record import Evaluations
from bench_lib.tasks.sources.tables import READERS, read_rows

STATE = "trainer_state.json"
PARTS = ("technique", "task", "seed", "model")
"""What a folder's place may say of its run."""

SEED = re.compile(r"seed[-_=]?(\d+)", re.IGNORECASE)
"""A seed in the name of a folder."""

UNQUOTED = re.compile(r"(?<![\w'\"])-?(?:nan|inf)(?![\w'\"])")
"""Numbers that Python writes and does not read."""


@dataclass(frozen=True)
class RawRow:
    """A run as it stands in a file: where, its values by column, and its evaluations by column, if there are any."""

    place: str
    values: Mapping[str, Any]
    evaluations: Mapping[str, Evaluations] = field(default_factory=dict)


@dataclass(frozen=True)
class RawTable:
    """The runs of a file or folder, and what wrote it: `wandb`, `mlflow`, `trainer`, or `file`."""

    source: str
    harness: str
    rows: tuple[RawRow, ...]

    def columns(self) -> list[str]:
        """The columns that any row has, in the order in which they come."""
        return list(dict.fromkeys(name for row in self.rows for name in row.values))


def is_score_file(text: str) -> bool:
    """Whether a text names a file of a table, or a folder of trainer states, whether or not it exists."""
    path = Path(text)
    if path.suffix.lower() in READERS:
        return True
    is_store = next(path.glob("runs/task=*"), None) is not None
    return path.is_dir() and not is_store and next(path.rglob(STATE), None) is not None


def read(path: Path, layout: str = "") -> RawTable:
    """The runs of a file, or of a folder of trainer states whose paths are as in the layout.

    A layout is text such as `{technique}/{task}/seed{seed}`, relative to the folder.
    """
    if path.is_dir():
        return _trainer_states(path, layout)
    if layout:
        raise BadValue("--layout", layout, f"nothing, or with folders of {STATE}")
    found = read_rows(path)
    rows = tuple(RawRow(f"{path}, row {number}", row) for number, row in enumerate(map(_flat_row, found), 1))
    if not rows:
        raise BadData(f"{path} has no runs; expected a row for each")
    columns = [*found[0]]
    if len(columns) == 1 and (sign := next((sign for sign in ";\t|" if sign in columns[0]), "")):
        raise BadData(
            f"{path} has the one column {columns[0]!r}: its columns seem to be separated by {sign!r}, not commas"
        )
    rows = tuple(_unpacked(row) for row in rows)
    return RawTable(str(path), _harness(set(rows[0].values) | set(found[0])), rows)


def _flat_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose objects are columns of their own, such as `config.seed`."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": part for inner, part in _flat_row(value).items()}
        else:
            flat[str(name)] = value
    return flat


def _unpacked(row: RawRow) -> RawRow:
    """A row with the objects in the texts of its columns `config` and `summary`, as scripts for W&B write them."""
    packed = {name: row.values[name] for name in ("config", "summary") if isinstance(row.values.get(name), str)}
    if not packed:
        return row
    objects = {name: _object(text, f"{row.place}, column {name}") for name, text in packed.items() if text.strip()}
    rest = {name: value for name, value in row.values.items() if name not in packed}
    return RawRow(row.place, rest | _flat_row(objects))


def _object(text: str, place: str) -> Mapping[str, Any]:
    for parse in (json.loads, lambda written: ast.literal_eval(UNQUOTED.sub("None", written))):
        try:
            found = parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, Mapping):
            return found
    raise BadData(f"{place} is {text[:80]!r}; allowed: an object of JSON or a dictionary of Python")


def _harness(columns: set[str]) -> str:
    if columns & {"artifact_uri", "experiment_id", "Run ID"}:
        return "mlflow"
    if {"State", "Name"} <= columns or {"config", "summary"} & {name.partition(".")[0] for name in columns}:
        return "wandb"
    return "file"


def _trainer_states(folder: Path, layout: str) -> RawTable:
    pattern = _pattern(layout)
    rows = tuple(_state_row(folder, path, pattern) for path in _last_states(folder))
    if not rows:
        raise BadData(f"{folder} holds no {STATE} at any depth; expected one for each run")
    return RawTable(str(folder), "trainer", rows)


def _last_states(folder: Path) -> Iterator[Path]:
    """One state for each run: its own, or that of its last checkpoint."""
    runs: dict[Path, list[tuple[float, Path]]] = {}
    for path in sorted(folder.rglob(STATE)):
        checkpoint = re.fullmatch(r"checkpoint-(\d+)", path.parent.name)
        run, order = (path.parent.parent, int(checkpoint[1])) if checkpoint else (path.parent, math.inf)
        runs.setdefault(run, []).append((order, path))
    return (max(states)[1] for _, states in sorted(runs.items()))


def _pattern(layout: str) -> re.Pattern[str] | None:
    if not layout:
        return None
    pieces = re.split(r"(\{\w*\})", layout.strip("/"))
    named = [piece[1:-1] for piece in pieces if piece.startswith("{")]
    if not named or set(named) - {*PARTS} or len(named) > len(set(named)):
        raise BadValue("--layout", layout, "folders with {technique}, {task}, {seed}, {model}, each once at most")
    return re.compile("".join(f"(?P<{p[1:-1]}>[^/]+)" if p.startswith("{") else re.escape(p) for p in pieces))


def _state_row(folder: Path, path: Path, pattern: re.Pattern[str] | None) -> RawRow:
    where = path.parent.relative_to(folder).as_posix()
    run = re.sub(r"(^|/)checkpoint-\d+$", "", where)
    parts: dict[str, str] = {}
    if pattern is not None:
        matched = pattern.fullmatch(run)
        if matched is None:
            raise BadData(f"{path}: its folder {run!r} is not as --layout says")
        parts = matched.groupdict()
    elif seeds := SEED.findall(path.parent.as_posix()):
        parts = {"seed": seeds[-1]}
    state = _state(path)
    history = [entry for entry in state["log_history"] if isinstance(entry, Mapping)]
    evaluations = _evaluations(history)
    last: dict[str, Any] = {name: found.scores[-1] for name, found in evaluations.items()}
    return RawRow(str(path), {**parts, "status": _status(state, history), **last}, evaluations)


def _state(path: Path) -> dict[str, Any]:
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BadData(f"{path} cannot be read as JSON ({error})") from error
    if not isinstance(state, dict) or not isinstance(state.get("log_history"), list):
        raise BadData(f"{path} has no list `log_history`; expected what transformers.Trainer writes")
    return state


def _evaluations(history: list[Mapping[str, Any]]) -> dict[str, Evaluations]:
    """Steps and values of each measure of an evaluation, in their order."""
    found: dict[str, dict[int, float]] = {}
    for entry in history:
        for name, value in entry.items():
            if name.startswith(("eval_", "test_")) and isinstance(value, int | float):
                found.setdefault(name, {})[int(entry.get("step", 0))] = float(value)
    return {name: Evaluations(tuple(steps), tuple(steps.values())) for name, steps in found.items()}


def _status(state: Mapping[str, Any], history: list[Mapping[str, Any]]) -> str:
    """Whether the training came to its end, and with numbers that are finite."""
    last: Mapping[str, Any] = next((entry for entry in reversed(history) if "loss" in entry), {})
    numbers = [last[name] for name in ("loss", "grad_norm") if isinstance(last.get(name), int | float)]
    if not all(map(math.isfinite, numbers)):
        return "diverged"
    callbacks = state.get("stateful_callbacks")
    control = callbacks.get("TrainerControl", {}) if isinstance(callbacks, Mapping) else {}
    stopped = isinstance(control, Mapping) and (control.get("args") or {}).get("should_training_stop")
    finished = state.get("global_step", 0) >= state.get("max_steps", 0) or stopped
    return "converged" if finished else "unfinished"
