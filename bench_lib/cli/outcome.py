"""What is printed of a sweep that ended, and the exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from bench_lib.cli.console import DONE, INFRASTRUCTURE, USAGE
from bench_lib.core.errors import one_line
from bench_lib.core.record import Status

if TYPE_CHECKING:
    from bench_lib.core.spec import RunSpec
    from bench_lib.runner.sweep import Progress
    from bench_lib.store import Store

REASONS = 3
"""Maximum number of printed reasons of declined runs."""


def print_outcome(progress: Progress, planned: Callable[[], Sequence[RunSpec]], store: Store) -> int:
    """Print what became of the planned runs of a sweep, and return the exit code."""
    counts = ", ".join(f"{count} {status}" for status, count in sorted(progress.statuses.items())) or "nothing to do"
    new = f"{progress.finished} are new ({counts})"
    if progress.elsewhere:
        new = f"{progress.elsewhere} were made by another process meanwhile, {new}"
    print(f"{progress.total} runs: {progress.stored} were stored, {new}; in {store.root}")
    return max(_lost(progress), _declined(planned, store, progress))


def _lost(progress: Progress) -> int:
    """Print how to retry runs lost to infrastructure, and return the exit code."""
    lost = [status for status in Status if status.lost_to_infrastructure and progress.statuses[status]]
    if lost:
        _tell(f"the same command with --retry {','.join(lost)} tries the lost runs again")
    if progress.left and progress.at_limit:
        _tell(f"stopped at a limit with {progress.left} of {progress.total} runs left; the same command goes on")
    elif progress.left:
        again = f"--retry {','.join(status for status in Status if status.lost_to_infrastructure)}"
        _tell(f"{progress.left} seed ensembles wait for lost members; {again} tries those again")
    return INFRASTRUCTURE if lost or (progress.left and not progress.at_limit) else DONE


def _declined(planned: Callable[[], Sequence[RunSpec]], store: Store, progress: Progress) -> int:
    """Print the declined runs with their reasons, and return the exit code: bad input if all were declined."""
    if not progress.total or (progress.finished and not progress.statuses[Status.UNSUPPORTED]):
        return DONE
    asked = {spec.run_id() for spec in planned()}
    rows = store.table().select(["run_id", "status", "reason"]).to_pylist()
    reasons = [row["reason"] for row in rows if row["status"] == Status.UNSUPPORTED and row["run_id"] in asked]
    if not reasons:
        return DONE
    whole = len(reasons) == progress.total
    which = "every run was" if whole else f"of {progress.total} runs {len(reasons)} were"
    different = list(dict.fromkeys(map(one_line, reasons)))
    more = f"; and for {len(different) - REASONS} more reasons" if len(different) > REASONS else ""
    _tell(f"{which} declined: {'; '.join(different[:REASONS])}{more}")
    return USAGE if whole else DONE


def _tell(text: str) -> None:
    print(f"stabbench: {text}", file=sys.stderr)
