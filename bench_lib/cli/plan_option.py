"""The option by which a command that reads a store decides the contrasts of a plan first."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from bench_lib.cli.arguments import location

if TYPE_CHECKING:
    from bench_lib.report.analysis.declared import DeclaredPlan
    from bench_lib.store import Store


def add_plan(command: argparse.ArgumentParser, text: str) -> None:
    """The option `--plan`, with its help."""
    command.add_argument("--plan", type=location, metavar="PLAN.toml", help=text)


def declared(file: Path | None, store: Store, data: str | None = None) -> DeclaredPlan | None:
    """What the plan's file declares, on the data of the stored runs unless others are named; None without a file."""
    if file is None:
        return None
    from bench_lib.plans.declared import declared_in  # It loads torch, which reading a store does without.

    return declared_in(file, data, store)
