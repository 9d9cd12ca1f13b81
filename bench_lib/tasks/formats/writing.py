"""How a task has text written: the prompt around the input, and where an answer ends."""

from __future__ import annotations

from dataclasses import dataclass

from bench_lib.core.errors import require

SLOT = "{}"
"""The place of the input in a template."""


@dataclass(frozen=True)
class Writing:
    """What a task of written answers says beside its columns.

    `template` is the prompt, with the input at its `{}`. An answer ends before the first of the `stops`, texts of which
    none need occur. `language` is that of the answers, that of the task where empty. A row of a blank input is left out
    where the task `drops_blank` ones, and an error otherwise.
    """

    template: str = SLOT
    stops: tuple[str, ...] = ()
    language: str = ""
    drops_blank: bool = False

    def check(self, task: str) -> None:
        """Raise `BadValue` for a template without one place for the input, or a blank stop."""
        require(self.template.count(SLOT) == 1, f"template of task {task}", self.template, "a text with one {} in it")
        require(all(self.stops), f"stops of task {task}", self.stops, "texts that are not empty")

    @property
    def around(self) -> tuple[str, str]:
        """The text before the input, and after it."""
        before, _, after = self.template.partition(SLOT)
        return before, after


PLAIN = Writing()
"""The input alone, up to the end of the text."""
