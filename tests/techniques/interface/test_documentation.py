from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from bench_lib.core.errors import UnknownName
from bench_lib.core.registry import Registry
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.documentation import HEAD, NOTHING, by_family, page, summary
from bench_lib.techniques.interface.technique import FAMILIES, Technique

COMMITTED = Path(__file__).parents[3] / "docs" / "techniques.md"
COMMAND = "stabbench list techniques --markdown > docs/techniques.md"


@dataclass(frozen=True)
class Odd(Technique):
    """Pull a|b and *c* towards `x|y`, <b>all</b> of it
    at once.

    L = |w|^2 + _k_
        + sum_i w_i

    Doe & Roe 2020, "Odd", doi:10.1000/odd(1)2; the rest [sic] is
    our choice.
    """

    name, family, paper = "odd", "layers", "Doe & Roe 2020, doi:10.1000/odd(1)2; Poe 2021, arXiv:2101.00001v2."
    identity: ClassVar = {"rate": None, "word": "a|b"}
    space: ClassVar = {"rate": (0.1, 0.25), "word": ("a|b", "*c")}

    rate: float | None = 0.25
    word: str = "c"

    def passes(self):
        return (2, 3)

    def estimation_passes(self):
        return (1, 0)

    def pretraining_passes(self, epochs):
        return (4 * epochs, 4)

    def declines(self, task_format):
        return "no a|b in tags" if task_format == "tokens" else None

    def groups(self, groups, training):
        return groups

    def after_backward(self, training):
        pass


@dataclass(frozen=True)
class Plain(Technique):
    """Look on."""

    name, family, paper, identity, observer = "plain", "baselines", "none", None, True


@dataclass(frozen=True)
class Pool(Plain):
    """Take several seeds."""

    name, observer = "pool", False

    def pools(self):
        return 5

    def pool(self, predictions, task_format):
        return predictions[0]


def _page(*techniques):
    registry = Registry("technique")
    for technique in techniques:
        registry.add(technique.name, technique)
    return page(registry)


def _cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _row(text, name):
    (line,) = (line for line in text.splitlines() if line.startswith(f"| [{name}]"))
    return dict(zip(HEAD, _cells(line), strict=True))


def test_a_row_has_all_that_a_technique_declares():
    assert _row(_page(Odd), "odd") == {
        "name": "[odd](#odd)",
        "what it is": r"Pull a\|b and \*c\* towards `x\|y`, \<b>all\</b> of it at once.",
        "settings": "`rate=0.25`, `word=c`",
        "tune": r"`rate`: 0.1, 0.25; `word`: a\|b, \*c",
        "equals the baseline at": r"`rate=None`, `word=a\|b`",
        "hooks": "Groups, AfterBackward",
        "passes": "2 / 3, 1 / 0 in an epoch before the first update, 12 / 4 before a training of 3 epochs",
        "declines": r"tokens: no a\|b in tags",
        "paper": "Doe & Roe 2020, [doi:10.1000/odd(1)2](https://doi.org/10.1000/odd%281%292); "
        "Poe 2021, [arXiv:2101.00001v2](https://arxiv.org/abs/2101.00001v2).",
    }


@dataclass(frozen=True)
class Now(Plain):
    """Look twice, now and then."""

    name, observer = "now", False

    def passes_at(self, step, steps):
        return (2, 1) if 4 * step >= 3 * steps else (1, 1)


def test_passes_that_differ_from_step_to_step_are_told_by_steps():
    assert _row(_page(Now), "now")["passes"] == "1 / 1 in 75 of 100 steps, 2 / 1 in 25 of 100 steps"


def test_what_there_is_none_of_is_a_dash():
    row = _row(_page(Plain), "plain")
    assert (row["settings"], row["tune"], row["declines"]) == (NOTHING, NOTHING, NOTHING)
    assert row["passes"] == "1 / 1"
    assert (row["equals the baseline at"], row["hooks"]) == ("no point", "*observer*")


def test_a_technique_that_pools_seeds_has_no_passes():
    row = _row(_page(Pool), "pool")
    assert (row["hooks"], row["passes"]) == ("PoolsPredictions", "none: it pools 5 trained seeds")


def test_the_docstring_stands_whole_with_its_equation_as_code():
    _, _, entry = _page(Odd).partition("### odd\n\n")
    assert entry.split("\n\n")[1:3] == [
        "```text\nL = |w|^2 + _k_\n    + sum_i w_i\n```",
        r'Doe & Roe 2020, "Odd", [doi:10.1000/odd(1)2](https://doi.org/10.1000/odd%281%292); the rest \[sic\] is our '
        "choice.",
    ]
    assert _page(Plain).endswith("### plain\n\nLook on.\n\nPaper: none.\n")


def test_families_stand_in_their_order_and_only_where_they_have_techniques():
    text = _page(Odd, Plain)
    assert re.findall("^## (.*)$", text, re.MULTILINE) == [FAMILIES["baselines"], FAMILIES["layers"]]
    assert text == _page(Odd, Plain)


def test_a_family_that_is_none_is_refused_by_name():
    registry = Registry("technique")
    registry.add("lost", type("Lost", (Plain,), {"name": "lost", "family": "layer"}))
    with pytest.raises(UnknownName, match="family of technique lost 'layer': did you mean 'layers'"):
        by_family(registry)


@pytest.mark.parametrize("technique", TECHNIQUES, ids=lambda technique: technique.name)
def test_every_registered_technique_has_a_row_and_a_text(technique):
    text = page(TECHNIQUES)
    row = _row(text, technique.name)
    assert all(row.values())
    sentence, equation, *_ = text.partition(f"### {technique.name}\n\n")[2].split("\n\n")
    assert sentence == row["what it is"].replace(r"\|", "|")
    assert len(summary(technique)) > 10
    assert equation.startswith("```text\n")
    assert any(sign in equation for sign in ("=", "<-", "~")), "the second paragraph of a docstring is the equation"


def test_the_committed_page_is_the_current_one():
    assert COMMITTED.is_file(), f"there is no docs/techniques.md; make it with: {COMMAND}"
    stale = COMMITTED.read_text(encoding="utf-8") != page(TECHNIQUES)
    assert not stale, f"docs/techniques.md is stale; make it anew with: {COMMAND}"
