"""`stabbench report`: the leaderboard of a store."""

from __future__ import annotations

import argparse
from pathlib import Path

from bench_lib.cli.outcome import DONE, tell_set_aside


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `report`."""
    command.add_argument("--store", default="bench-results", type=Path, metavar="DIR", help="default: bench-results")
    command.add_argument("--out", default="bench-reports", type=Path, metavar="DIR", help="default: bench-reports")
    command.add_argument("--baseline", default="adamw", help="default: adamw")
    command.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    from bench_lib.report.render import render
    from bench_lib.store import Store

    store = Store(options.store)
    for path in render(store, options.out, options.baseline):
        print(path)
    tell_set_aside(store)
    return DONE
