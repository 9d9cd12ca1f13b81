"""Options of the command line, as they are declared for all that takes them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from bench_lib.runner.request import STORE as STORE
from bench_lib.runner.request import TASK, RunOption
from bench_lib.runner.request import chosen_tasks as chosen_tasks
from bench_lib.runner.request import location as location
from bench_lib.runner.request import own_tasks as own_tasks
from bench_lib.runner.request import store_location as store_location


def add_options(command: argparse.ArgumentParser | argparse._ArgumentGroup, options: Mapping[str, RunOption]) -> None:
    """Add options to a command or a group, under their names."""
    for name, option in options.items():
        flag, text = f"--{name.replace('_', '-')}", option.text(option.default)
        if option.several:
            command.add_argument(flag, action="append", metavar=option.metavar, help=text)
        else:
            command.add_argument(flag, type=option.type, default=option.default, metavar=option.metavar, help=text)


def add_own_task(command: argparse.ArgumentParser) -> None:
    """The option for tasks of a user's own."""
    add_options(command, {"task": TASK})
