"""Output of the command line: exit codes, tables and text for people, JSON for programs, progress of a sweep."""

from __future__ import annotations

import json
import math
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from bench_lib.core.record import Status
from bench_lib.report import formatting as md
from bench_lib.report.formatting import plain
from bench_lib.report.glossary import FEW, NOISE
from bench_lib.runner.progress import Pace, counts, named, result

if TYPE_CHECKING:
    from bench_lib.core.record import RunRecord
    from bench_lib.core.spec import RunSpec
    from bench_lib.executors.base import Executor
    from bench_lib.report.column import Column
    from bench_lib.runner.sweep import Progress
    from bench_lib.store import Store

DONE, REGRESSION, USAGE, INCONCLUSIVE, INFRASTRUCTURE = 0, 1, 2, 3, 4
"""Exit codes."""

BAR = "{percentage:3.0f}%|{bar:16}| {n_fmt}/{total_fmt} [{elapsed}{postfix}] {desc}"

WIDTH = 100
"""Maximum length of a line, unless a single word is longer."""

TYPED = str.maketrans({md.DASH: "-", "\u221e": "inf", "\u0394": "diff.", FEW: "", NOISE: ""})
"""Characters of the report that a terminal may lack, with their replacements."""

GAP = "  "
TIED = "\u00a0"
"""A space that does not break lines."""


def columns(head: Sequence[str], rows: Sequence[Sequence[str]], text_columns: int) -> list[str]:
    """Lines of a table of visible text: the first `text_columns` are left-aligned, the others right-aligned."""
    whole = [[typed(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[place]) for row in whole) for place in range(len(head))]
    return [GAP.join(_cells(row, widths, text_columns)).rstrip() for row in whole]


def hanging(lead: str, text: str, indent: int) -> str:
    """The visible text after its lead, wrapped at `WIDTH` with a hanging indent."""
    lead = " " * (len(lead) - len(lead.lstrip())) + plain(lead)
    first = lead.ljust(indent) if len(lead) < indent else f"{lead} "
    whole = textwrap.TextWrapper(
        WIDTH, initial_indent=first, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
    # No line begins with a percent sign.
    return whole.fill(plain(text).replace(" %", f"{TIED}%")).replace(TIED, " ")


def machine(value: object) -> str:
    """JSON with sorted keys; NaN becomes null and infinities become text."""
    return json.dumps(_plain(value), indent=1, sort_keys=True, allow_nan=False)


def legend(columns: Sequence[Column]) -> str:
    """One sentence per column of the leaderboard on its meaning."""
    return "\n".join(hanging(f"{typed(one.title)}:", typed(_sentence(one.meaning)), 4) for one in columns)


def typed(text: str) -> str:
    """Visible text without characters that a terminal may lack."""
    return plain(text).translate(TYPED)


def print_damaged_files(*stores: Store) -> None:
    """Name the damaged files that these stores quarantined or skipped, on the standard error stream."""
    for store in stores:
        for file, why in store.set_aside:
            text = f"stabbench: set aside the damaged file {file} in {store.root}/quarantine: {why}"
            print(plain(text), file=sys.stderr)
        for file, why in store.passed_over.items():
            print(plain(f"stabbench: passed over {file} in {store.root}: it is {why}"), file=sys.stderr)


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
        """An executor that shows and times its jobs here, unless they outlive this process."""
        from bench_lib.executors.base import Detached
        from bench_lib.executors.watched import Watched

        if isinstance(executor, Detached):
            return executor
        return Watched(executor, self._start, self.pace.end)

    def __call__(self, progress: Progress) -> None:
        """Show the progress; a run has one line, even if counts change after it."""
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
            # Only until the first run is done: later there is one line per run anyway.
            self._print(f"running {named(group)}")

    def _print(self, text: str) -> None:
        print(text, flush=True, file=self.stream)


def _sentence(text: str) -> str:
    """The first sentence, which ends before a capital letter."""
    return re.split(r"(?<=\.)\s+(?=[A-Z])", text, maxsplit=1)[0]


def _cells(row: Sequence[str], widths: Sequence[int], text_columns: int) -> list[str]:
    sized = enumerate(zip(row, widths, strict=True))
    return [cell.ljust(width) if place < text_columns else cell.rjust(width) for place, (cell, width) in sized]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value
