"""How the columns of a row become the texts that a model reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Formatter

from bench_lib.core.errors import require


@dataclass(frozen=True)
class Reading:
    """What a task whose texts are made of several columns says beside them.

    `templates` are the text and, if there is one, its pair, each column of the inputs in braces in one of them.
    `spelled` has a column, a value of it and what is read in its place; such a column has no other values.
    """

    templates: tuple[str, ...] = ()
    spelled: tuple[tuple[str, str, str], ...] = ()

    def check(self, inputs: Sequence[str], task: str) -> None:
        """Raise `BadValue` unless there are one or two templates that hold each of the inputs once."""
        allowed = f"one or two texts that hold each of {', '.join(f'{{{name}}}' for name in inputs)} once, in all"
        fits = len(self.templates) in (1, 2) and sorted(_fields(self.templates)) == sorted(inputs)
        require(fits, f"templates of task {task}", self.templates, allowed)
        for column, value, _ in self.spelled:
            require(column in inputs, f"column of {value!r} that task {task} spells", column, " or ".join(inputs))

    def spellings(self, column: str) -> Mapping[str, str]:
        """What is read in place of each value of a column; empty where values are read as they are."""
        return {value: text for name, value, text in self.spelled if name == column}

    def texts(self, values: Mapping[str, str]) -> list[str]:
        """The templates with the values of the columns."""
        return [template.format_map(values) for template in self.templates]


def _fields(templates: Sequence[str]) -> list[str]:
    """The names in braces; one that is no plain name is given as it stands, so that it is no column."""
    try:
        parts = [part for template in templates for part in Formatter().parse(template)]
    except ValueError:  # a single brace
        return []
    plain = (f"{name}!{conversion or ''}:{spec}" if spec or conversion else name for _, name, spec, conversion in parts)
    return [name for name in plain if name is not None]


A_TEXT_A_COLUMN = Reading()
"""Each column is a text of its own; of three, the first is put before the second."""
