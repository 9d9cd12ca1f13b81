"""How far a sweep is, on a terminal and elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from bench_lib.record import Status

if TYPE_CHECKING:
    from bench_lib.suite import Progress


class ProgressLine:
    """Progress of a sweep: a bar on a terminal, a line for each run elsewhere, on the standard output or a stream."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from tqdm import tqdm

        self.stream = stream
        self.terminal = sys.stderr.isatty()
        self.bar = tqdm(disable=not self.terminal, unit="run", dynamic_ncols=True)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def __call__(self, progress: Progress) -> None:
        """Show how far the sweep is."""
        if not self.terminal:
            print(_line(progress), flush=True, file=self.stream)
            return
        if progress.last is None:
            self.bar.reset(total=progress.total)
            self.bar.initial = progress.stored
        elif Status(progress.last.status).lost:
            self.bar.write(_line(progress), file=sys.stderr)
        self.bar.n = progress.stored + progress.finished
        self.bar.set_postfix_str(f"{progress.failed} failed")


def _line(progress: Progress) -> str:
    run = progress.last
    if run is None:
        return f"{progress.total} runs: {progress.stored} stored, {progress.left} to do"
    place = f"[{progress.stored + progress.finished}/{progress.total}, {progress.failed} failed]"
    score = "" if run.score is None else f" {run.metric} {run.score:.4f}"
    return f"{place} {run.task} {run.technique} seed {run.seed}: {run.status}{score} {run.reason[:160]}".rstrip()
