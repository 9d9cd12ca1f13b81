"""Where a task's data comes from: the hub, a local folder, or the embedded corpora."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from bench_lib.core.errors import BadData, Unavailable, check_path
from bench_lib.instruments.cache import code_digest, keep_value, read_value
from bench_lib.instruments.versions import installed
from bench_lib.tasks.formats import Example
from bench_lib.tasks.sources import hub, local, synthetic
from bench_lib.tasks.sources.fingerprint import fingerprint
from bench_lib.tasks.sources.own.reading import own_data, own_other_splits, own_split
from bench_lib.tasks.sources.parse import parse
from bench_lib.tasks.task import Data, Task

Splits = tuple[tuple[Example, ...], tuple[Example, ...]]

LIBRARIES = ("numpy", "pyarrow")
"""The libraries by which examples are generated and read."""


class DataFacts(NamedTuple):
    """What planning needs of a task's data: the fingerprint, and the number of training examples."""

    fingerprint: str
    train: int


def load_data(task: Task, source: str) -> Data:
    """A task's training and evaluation examples from `hub`, `embedded`, or a folder; read once a process.

    Those of a user's own task come from its own files, whatever the source.

    Raises `Unavailable` for a source that cannot be reached and `BadData` for wrong contents.
    """
    if task.path:
        source_kind(source)  # a source that is misspelt is said to be, though it is not read here
        return own_data(task.path)
    # Cached by the full path, which does not depend on the working directory.
    return _load(task, source if source in _NAMED else str(_folder(source)))


def data_facts(task: Task, source: str) -> DataFacts:
    """The fingerprint and the size of a task's data; raises as `load_data` does.

    Of embedded corpora and of files that were read before they come from the user's cache, for the tasks of this
    package's formats: a file is the same as long as its place, size, inode and time of change are.
    """
    if task.path or source == "hub" or not type(task.format).__module__.startswith("bench_lib."):
        return _facts(load_data(task, source))
    folder = source_folder(source)
    files: list[list[str | int]] = []
    if folder is not None:
        paths = (path for s in (task.train_split, task.eval_split) for path in local.split_paths(folder, task, s))
        files += map(_state, paths)
    described = {name: repr(value) for name, value in vars(task).items() if name != "format"}
    key = [described, str(task.format), files, code_digest("tasks"), *installed(LIBRARIES)]
    kept = read_value("data", key)
    if kept is not None and kept.keys() == set(DataFacts._fields):
        return DataFacts(**kept)
    facts = _facts(load_data(task, source))
    keep_value("data", key, facts._asdict())
    return facts


def _facts(data: Data) -> DataFacts:
    return DataFacts(data.fingerprint, len(data.train))


def _state(path: Path) -> list[str | int]:
    now = path.stat()
    return [str(path), now.st_size, now.st_ino, now.st_mtime_ns, now.st_ctime_ns]


def source_kind(source: str) -> str:
    """Whether a source is `hub`, `embedded` or `local`; `BadData` for a folder that is not there."""
    if source in _NAMED:
        return source
    _folder(source)
    return "local"


def source_folder(source: str) -> Path | None:
    """The folder that a source is, or None for `hub` and `embedded`; `BadData` for a folder that is not there."""
    return None if source in _NAMED else _folder(source)


def read_split(task: Task, source: str, split: str) -> tuple[Example, ...]:
    """The examples of one split; raises as `load_data` does."""
    if task.path:
        return own_split(task, split)
    if source == "embedded":
        data = load_data(task, source)
        return tuple(data.train if split == task.train_split else data.evaluation)
    return _split_of_hub(task, split) if source == "hub" else _split_of_folder(task, _folder(source), split)


def other_splits(task: Task, source: str) -> tuple[str, ...]:
    """The names of the splits that the task does not use; raises as `load_data` does."""
    if task.path:
        return own_other_splits(task)
    if source == "embedded":
        return ()
    names = hub.split_names(task) if source == "hub" else local.split_names(_folder(source), task)
    return tuple(sorted({*names} - {task.train_split, task.eval_split}))


@cache
def _load(task: Task, source: str) -> Data:
    train, rows = _NAMED[source](task) if source in _NAMED else _from_folder(task, Path(source))
    evaluation = tuple(task.format.evaluated(rows))
    return Data(task, source_kind(source), fingerprint(train, evaluation), train, evaluation)


def _folder(source: str) -> Path:
    check_path("data source", source)
    try:
        folder = Path(source).expanduser().resolve()
    except (OSError, RuntimeError) as error:  # a home that nobody has, links that go in circles
        raise BadData(f"data source {source!r} cannot be followed: {error}") from error
    if not folder.is_dir():
        near = get_close_matches(source, _NAMED, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; {local.holdings(folder.parent)}"
        raise BadData(f"data source {source!r} is neither 'hub' nor 'embedded' nor a folder that exists{hint}")
    return folder


def _from_folder(task: Task, folder: Path) -> Splits:
    used = (task.train_split, task.eval_split)
    for split in used:
        local.split_paths(folder, task, split)  # a missing file is reported before the other is read
    train, evaluation = (_split_of_folder(task, folder, split) for split in used)
    return train, evaluation


def _split_of_folder(task: Task, folder: Path, split: str) -> tuple[Example, ...]:
    paths = local.split_paths(folder, task, split)
    return tuple(chain.from_iterable(parse(task, local.read_split(path, task), str(path)) for path in paths))


def _from_hub(task: Task) -> Splits:
    train, evaluation = (_split_of_hub(task, split) for split in (task.train_split, task.eval_split))
    return train, evaluation


def _split_of_hub(task: Task, split: str) -> tuple[Example, ...]:
    name = task.hub_id if task.hub_config is None else f"{task.hub_id} ({task.hub_config})"
    return parse(task, hub.read_split(task, split), f"{name} at {task.revision[:8]}, split {split}")


def _from_embedded(task: Task) -> Splits:
    if task.name not in synthetic.CORPORA:
        raise Unavailable(
            f"task {task.name} has no embedded corpus; there is one for {', '.join(synthetic.CORPORA)}; "
            "use `--data hub` or `--data DIR` for the others"
        )
    rows = synthetic.generate(task.name)
    train, evaluation = (
        parse(task, rows[split], f"embedded {task.name}, {split}") for split in ("train", "evaluation")
    )
    return train, evaluation


_NAMED = {"hub": _from_hub, "embedded": _from_embedded}
