"""`stabbench import`: runs of another harness, from files, into a store."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from bench_lib.cli.arguments import STORE, location, store_location
from bench_lib.cli.compare_scores import add_reading, reading
from bench_lib.cli.console import DONE, print_damaged_files, typed
from bench_lib.core.errors import BadValue

if TYPE_CHECKING:
    from bench_lib.integrations.scores.records import ImportSettings

HELP = """A file is a table (.csv, .tsv, .parquet, .jsonl, .json) with a row for each run, such as an export of W&B or
MLflow, or a folder with a trainer_state.json for each run. Imported runs have tables of their own in reports."""


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `import`."""
    command.epilog = HELP
    add = command.add_argument
    add("files", nargs="+", type=location, metavar="FILE", help="a table of runs, or a folder of trainer states")
    add("--store", default="bench-results", type=store_location, metavar=STORE, help="default: bench-results")
    add("--harness", default="", metavar="NAME", help="what made the runs (default: as the file looks)")
    for name in ("task", "technique", "model"):
        add(f"--{name}", default="", metavar="NAME", help=f"the {name}, where no column has it")
    add("--profile", default="", metavar="NAME", help="the profile in reports (default: the harness)")
    add("--beside-own", action="store_true", help="let tables of real data hold them beside this suite's runs")
    add("--dry-run", action="store_true", help="say how the files are read, and store nothing")
    add_reading(command)
    command.set_defaults(command=_import)


def _import(options: argparse.Namespace) -> int:
    from bench_lib.integrations.scores.records import add, cells, records
    from bench_lib.integrations.scores.table import read_runs
    from bench_lib.store import Store

    settings, store = _settings(options), Store(options.store)
    for path in options.files:
        if not path.exists():
            raise BadValue("file of runs", str(path), "a file or folder that exists")
    tables = [read_runs(path, reading(options)) for path in options.files]
    found = [(table, records(table, settings)) for table in tables]
    for table, made in found:
        print(typed(table.described()))
        for task, technique, count in cells(made):
            print(f"  {typed(technique)} on {typed(task)}: {count} runs")
        if not options.dry_run:
            print(f"  {add(store, made, table.runs)} of {len(made)} runs are new in {store.root}")
    print_damaged_files(store)
    return DONE


def _settings(options: argparse.Namespace) -> ImportSettings:
    from bench_lib.integrations.scores.records import ImportSettings

    return ImportSettings(
        harness=options.harness,
        task=options.task,
        technique=options.technique,
        model=options.model,
        profile=options.profile,
        constant_baseline=options.constant_baseline,
        beside_own=options.beside_own,
    )
