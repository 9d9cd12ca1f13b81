"""The options that let a field of the profile take several values: every one of them is run, and all combinations."""

from __future__ import annotations

import argparse

from bench_lib.runner.options import AXES, Axes, axes_of


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of the axes; each takes several values, of which all combinations are run."""
    group = command.add_argument_group(
        "axes", "settings of the profile, for which several values may be given: every combination is run"
    )
    for name, (values, text) in AXES.items():
        group.add_argument(f"--{name.replace('_', '-')}", metavar=values, help=text)


def parse_axes(options: argparse.Namespace) -> Axes:
    """The axes that the options give, in the order of `AXES`; a value of another type raises `BadValue`."""
    return axes_of({name: getattr(options, name) for name in AXES}, "--")
