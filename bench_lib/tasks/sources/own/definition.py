"""What the file of a user's own task says, with all that is wrong in it named at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench_lib.core.errors import BadData, BadValue, Problems, UnknownName
from bench_lib.tasks.formats import FORMATS, Format
from bench_lib.tasks.formats.writing import SLOT

SHARED = "evaluation_share"
WRITING = {"template": "template", "stops": "stops", "answer_language": "language", "drops_blank": "drops_blank"}
"""The keys of tasks whose answers are written, with the fields of `Writing` that they set."""
SHARE = 0.2
"""The share of the training data that is evaluated on where there is no evaluation split."""


@dataclass(frozen=True)
class Definition:
    """A task as far as its file says it; the rest is found in its data.

    `columns` are names in the order of the format's, or by role. Patterns of `train` and `evaluation` are relative to
    `folder`; where they are empty, files are found by the usual names of splits. `share` of the training data is
    evaluated on; None where there is an evaluation split, or `SHARE` is taken because there is none. `writing` has the
    keys of `WRITING` that are given.
    """

    path: Path
    folder: Path
    name: str
    format: Format | None = None
    description: str = ""
    train: tuple[str, ...] = ()
    evaluation: tuple[str, ...] = ()
    share: float | None = None
    columns: tuple[str, ...] | Mapping[str, str] = ()
    labels: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    licence: str = "not stated"
    citation: str = "none"
    language: str = "English"
    judges_wording: bool = False
    mends_tags: bool = False
    writing: Mapping[str, Any] = field(default_factory=dict)


class Form(NamedTuple):
    """What the value of a key must be, and its description for messages."""

    is_valid: Callable[[object], bool]
    text: str


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value == value.strip() != ""


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value) > 0


def _are_columns(value: object) -> bool:
    return _are_texts(value) or (isinstance(value, dict) and len(value) > 0 and all(map(_is_text, value.values())))


def _are_labels(value: object) -> bool:
    """Numbers may name labels too."""
    return isinstance(value, list) and all(type(label) is int or _is_text(label) for label in value) and len(value) > 0


def _is_template(value: object) -> bool:
    return isinstance(value, str) and value.count(SLOT) == 1


def _are_stops(value: object) -> bool:
    """Blanks may be stops."""
    return isinstance(value, list) and all(isinstance(stop, str) and stop for stop in value) and len(value) > 0


TEXT = Form(_is_text, "text in quotes, without blanks at the ends")
TEXTS = Form(_are_texts, 'a list of texts in quotes, each once, such as ["accuracy", "macro_f1"]')
FILES = Form(lambda value: _is_text(value) or _are_texts(value), "a file, a pattern such as train-*.parquet, or a list")
SWITCH = Form(lambda value: isinstance(value, bool), "true or false")
KEYS = {
    **dict.fromkeys(("name", "format", "description", "folder", "licence", "citation", "language"), TEXT),
    **dict.fromkeys(("train", "evaluation"), FILES),
    SHARED: Form(lambda value: type(value) is float and 0 < value < 1, "a share between 0 and 1"),
    "columns": Form(_are_columns, 'a table such as {text = "review", label = "stars"}, or a list, the target last'),
    "labels": Form(_are_labels, 'a list such as ["bad", "good"]'),
    "metrics": TEXTS,
    **dict.fromkeys(("judges_wording", "mends_tags", "drops_blank"), SWITCH),
    "template": Form(_is_template, 'the prompt, with {} in it once, where the text goes, such as "{}\\nSummary:"'),
    "stops": Form(_are_stops, 'a list of texts before which an answer ends, such as ["\\n"]'),
    "answer_language": TEXT,
}


def read_definition(path: Path) -> Definition:
    """The definition in a TOML file; `BadPlan` with everything that is wrong in it."""
    problems = Problems()
    with problems.at(str(path)) as own:
        given = _values(_parsed(path), own)
        found = own.of(found_format, given["format"]) if "format" in given else None
        if found is not None:
            own.found += misplaced({key: given[key] for key in WRITING if key in given}, found)
        if "evaluation" in given and SHARED in given:
            own.found.append(
                "evaluation and evaluation_share are both given; the share is of the training data: keep one"
            )
    problems.refuse()
    files = {key: [given[key]] for key in ("train", "evaluation") if isinstance(given.get(key), str)}
    values = {key: tuple(map(str, v)) if isinstance(v, list) else v for key, v in {**given, **files}.items()}
    plain = {key: value for key, value in values.items() if key not in ("format", "folder", SHARED, *WRITING)}
    writing = {key: values[key] for key in WRITING if key in values}
    folder = path.parent / given.get("folder", "")
    named: dict[str, Any] = {"name": path.stem, **plain}
    return Definition(path, folder, format=found, share=given.get(SHARED), writing=writing, **named)


def misplaced(writing: Mapping[str, Any], task_format: Format) -> list[str]:
    """What is wrong with keys of `WRITING` in a task of a format: all where no text is written."""
    if task_format.writes_text:
        return []
    names = ", ".join(str(one) for one in FORMATS if one.writes_text)
    allowed = f"only with a format that writes text ({names}), and this is {task_format}"
    return [str(BadValue(key, value, allowed)) for key, value in writing.items()]


def found_format(text: str) -> Format:
    """The task format of a name, or of a usual name of such tasks."""
    formats = {name: task_format for task_format in FORMATS for name in (task_format.name, *task_format.aliases)}
    if text not in formats:
        raise UnknownName("task format", text, formats)
    return formats[text]


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:  # numbers may have too many digits
        raise BadData(f"{path} is not TOML: {error}") from error


def _values(table: Mapping[str, Any], problems: Problems) -> dict[str, Any]:
    for key, value in table.items():
        if key not in KEYS:
            problems.found.append(str(UnknownName("key", key, KEYS)))
        elif not KEYS[key].is_valid(value):
            problems.found.append(str(BadValue(key, value, KEYS[key].text)))
    return {key: value for key, value in table.items() if key in KEYS and KEYS[key].is_valid(value)}
