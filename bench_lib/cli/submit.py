"""`stabbench submit` and `stabbench verify-submission`: a technique with its runs for the leaderboard, verified."""

from __future__ import annotations

import argparse
import dataclasses
import secrets
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bench_lib.cli import console
from bench_lib.cli.arguments import add_options, location
from bench_lib.cli.console import DONE, INCONCLUSIVE, REGRESSION, print_damaged_files
from bench_lib.core.errors import require
from bench_lib.runner.request import chosen_executor, executing

if TYPE_CHECKING:
    from bench_lib.submissions.finding import Finding
    from bench_lib.submissions.integrity import Unpacked

NEXT = "read technique.py of the archive (--unpack DIR), then repeat with --trust, which runs it"
WARNING = (
    "the code of the submission runs now, with your rights, in worker processes; that is no sandbox: "
    "use a machine or a container that holds nothing of value. First its promises, which takes a minute or two, "
    "then {runs} of its runs"
)
SETTINGS = ("baseline", "profile", "model", "data")


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `submit`."""
    add = command.add_argument
    add("technique", metavar="PATH.py:Class", help="the technique of a file, with settings or in a stack if need be")
    add("--tasks", required=True, metavar="A,B", help="tasks, each a contrast with the baseline")
    add("--store", default="bench-results", type=location, metavar="DIR", help="has the runs (default: bench-results)")
    add("--out", default="submission.tar.gz", type=location, metavar="FILE", help="default: submission.tar.gz")
    add("--baseline", default="adamw", metavar="NAME", help="what it is compared with (default: adamw)")
    add("--profile", default="quick", help="budget of a run (default: quick)")
    add("--model", default="minilm", help="a registered name (default: minilm)")
    add("--data", default="embedded", metavar="hub|embedded|DIR", help="default: embedded")
    add(
        "--seeds",
        dest="count",
        default=20,
        type=int,
        metavar="N",
        help="how many; which ones, a hash says (default: 20)",
    )
    command.set_defaults(command=_submit, task=None)  # no tasks of one's own


def add_verification_to(command: argparse.ArgumentParser) -> None:
    """The options of `verify-submission`."""
    add = command.add_argument
    add("archive", type=location, metavar="ARCHIVE")
    add("--trust", action="store_true", help="run the code of the submission: its promises, and a sample of its runs")
    add("--sample", default=4, type=int, metavar="N", help="with --trust: runs that are trained again (default: 4)")
    add("--key", metavar="TEXT", help="with --trust: chooses the sample with the archive's hash (default: a new one)")
    add("--data", metavar="DIR", help="the folder with the data, where the submission has data of a folder")
    add("--unpack", type=location, metavar="DIR", help="keep what was unpacked in this folder, to read and to merge")
    add("--json", action="store_true", help="the answer as JSON, and nothing else, on the standard output")
    add_options(command, executing("local"))
    command.set_defaults(command=_verify)


def _submit(options: argparse.Namespace) -> int:
    from bench_lib.store import Store
    from bench_lib.submissions.packing import Request, pack
    from bench_lib.submissions.seeds import USUAL

    tasks = tuple(part.strip() for part in options.tasks.split(","))
    settings = {name: getattr(options, name) for name in SETTINGS}
    store = Store(options.store)
    packed = pack(Request(options.technique, tasks, **settings, seeds=options.count), store, options.out)
    print_damaged_files(store)
    if options.count < USUAL:
        few = f"fewer than {USUAL} seeds decide nothing about spread"
        print(f"stabbench: {options.count} seeds a task; {few}", file=sys.stderr)
    check = shlex.join(["stabbench", "verify-submission", f"{options.out}", "--trust"])
    print(f"stabbench: to see what a maintainer will see: {check}", file=sys.stderr)
    runs = f"{packed.runs} runs, {packed.failed} of them failed"
    print(f"{options.out}: {runs}, {packed.size:,} bytes, sha256 {packed.digest}")
    return DONE


def _verify(options: argparse.Namespace) -> int:
    from bench_lib.submissions.finding import Standing, verdict
    from bench_lib.submissions.integrity import LAST_STATIC
    from bench_lib.submissions.retraining import Sampling
    from bench_lib.submissions.verification import Trust, opened, verified

    require(options.trust or options.key is None, "--key", options.key, "given with --trust")
    sampling = Sampling(options.sample, secrets.token_hex(8) if options.key is None else options.key)
    trust = Trust(sampling, chosen_executor(options)) if options.trust else None
    findings = []
    with _folder(options) as folder:
        unpacked = opened(options.archive, folder, options.data)
        for finding in verified(unpacked, trust):
            findings.append(finding)
            if not options.json:
                print(console.hanging(f"{finding.standing}: {finding.check}:", finding.found, 4), flush=True)
            if trust and finding.check == LAST_STATIC and verdict(findings) is Standing.VERIFIED:
                print(f"stabbench: {WARNING.format(runs=sampling.runs)}", file=sys.stderr, flush=True)
    found = verdict(findings)
    key = sampling.key if trust else ""
    print(_machine(unpacked, findings, key) if options.json else _human(options, unpacked, key, found))
    if found is Standing.OPEN and not trust:
        print(f"stabbench: {NEXT}", file=sys.stderr)
    return {Standing.VERIFIED: DONE, Standing.OPEN: INCONCLUSIVE, Standing.REFUSED: REGRESSION}[found]


@contextmanager
def _folder(options: argparse.Namespace) -> Iterator[Path]:
    """Where the archive is unpacked: a folder that was asked for, or one that goes."""
    if options.unpack is not None:
        from bench_lib.submissions.archive import empty_folder

        yield empty_folder(options.unpack)
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _human(options: argparse.Namespace, unpacked: Unpacked, key: str, found: str) -> str:
    """The last lines: what was verified, and the verdict."""
    one = unpacked.submission
    sample = f"; sample chosen by --key {key}" if key else ""
    cells = f"{one.label} against {one.baseline} on {', '.join(one.tasks)}, {one.profile}, {one.model}, {one.data} data"
    return f"{console.typed(cells)}\n{options.archive}, sha256 {unpacked.digest}{sample}: {found}"


def _machine(unpacked: Unpacked, findings: list[Finding], key: str) -> str:
    from bench_lib.submissions.finding import verdict

    one = unpacked.submission
    cells = {name: getattr(one, name) for name in ("label", "tasks", *SETTINGS, "seeds")}
    checks = [dataclasses.asdict(finding) for finding in findings]
    return console.machine(
        {**cells, "sha256": unpacked.digest, "key": key, "checks": checks, "verdict": verdict(findings)}
    )
