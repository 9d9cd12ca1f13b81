"""Types and options of the command line that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench_lib.core.errors import BadValue, check_path


def location(text: str) -> Path:
    """A valid path of a file or folder."""
    try:
        check_path("path", text)
    except BadValue as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return Path(text)


def add_own_task(command: argparse.ArgumentParser) -> None:
    """The option for tasks of a user's own."""
    text = "a task of your own: a file that describes it, or a folder of its data; may be given several times"
    command.add_argument("--task", action="append", metavar="FILE.toml|DIR", help=text)


def own_tasks(options: argparse.Namespace) -> tuple[str, ...]:
    """The full paths of the tasks of a user's own."""
    from bench_lib.tasks.find import absolute

    return tuple(map(absolute, options.task or ()))


def chosen_tasks(options: argparse.Namespace, data: str) -> tuple[str, ...]:
    """The tasks of `--tasks` and `--task`; where neither is given, all that the source of the data stands for."""
    from bench_lib.runner.grid import all_tasks, named

    own = own_tasks(options)
    if own and options.tasks is None:
        return own
    return (*named(options.tasks or "all", all_tasks(data)), *own)
