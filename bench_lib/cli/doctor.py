"""`stabbench doctor`: check what works on this machine."""

from __future__ import annotations

import argparse

from bench_lib.cli import noise
from bench_lib.cli.arguments import add_own_task, own_tasks
from bench_lib.cli.console import DONE, USAGE


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `doctor`."""
    command.add_argument(
        "--data", help="also look into this data folder; with --noise: hub, embedded (default) or a folder"
    )
    add_own_task(command)
    noise.add_to(command)
    command.set_defaults(command=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    if options.noise:
        return noise.run(options)
    noise.refuse_without(options)
    from bench_lib.validation.environment import examine

    findings = examine(options.data, own_tasks(options))
    for finding in findings:
        print(f"{'ok ' if finding.ok else '-- '} {finding.what}: {finding.found}")
    return DONE if all(finding.ok or finding.optional for finding in findings) else USAGE
