"""`stabbench compare` of files of scores, and the options by which such files are read."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench_lib.cli import console
from bench_lib.cli.arguments import location
from bench_lib.cli.console import DONE
from bench_lib.core.errors import BadValue, require

if TYPE_CHECKING:
    from bench_lib.integrations.scores.table import Reading
    from bench_lib.report.analysis.scores import ScoreComparison
    from bench_lib.stats.scores import ScoreSettings

SCALES = ("percent", "fraction", "number")
FILES = "a .csv, .tsv, .parquet, .jsonl or .json; a workbook is first saved as CSV"


def add_reading(command: argparse.ArgumentParser) -> None:
    """The options by which files of runs from elsewhere are read."""
    group = command.add_argument_group("files of runs from elsewhere")
    add = group.add_argument
    add("--columns", default="", metavar="PART=NAME,...", help="parts: score seed technique task status model")
    add("--scale", choices=SCALES, help="of the scores (default: as they look)")
    add("--layout", default="", metavar="PATH", help="of folders, such as '{technique}/{task}/seed{seed}'")
    direction = group.add_mutually_exclusive_group()
    for name, value in (("higher", True), ("lower", False)):
        text = f"{name} scores are better (default: as the column's name says)"
        option, setting = f"--{name}-is-better", "higher_is_better"
        direction.add_argument(option, dest=setting, action="store_const", const=value, default=None, help=text)
    text = "score of a constant predictor, in the file's scale: runs that are not better have collapsed"
    add("--constant-baseline", type=float, metavar="SCORE", help=text)


def add_comparing(command: argparse.ArgumentParser) -> None:
    """The options of comparing scores."""
    add = command.add_argument
    add("--scores", type=location, metavar="FILE", help="take A and B for techniques in this file of runs")
    add("--unpaired", action="store_true", help="of files: do not pair runs by seed, even if seeds are shared")
    add("--alpha", type=float, default=0.05, help="of files: chance of any false claim, over tasks and tests")
    add("--margin", type=float, default=2.0, metavar="RATIO", help="of files: MAD ratios within it are equivalent")


def reading(options: argparse.Namespace) -> Reading:
    """How the options say that files are read."""
    from bench_lib.integrations.scores.columns import Columns
    from bench_lib.integrations.scores.table import Reading
    from bench_lib.integrations.scores.values import Scale

    scale = Scale(options.scale) if options.scale else None
    return Reading(Columns.parse(options.columns), scale, options.higher_is_better, options.layout)


def compares_scores(options: argparse.Namespace) -> bool:
    """Whether files of scores are compared; `BadValue` where only one of two is such a file."""
    from bench_lib.integrations.scores.files import is_score_file

    found = [is_score_file(text) for text in (options.one, options.other)]
    other = [bool(Path(text).suffix) and Path(text).is_file() for text in (options.one, options.other)]
    if options.scores is None and any(found + other):
        for text, is_file in zip((options.one, options.other), found, strict=True):
            name = "the other of two files of scores" if any(found) else "file of scores"
            require(is_file, name, text, FILES)
            require(Path(text).exists(), "file of scores", text, "a file that exists")
    return options.scores is not None or any(found)


def compare_scores(options: argparse.Namespace) -> int:
    """Compare two files of scores, or two techniques of one."""
    from bench_lib.integrations.scores.comparison import compare_files, compare_within

    if options.scores is None:
        found = compare_files(Path(options.one), Path(options.other), reading(options), _settings(options))
    else:
        if not options.scores.exists():
            raise BadValue("--scores", str(options.scores), "a file that exists")
        found = compare_within(options.scores, options.one, options.other, reading(options), _settings(options))
    print(console.machine(_as_data(found)) if options.json else human(found))
    return DONE


def human(found: ScoreComparison) -> str:
    """How the files were read, a table, remarks, and the verdicts on the last line."""
    from bench_lib.report.analysis.scores import HEAD, LEGEND

    table = console.columns(HEAD, found.rows(), text_columns=4)
    parts = [[*found.notes, ""] if found.notes else [], [*table, ""], [*LEGEND, ""], found.remarks(), [str(found)]]
    return "\n".join(console.typed(line) if line in found.notes else line for part in parts for line in part)


def _settings(options: argparse.Namespace) -> ScoreSettings:
    from bench_lib.stats.design import Margins
    from bench_lib.stats.scores import ScoreSettings

    paired = False if options.unpaired else None
    margins = Margins(ratio=options.margin)
    return ScoreSettings(
        constant_baseline=options.constant_baseline, paired=paired, alpha=options.alpha, margins=margins
    )


def _as_data(found: ScoreComparison) -> dict[str, Any]:
    return {
        "technique": found.technique,
        "baseline": found.baseline,
        "read": list(found.notes),
        "tasks": found.frame().to_dict("records"),
        "remarks": found.remarks(),
    }
