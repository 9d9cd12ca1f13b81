"""How far a sweep is, on a terminal and elsewhere."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from bench_lib.core.record import Status
from bench_lib.runner.progress import Pace, counts, named, result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_lib.core.record import RunRecord
    from bench_lib.core.spec import RunSpec
    from bench_lib.executors.base import Executor
    from bench_lib.runner.sweep import Progress

BAR = "{percentage:3.0f}%|{bar:16}| {n_fmt}/{total_fmt} [{elapsed}{postfix}] {desc}"


class ProgressLine:
    """Progress of a sweep: a bar on a terminal, a line for each run elsewhere, on the standard output or a stream."""

    def __init__(self, stream: TextIO | None = None) -> None:
        from tqdm import tqdm

        self.stream = stream
        self.pace = Pace()
        self.last: RunRecord | None = None
        self.terminal = sys.stderr.isatty()
        self.bar = tqdm(disable=not self.terminal, unit="run", dynamic_ncols=True, bar_format=BAR)

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.close()

    def watch(self, executor: Executor) -> Executor:
        """The executor, of which what is under way is shown and timed."""
        from bench_lib.executors.watched import Watched

        return Watched(executor, self._start, self.pace.end)

    def __call__(self, progress: Progress) -> None:
        """Show how far the sweep is; a run has its line once, though counts may change after it."""
        new, self.last = progress.last is None or progress.last is not self.last, progress.last
        if not self.terminal:
            if new:
                self._print(result(progress, self.pace))
            return
        if progress.last is None and not self.pace.runs:
            self.bar.reset(total=progress.total)
            self.bar.initial = progress.stored
        elif new and (progress.last is None or Status(progress.last.status).lost_to_infrastructure):
            self.bar.write(result(progress, self.pace), file=sys.stderr)
        self.bar.n = progress.total - progress.left
        self.bar.set_postfix_str(counts(progress, self.pace), refresh=False)
        self.bar.set_description_str(self.pace.running())

    def _start(self, group: Sequence[RunSpec]) -> None:
        self.pace.start(group)
        if self.terminal:
            self.bar.set_description_str(self.pace.running())
        elif not self.pace.runs:
            # Until the first is done there is nothing else to see; later every run has its line anyway.
            self._print(f"running {named(group)}")

    def _print(self, text: str) -> None:
        print(text, flush=True, file=self.stream)
