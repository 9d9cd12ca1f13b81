"""How far the benchmarks of a session are, among pytest's own lines, whether or not output is captured."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from bench_lib.runner.progress import Pace, counts, duration, result

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    import pytest

    from bench_lib.core.record import RunRecord
    from bench_lib.core.spec import RunSpec
    from bench_lib.runner.sweep import Progress

    Forecast = Callable[[Sequence[RunSpec]], float | None]


class Lines:
    """Where lines go: to pytest's terminal, past what captures output; nowhere if this pytest shows nothing."""

    def __init__(self, config: pytest.Config) -> None:
        plugins = config.pluginmanager
        self.reporter: Any = plugins.get_plugin("terminalreporter")
        self.capture: Any = plugins.get_plugin("capturemanager")
        self.config = config
        self.shown = False
        self.live = self.reporter is not None and bool(self.reporter.isatty)

    def line(self, text: str) -> None:
        """A line that stays."""
        if self.reporter is not None:
            with self._uncaptured():
                self._to_start()
                self.reporter.write_line(text)
                self.shown = False

    def show(self, text: str) -> None:
        """The one line of a terminal that the next replaces; elsewhere nothing."""
        if self.live:
            with self._uncaptured():
                self._to_start()
                # Asked for here, since while output is captured the terminal's width is not to be had.
                width = self.config.get_terminal_writer().fullwidth
                self.reporter.rewrite(text[: width - 1], erase=True)
                self.shown = True

    def clear(self) -> None:
        """Take away the line that is replaced."""
        if self.shown:
            with self._uncaptured():
                self._to_start()
                self.shown = False

    def _to_start(self) -> None:
        """Go to the start of an empty line: of the one that is replaced, or of a new one after pytest's dots."""
        if self.shown:
            self.reporter.rewrite("", erase=True)
            self.reporter.rewrite("")
            return
        self.reporter.ensure_newline()
        writer = self.config.get_terminal_writer()
        if writer.width_of_current_line:
            writer.line()

    def _uncaptured(self) -> AbstractContextManager[None]:
        found: AbstractContextManager[None] = (
            nullcontext() if self.capture is None else self.capture.global_and_fixture_disabled()
        )
        return found


class Session:
    """The runs of all benchmarks that were selected: told beforehand, while they run, and at the end."""

    def __init__(self, lines: Lines, forecast: Forecast | None = None) -> None:
        self.lines = lines
        self.forecast = forecast
        self.pace = Pace()
        self.since = time.monotonic()
        self.total = self.stored = 0
        self.statuses: Counter[str] = Counter()
        self.cell = ""

    def begin(self, specs: Sequence[RunSpec], todo: Sequence[RunSpec], store: object) -> None:
        """Tell what is about to be run, and how long that takes where that can be foretold."""
        self.total, self.stored = len(specs), len(specs) - len(todo)
        text = f"{_grid(specs)} into {store}; {self.stored} stored, {len(todo)} to do"
        seconds = self.forecast(todo) if self.forecast and todo else None
        self.lines.line(text if seconds is None else f"{text}, about {duration(seconds)} on this machine")

    def start(self, group: Sequence[RunSpec]) -> None:
        """A run begins: on a terminal shown until it ends, elsewhere a line for the first of a cell."""
        self.pace.start(group)
        cell = f"{group[0].task} {group[0].technique()}"
        if self.lines.live:
            done = self.stored + self.statuses.total()
            self.lines.show(f"[{done}/{self.total}, {counts(self._progress(), self.pace)}] {self.pace.running()}")
        elif cell != self.cell:
            self.lines.line(self.pace.running())
        self.cell = cell

    def end(self, group: Sequence[RunSpec], record: RunRecord | None) -> None:
        """A run is over: a line of its own where nothing is live or the run was lost."""
        self.pace.end(group)
        if record is None:
            return
        self.statuses[record.status] += 1
        text = result(self._progress(record), self.pace)
        lost = record.status in ("crashed", "oom", "timeout")
        self.lines.line(text) if lost or not self.lines.live else self.lines.show(text)

    def spent(self) -> tuple[int, float]:
        """How many runs were begun in this session, and how many seconds ago it began."""
        return self.statuses.total(), time.monotonic() - self.since

    def declined(self) -> bool:
        """Whether runs were made and every one of them was declined."""
        return bool(self.statuses) and set(self.statuses) == {"unsupported"}

    def _progress(self, last: RunRecord | None = None) -> Progress:
        from bench_lib.runner.sweep import Progress

        return Progress(self.total, self.stored, self.statuses.total(), self.statuses, last)


def _grid(specs: Sequence[RunSpec]) -> str:
    """A number of runs in words, with what they are made of."""
    made: dict[str, set[object]] = {
        "task": {spec.task for spec in specs},
        "technique": {spec.technique() for spec in specs},
        "seed": {spec.seed for spec in specs},
    }
    sizes = " x ".join(f"{len(found)} {name}{'s' if len(found) != 1 else ''}" for name, found in made.items())
    profiles = "/".join(dict.fromkeys(spec.profile_name for spec in specs))
    models = "/".join(dict.fromkeys(spec.model.name for spec in specs))
    return f"{len(specs)} runs ({sizes}, profile {profiles}, model {models})"
